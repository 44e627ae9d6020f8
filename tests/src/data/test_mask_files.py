"""The values of a mask as they lie in its file."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from geotiffs import UTM, write_geotiff
from PIL import Image

from src.data.mask_files import Stored, read_stored
from src.errors import UserError

CRACK = np.zeros((24, 32), np.uint8)
CRACK[10:13] = 1


@pytest.mark.parametrize("depth", [np.uint16, np.int32, np.float32])
@pytest.mark.parametrize("value", [1, 255, 40000])
def test_whole_numbers_of_any_depth_are_kept(depth: Any, value: int, tmp_path: Path):
    Image.fromarray((CRACK * np.array(value)).astype(depth)).save(tmp_path / "mask.tif")
    stored = read_stored(tmp_path / "mask.tif")
    np.testing.assert_array_equal(stored.values, CRACK.astype(int) * value)
    assert stored.full == (65535 if value == 40000 else 255)


def test_fractions_of_0_to_1_are_shares(tmp_path: Path):
    Image.fromarray((CRACK * 0.5).astype(np.float32)).save(tmp_path / "mask.tif")
    assert np.unique(read_stored(tmp_path / "mask.tif").values).tolist() == [0, 128]


@pytest.mark.parametrize(("value", "named"), [(np.nan, "nan or infinite"), (3.5, "fractions from 0 to 3.5")])
def test_what_no_mask_holds_is_refused(value: float, named: str, tmp_path: Path):
    values = np.zeros((8, 8), np.float32)
    values[2] = value
    Image.fromarray(values).save(tmp_path / "mask.tif")
    with pytest.raises(UserError, match=rf"mask\.tif: .*{named}"):
        read_stored(tmp_path / "mask.tif")


def test_small_numbers_in_colours_of_16_bits_are_kept(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "ids.png"), np.repeat(CRACK[..., None], 3, axis=2).astype(np.uint16))
    assert np.unique(read_stored(tmp_path / "ids.png").values).tolist() == [0, 1]
    cv2.imwrite(str(tmp_path / "white.png"), np.repeat(CRACK[..., None], 3, axis=2).astype(np.uint16) * 65535)
    assert np.unique(read_stored(tmp_path / "white.png").values).tolist() == [0, 255]


@pytest.mark.parametrize(
    ("values", "nodata", "crack", "hidden"),
    [
        ([0, 1, 255], 255, (), [255]),
        ([0, 1, 255], 255, (255,), []),
        ([0, 255], 0, (), []),
        ([0, 1, 2], 0, (), [0]),
        ([0, 1, 2, 3], 0, (), []),
        ([0, 255], 255, (1,), [255]),
        ([0, 1], 255, (), []),
        ([0, 1], None, (), []),
    ],
)
def test_nodata_is_neither_crack_nor_pavement(
    values: list[int], nodata: int | None, crack: tuple[int, ...], hidden: list[int]
):
    stored = Stored(np.array([values], np.uint8), False, nodata)
    found = stored.hidden(crack)
    assert ([] if found is None else stored.values[found].tolist()) == hidden
    assert set(np.unique(stored.shown(crack).values)) == set(values) - set(hidden)


def test_nodata_that_may_be_the_crack_is_refused():
    with pytest.raises(UserError, match="--crack-colour 255"):
        Stored(np.array([[0, 255]], np.uint8), False, 255).hidden()


def test_the_tag_of_nodata_is_read(tmp_path: Path):
    for nodata in (0, 255, None):
        path = write_geotiff(tmp_path / "a.tif", CRACK, nodata=nodata)
        assert read_stored(path).nodata == nodata
    assert read_stored(write_geotiff(tmp_path / "b.tif", CRACK.astype(np.float32), nodata=float("nan"))).nodata is None


@pytest.mark.parametrize("crs", [None, UTM])
def test_black_on_transparent_is_a_drawing_unless_it_lies_on_a_map(crs: str | None, tmp_path: Path):
    drawn = np.stack([CRACK * 0, CRACK * 255], axis=2).astype(np.uint8)
    values = read_stored(write_geotiff(tmp_path / "a.tif", drawn, crs, alpha="yes")).values
    assert bool(values.any()) == (crs is None)
