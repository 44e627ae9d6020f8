"""Masks that are read window by window."""

from pathlib import Path

import numpy as np
import pytest
from geotiffs import write_geotiff

from src.data.masks import UserRule
from src.errors import UserError
from src.maps.mask_file import MaskFile
from src.maps.raster import open_dataset

GREY = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
CRACK = (GREY > 200).astype(np.uint8)


def test_windows_of_a_mask_are_read_and_a_third_value_is_refused(tmp_path: Path):
    for level in (1, 255):
        with open_dataset(write_geotiff(tmp_path / "a.tif", CRACK * np.uint8(level))) as dataset:
            found = MaskFile(dataset, UserRule())
            np.testing.assert_array_equal(found[3:20, 30:100], CRACK[3:20, 30:100])
            np.testing.assert_array_equal(found[5:7], CRACK[5:7])
    with open_dataset(write_geotiff(tmp_path / "b.tif", GREY)) as dataset:
        with pytest.raises(UserError, match=r"b\.tif is not a mask: it has more than two values"):
            MaskFile(dataset, UserRule())[0:40, 0:60]
        with pytest.raises(UserError, match="--crack-colour 255,0,0"):
            MaskFile(dataset, UserRule(((255, 0, 0),)))


def test_the_user_says_which_values_are_crack(tmp_path: Path):
    with open_dataset(write_geotiff(tmp_path / "a.tif", GREY)) as dataset:
        for rule, crack in (
            (UserRule(above=200), GREY > 200),
            (UserRule(((7, 7, 7),)), GREY == 7),
            (UserRule(((7, 7, 7), (9, 9, 9))), (GREY == 7) | (GREY == 9)),
        ):
            np.testing.assert_array_equal(MaskFile(dataset, rule)[0:40], crack)


def test_nodata_is_no_crack_and_where_it_is_0_it_is_the_pavement(tmp_path: Path):
    holes = CRACK.copy()
    holes[:5] = 255
    with open_dataset(write_geotiff(tmp_path / "a.tif", holes, nodata=255)) as dataset:
        found = MaskFile(dataset, UserRule())
        np.testing.assert_array_equal(found[0:40], np.where(holes == 255, 0, CRACK))
        np.testing.assert_array_equal(found.seen[0:40], holes != 255)
    with open_dataset(write_geotiff(tmp_path / "b.tif", CRACK, nodata=0)) as dataset:
        found = MaskFile(dataset, UserRule())
        np.testing.assert_array_equal(found[0:40], CRACK)
        assert not found.seen
