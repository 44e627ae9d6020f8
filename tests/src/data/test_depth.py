"""How many bits of 16-bit photographs are used."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from src.data.depth import choose_bits, used_bits
from src.data.files import is_16_bit, open_image, read_image, upright, values_16_bit
from src.errors import UserError


def ramp(top: int, colours: bool = False) -> np.ndarray:
    """(32, 64) or (32, 64, 3) uint16 of 0 to ``top``."""
    grey = np.tile(np.linspace(0, top, 64), (32, 1)).round().astype(np.uint16)
    return np.dstack([grey, grey // 2, grey // 3]) if colours else grey


def saved(path: Path, values: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), values[..., ::-1] if values.ndim == 3 else values)
    return path


@pytest.mark.parametrize(("top", "bits"), [(255, 8), (256, 10), (4095, 12), (4096, 14), (16384, 16), (65535, 16)])
def test_the_brightest_photograph_says_how_many_bits_the_data_set_has(top: int, bits: int, tmp_path: Path):
    dark = saved(tmp_path / "dark.png", ramp(top // 4))
    bright = saved(tmp_path / "bright.png", ramp(top))
    eight = saved(tmp_path / "eight.png", np.full((8, 8), 200, np.uint8))
    assert used_bits([dark, bright, eight]) == bits
    assert used_bits([eight]) is None


@pytest.mark.parametrize("colours", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_photograph_of_12_bits_keeps_its_grey_levels(colours: bool, suffix: str, tmp_path: Path):
    values = ramp(4095, colours)
    path = saved(tmp_path / f"a{suffix}", values)
    found = read_image(path, 12)
    expected = (values >> 4).astype(np.uint8)
    np.testing.assert_array_equal(found, expected if colours else np.repeat(expected[..., None], 3, axis=2))
    assert read_image(path, 16).max() == 15
    np.testing.assert_array_equal(read_image(path), found)  # by itself, it is a data set of one


def test_photographs_of_fewer_bits_are_refused_until_that_is_said(tmp_path: Path):
    path = saved(tmp_path / "a.png", ramp(4000))
    with pytest.raises(UserError, match=r"use 12 bits .*data\.bits=12"):
        choose_bits([path], None)
    assert choose_bits([path], 12) == 12
    assert choose_bits([path], 16) == 16
    with pytest.raises(UserError, match=r"a\.png .* up to 4000, .*data\.bits=10 is too low"):
        read_image(path, 10)


def test_a_file_that_cannot_be_read_is_left_to_who_reads_it(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert used_bits([tmp_path / "a.png"]) is None


@pytest.mark.parametrize(
    "stored",
    [
        {"photometric": "rgb"},
        {"photometric": "rgb", "byteorder": ">"},
        {"photometric": "rgb", "compression": "zlib", "predictor": True},
        {"photometric": "rgb", "tile": (16, 16)},
    ],
)
def test_colours_of_16_bits_are_read_from_every_kind_of_tiff(stored: dict[str, object], tmp_path: Path):
    values = ramp(4095, colours=True)
    tifffile.imwrite(tmp_path / "a.tif", values, **stored)  # type: ignore[arg-type]
    with open_image(tmp_path / "a.tif") as image:
        assert is_16_bit(image)
        np.testing.assert_array_equal(values_16_bit(tmp_path / "a.tif", image), values)


def test_colours_of_16_bits_that_lie_in_planes_are_refused_and_not_misread(tmp_path: Path):
    values = np.moveaxis(ramp(4095, colours=True), 2, 0).copy()
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", planarconfig="separate")
    with pytest.raises(UserError, match=r"a\.tif: .*save it as PNG"):
        read_image(tmp_path / "a.tif")


def test_where_white_is_0_it_is_white(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", 65535 - ramp(65535), photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], ramp(65535) >> 8)


@pytest.mark.parametrize("way", range(1, 9))
def test_a_tiff_of_16_bits_is_turned_by_its_tag_once(way: int, tmp_path: Path):
    values = np.random.default_rng(0).integers(0, 65536, (24, 32, 3)).astype(np.uint16)
    for name, stored in (("colour.tif", values), ("grey.tif", values[..., 0])):
        kind = "rgb" if stored.ndim == 3 else "minisblack"
        tifffile.imwrite(tmp_path / name, stored, photometric=kind, extratags=[(274, 3, 1, way, True)])
        meant = upright(stored, way) >> 8
        np.testing.assert_array_equal(
            read_image(tmp_path / name, 16), meant if stored.ndim == 3 else np.repeat(meant[..., None], 3, axis=2)
        )
