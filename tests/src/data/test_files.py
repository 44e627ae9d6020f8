"""Reading photographs and masks: ``python -m pytest tests/src/data/test_files.py``."""

import contextlib
import os
import resource
import struct
import tempfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageOps

from src.data.files import (
    MAX_PIXELS,
    UInt8Array,
    images_below,
    is_turned_invisibly,
    list_images,
    orientation,
    read_image,
    refuse_outside,
    upright,
    upright_size,
)
from src.data.masks import read_mask
from src.data.pairs import Pair
from src.data.reading import Reading
from src.errors import UserError


def write(path: Path, pixels: UInt8Array) -> Path:
    """Write pixels (H, W[, 3]) as OpenCV orders them: blue first."""
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
    return path


def column(*values: int) -> UInt8Array:
    """(len(values), 1) uint8."""
    return np.array(values, dtype=np.uint8).reshape(-1, 1)


def test_a_photograph_is_read_as_rgb(tmp_path: Path) -> None:
    blue_first = np.zeros((2, 3, 3), np.uint8)
    blue_first[..., 0] = 200
    image = read_image(write(tmp_path / "a.png", blue_first))
    assert (image.shape, image.dtype) == ((2, 3, 3), np.uint8)
    assert image[0, 0].tolist() == [0, 0, 200]


def test_a_grey_photograph_becomes_rgb(tmp_path: Path) -> None:
    image = read_image(write(tmp_path / "a.png", column(7, 9)))
    assert image[:, 0].tolist() == [[7, 7, 7], [9, 9, 9]]


@pytest.mark.parametrize("read", [read_image, read_mask])
@pytest.mark.parametrize("content", [b"", b"only words", b"\x89PNG\r\n\x1a\n and no more"])
def test_a_file_that_is_no_image_is_refused_by_name(tmp_path: Path, read: type, content: bytes) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(UserError, match=r"Cannot decode .*bad\.png"):
        read(tmp_path / "bad.png")


@pytest.mark.parametrize("read", [read_image, read_mask])
def test_a_file_that_cannot_be_opened_is_refused_by_name(tmp_path: Path, read: type) -> None:
    with pytest.raises(UserError, match=r"Cannot read .*none\.png: No such file"):
        read(tmp_path / "none.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UserError, match=r"folder\.png: it is not a file"):
        read(tmp_path / "folder.png")


def test_a_name_with_spaces_and_accents_is_read(tmp_path: Path) -> None:
    assert read_image(write(tmp_path / "chaussée (1).png", column(7))).shape == (1, 1, 3)


def test_images_are_listed_by_name_and_other_files_left_out(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "Thumbs.db", "c.txt", ".DS_Store", "._a.png"):
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ["a.png", "b.JPG"]


NOISE = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)


@pytest.mark.parametrize("read", [read_image, read_mask])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_a_file_that_ends_early_is_refused_by_name(tmp_path: Path, read: type, suffix: str, share: float) -> None:
    path = write(tmp_path / f"cut{suffix}", NOISE)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=rf"Cannot decode .*cut\{suffix}"):
        read(path)


def test_a_bomb_is_refused_by_its_header_before_it_takes_memory(tmp_path: Path) -> None:
    """A PNG of a few kilobytes that would decode to gigabytes; between the limit and twice of it, and above."""
    for side in (12_000, 40_000):
        (tmp_path / "bomb.png").write_bytes(png_header(side, side))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for read in (read_image, read_mask):
            with pytest.raises(UserError, match=r"bomb\.png: it has more than 134 million pixels"):
                read(tmp_path / "bomb.png")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # KiB
    assert MAX_PIXELS > 12_000 * 9_000


def png_header(width: int, height: int) -> bytes:
    """A PNG that says its size, and has some of its rows, all zero."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(bytes(1000 * (width + 1))))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rows + chunk(b"IEND", b"")


@pytest.mark.parametrize("tag", range(1, 9))
def test_a_photograph_is_read_upright(tmp_path: Path, tag: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = tag
    Image.fromarray(NOISE).save(tmp_path / "a.png", exif=exif)
    upright = np.array(ImageOps.exif_transpose(Image.open(tmp_path / "a.png")))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), upright)
    assert upright.shape == ((48, 64, 3) if tag > 4 else (64, 48, 3))
    with Image.open(tmp_path / "a.png") as image:
        assert orientation(image) == tag


def test_a_photograph_of_any_storage_has_the_same_pixels(tmp_path: Path) -> None:
    image = Image.fromarray(NOISE)
    grey = np.array(image.convert("L"))
    image.save(tmp_path / "rgb.png")
    image.convert("RGBA").save(tmp_path / "rgba.png")
    for path in ("rgb.png", "rgba.png"):
        np.testing.assert_array_equal(read_image(tmp_path / path), NOISE)
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.tif")
    Image.fromarray(grey).save(tmp_path / "grey.png")
    for path in ("deep.png", "deep.tif", "grey.png"):
        np.testing.assert_array_equal(read_image(tmp_path / path), np.repeat(grey[..., None], 3, axis=2))
    flat = Image.fromarray(np.full((16, 16, 3), (200, 90, 30), np.uint8)).convert("CMYK")
    flat.save(tmp_path / "cmyk.jpg", quality=100)
    assert np.abs(read_image(tmp_path / "cmyk.jpg").astype(int) - (200, 90, 30)).max() < 4
    Image.fromarray(grey.astype(np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(UserError, match=r"float\.tif: .*32-bit floating"):
        read_image(tmp_path / "float.tif")


def test_a_pipe_and_a_link_to_nowhere_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    for name in ("pipe.png", "gone.png"):
        with pytest.raises(UserError, match=f"Cannot read .*{name}"):
            read_image(tmp_path / name)


def test_a_link_out_of_the_root_is_refused_and_one_within_is_not(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    secret, own = write(tmp_path / "secret.png", NOISE), write(root / "own.png", NOISE)
    (root / "out.png").symlink_to(secret)
    (root / "in.png").symlink_to(own)
    refuse_outside(root, [own, root / "in.png"])
    with pytest.raises(UserError, match=r"out\.png leads out of .*root, to .*secret\.png"):
        refuse_outside(root, [root / "out.png"])
    (tmp_path / "linked").symlink_to(root)
    refuse_outside(tmp_path / "linked", [tmp_path / "linked" / "own.png"])
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere" / "far.png", NOISE)
    (root / "folder").symlink_to(tmp_path / "elsewhere")  # a whole folder may be a link
    refuse_outside(root, [root / "folder" / "far.png"])
    for path in (root / ".." / "secret.png", secret):
        with pytest.raises(UserError, match="leads out of"):
            refuse_outside(root, [path])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([".png", ".jpg", ".bmp", ".tif", ".webp"]), st.data())
def test_no_damage_of_a_file_gets_past_the_refusal(content: bytes, suffix: str, data: st.DataObject) -> None:
    """Random bytes, and good files with random bytes in them: a picture, or a ``UserError``, and nothing else."""
    with tempfile.TemporaryDirectory() as place:
        good = write(Path(place) / f"good{suffix}", NOISE).read_bytes()
        at = data.draw(st.integers(0, len(good)))
        for number, found in enumerate((content, good[:at] + content + good[at + len(content) :])):
            path = Path(place) / f"{number}{suffix}"
            path.write_bytes(found)
            for read in (read_image, read_mask):
                with contextlib.suppress(UserError):
                    assert read(path).dtype == np.uint8


def test_images_in_folders_below_are_listed_apart(tmp_path: Path) -> None:
    for name in ("a.png", "x/b.JPG", "x/y/c.tif", "x/notes.txt", ".x/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert images_below(tmp_path) == [tmp_path / "x" / "b.JPG", tmp_path / "x" / "y" / "c.tif"]


@pytest.mark.parametrize("way", range(1, 9))
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "jpeg"])
@pytest.mark.parametrize("depth", ["L", "RGB"])
def test_a_tiff_is_turned_by_its_tag_once(tmp_path: Path, way: int, compression: str | None, depth: str) -> None:
    grey = np.zeros((48, 64), np.uint8)
    grey[5:20, 5:9] = 255
    tag = Image.Exif()
    tag[ExifTags.Base.Orientation] = way
    path, plain = tmp_path / "a.tif", tmp_path / "a.png"
    Image.fromarray(grey).convert(depth).save(path, exif=tag, compression=compression)
    Image.fromarray(grey).save(plain, exif=tag)
    meant = read_image(plain)  # a PNG, which nobody else turns
    assert upright_size(path) == upright_size(plain) == meant.shape[:2]
    assert np.abs(read_image(path).astype(int) - meant).max() < (40 if compression == "jpeg" else 1)
    assert np.array_equal(read_mask(path), read_mask(plain))


@pytest.mark.parametrize("way", [3, 6])
def test_a_mask_drawn_on_a_turned_tiff_as_it_lies_or_as_it_is_shown_fits_it(tmp_path: Path, way: int) -> None:
    stored = np.zeros((48, 64), np.uint8)
    stored[5:20, 5:9] = 255
    tag = Image.Exif()
    tag[ExifTags.Base.Orientation] = way
    photograph = tmp_path / "a.tif"
    Image.fromarray(255 - stored).save(photograph, exif=tag)
    shown = upright(stored, way)
    for drawn in [shown] if way == 3 else [shown, stored]:  # a half turn does not show in the size
        Image.fromarray(drawn).save(tmp_path / "m.png")
        image, mask = Pair(photograph, tmp_path / "m.png").read(Reading())
        assert np.array_equal(mask == 1, image[..., 0] == 0)
    assert is_turned_invisibly(photograph) == (way == 3)
