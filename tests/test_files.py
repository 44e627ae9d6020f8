"""Reading photographs and masks: ``python -m pytest tests/test_files.py``."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from src.data.files import UInt8Array, binarise, list_images, read_image, read_mask
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


def test_in_a_mask_crack_is_what_is_brighter_than_127(tmp_path: Path) -> None:
    mask = read_mask(write(tmp_path / "m.png", column(0, 1, 2, 127, 128, 255)))
    assert (mask[:, 0].tolist(), mask.dtype) == ([0, 0, 0, 0, 1, 1], np.uint8)


def test_a_mask_of_0_and_1_is_read_as_it_is(tmp_path: Path) -> None:
    assert read_mask(write(tmp_path / "m.png", column(0, 1, 0, 1)))[:, 0].tolist() == [0, 1, 0, 1]


def test_a_mask_without_crack_is_all_0(tmp_path: Path) -> None:
    assert not read_mask(write(tmp_path / "m.png", column(0, 0))).any()


def test_in_a_colour_mask_any_bright_channel_is_crack(tmp_path: Path) -> None:
    colours = np.array([[[0, 0, 255]], [[255, 0, 0]], [[100, 100, 100]], [[255, 255, 255]]], np.uint8)
    assert read_mask(write(tmp_path / "m.png", colours))[:, 0].tolist() == [1, 1, 0, 1]


def test_a_mask_keeps_its_height_and_width(tmp_path: Path) -> None:
    assert read_mask(write(tmp_path / "m.png", np.zeros((5, 3), np.uint8))).shape == (5, 3)


def test_the_blurred_edge_of_a_jpeg_mask_does_not_grow_its_crack(tmp_path: Path) -> None:
    drawn = np.zeros((64, 64), np.uint8)
    drawn[:, 30:34] = 255
    crack = read_mask(write(tmp_path / "m.jpg", drawn))
    assert abs(int(crack.sum()) - 4 * 64) <= 0.05 * 4 * 64


def test_an_array_without_pixels_is_no_crack() -> None:
    assert binarise(np.zeros((0, 4), np.uint8)).shape == (0, 4)


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
    with pytest.raises(UserError, match=r"folder\.png"):
        read(tmp_path / "folder.png")


def test_a_name_with_spaces_and_accents_is_read(tmp_path: Path) -> None:
    assert read_image(write(tmp_path / "chaussée (1).png", column(7))).shape == (1, 1, 3)


def test_images_are_listed_by_name_and_other_files_left_out(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "Thumbs.db", "c.txt", ".DS_Store"):
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ["a.png", "b.JPG"]
