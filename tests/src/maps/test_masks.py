"""Masks in memory and in windows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geotiffs import write_geotiff
from PIL import Image

from src.data.files import UInt8Array
from src.data.masks import MaskRule, UserRule
from src.errors import UserError
from src.maps import header
from src.maps.masks import AllSeen, MaskFile, ShownMask, open_mask
from src.maps.raster import open_dataset

GREY = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
CRACK = (GREY > 200).astype(np.uint8)
HOLES = CRACK.copy()
HOLES[:5] = 255


def opened(path: Path, rule: UserRule | None = None) -> tuple[UInt8Array, UInt8Array | None, bool]:
    """Crack, what is seen, and whether there is a map."""
    with open_mask(path, MaskRule(rule or UserRule())) as mask:
        return mask.values[:], None if mask.seen is None else mask.seen[:], mask.place is not None


@pytest.mark.parametrize("large", [False, True])
def test_a_mask_is_the_same_in_memory_and_in_windows(large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write_geotiff(tmp_path / "a.tif", CRACK * np.uint8(255))
    Image.fromarray(CRACK * np.uint8(255)).save(tmp_path / "a.png")
    monkeypatch.setattr(header, "MAX_PIXELS", 100 if large else 10_000)
    for name, placed in (("a.tif", True), ("a.png", False)):
        with open_mask(tmp_path / name, MaskRule()) as mask:
            assert isinstance(mask.values, MaskFile) == large
            np.testing.assert_array_equal(mask.values[3:20, 30:100], CRACK[3:20, 30:100])
            assert mask.seen is None
            assert (mask.place is not None) == placed
    found, seen, _ = opened(write_geotiff(path, HOLES, nodata=255))
    np.testing.assert_array_equal(found, np.where(HOLES == 255, 0, CRACK))
    assert seen is not None
    np.testing.assert_array_equal(seen, HOLES != 255)


@pytest.mark.parametrize("large", [False, True])
def test_nodata_that_may_be_the_crack_is_refused_unless_the_user_says_it(
    large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(header, "MAX_PIXELS", 100 if large else 10_000)
    path = write_geotiff(tmp_path / "a.tif", CRACK * np.uint8(255), nodata=255)
    np.testing.assert_array_equal(opened(path, UserRule(((255, 255, 255),)))[0], CRACK)
    found, seen, _ = opened(path, UserRule(((1, 1, 1),)))
    assert not found.any()
    assert seen is not None
    np.testing.assert_array_equal(seen, CRACK == 0)
    if not large:
        with pytest.raises(UserError, match=r"a\.tif: its file calls 255 nodata.*--crack-colour 255"):
            opened(path)
        return
    with open_mask(path, MaskRule()) as mask:
        assert isinstance(mask.values, MaskFile)
        mask.values[0:40]
        with pytest.raises(UserError, match=r"a\.tif: its file calls 255 nodata.*--crack-colour 255"):
            mask.values.refuse_unclear()


@pytest.mark.parametrize("large", [False, True])
def test_nodata_0_is_the_pavement(large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(header, "MAX_PIXELS", 100 if large else 10_000)
    found, seen, _ = opened(write_geotiff(tmp_path / "a.tif", CRACK * np.uint8(255), nodata=0))
    np.testing.assert_array_equal(found, CRACK)
    assert seen is None


def test_nodata_0_beside_pavement_and_crack_is_nothing(tmp_path: Path):
    values = CRACK + 1
    values[:5] = 0
    for rule in (UserRule(), UserRule(((2, 2, 2),)), UserRule(above=1)):
        found, seen, _ = opened(write_geotiff(tmp_path / "a.tif", values, nodata=0), rule)
        np.testing.assert_array_equal(found, values == 2)
        assert seen is not None
        np.testing.assert_array_equal(seen, values > 0)


def test_what_a_file_masks_is_no_crack(tmp_path: Path):
    seen = np.ones((40, 60), np.uint8)
    seen[:, :20] = 0
    alpha = np.stack([CRACK * 255, seen * 255], axis=2).astype(np.uint8)
    empty = np.stack([CRACK * 0, seen * 255], axis=2).astype(np.uint8)
    for values, crack in ((alpha, CRACK & seen), (empty, np.zeros_like(CRACK))):
        path = write_geotiff(tmp_path / "a.tif", values, alpha="yes")
        found, shown, _ = opened(path)
        np.testing.assert_array_equal(found, crack)
        np.testing.assert_array_equal(shown, seen)


@pytest.mark.parametrize(
    ("values", "rule", "said", "more"),
    [
        (GREY, UserRule(), r"a\.tif is not a mask: it has more than two values", {}),
        (CRACK, UserRule(((255, 0, 0),)), "--crack-colour 255,0,0", {}),
        (np.stack([GREY] * 3, axis=2), UserRule(), r"a\.tif is not a mask: it has 3 bands", {}),
        (CRACK, UserRule(), r"a\.tif: its values stand for other colours", {"photometric": "miniswhite"}),
    ],
)
def test_a_large_mask_that_is_unclear_is_refused_by_name(
    values: UInt8Array, rule: UserRule, said: str, more: dict[str, Any], tmp_path: Path
):
    with (
        open_dataset(write_geotiff(tmp_path / "a.tif", values, **more)) as dataset,
        pytest.raises(UserError, match=said),
    ):
        MaskFile(dataset, rule)[0:40, 0:60]


def test_the_user_says_which_values_are_crack(tmp_path: Path):
    with open_dataset(write_geotiff(tmp_path / "a.tif", GREY)) as dataset:
        for rule, crack in (
            (UserRule(above=200), GREY > 200),
            (UserRule(((7, 7, 7),)), GREY == 7),
            (UserRule(((7, 7, 7), (9, 9, 9))), (GREY == 7) | (GREY == 9)),
        ):
            np.testing.assert_array_equal(MaskFile(dataset, rule)[0:40], crack)


def test_seen_is_what_all_show_and_crack_is_what_is_seen():
    rows, columns = np.ones((4, 6), np.uint8), np.ones((4, 6), np.uint8)
    rows[0], columns[:, 0] = 0, 0
    both = AllSeen([rows, columns])
    np.testing.assert_array_equal(both[0:2, 0:3], (rows & columns)[:2, :3])
    crack = ShownMask(np.ones((4, 6), np.uint8), both)
    assert crack.shape == (4, 6)
    np.testing.assert_array_equal(crack[:], rows & columns)
