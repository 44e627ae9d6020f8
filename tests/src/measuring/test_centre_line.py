"""Centre lines of masks of any size, read in tiles."""

import cv2
import numpy as np
import pytest
from slow_rest import slow_rest

from src.data.files import UInt8Array
from src.measuring import centre_line
from src.measuring.centre_line import UP, find_centre_lines, without_pinholes
from src.measuring.cracks import measure


def network(height: int, width: int, seed: int) -> UInt8Array:
    """Cracks that branch, cross, and leave the mask."""
    random = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    for _ in range(8):
        way = np.cumsum(random.normal(0, 14, (40, 2)) + random.normal(0, 8, 2), axis=0) + random.uniform(0, width, 2)
        cv2.polylines(mask, [np.round(way).astype(np.int32)], False, 1, int(random.integers(1, 14)))
    return mask


@pytest.mark.parametrize("seed", range(4))
def test_tiles_give_what_the_whole_mask_gives(seed: int, monkeypatch: pytest.MonkeyPatch):
    mask = network(500, 600, seed)
    whole = measure(mask)
    monkeypatch.setattr(centre_line, "TILE", 150)
    tiled = measure(mask)
    assert [crack.area for crack in tiled] == [crack.area for crack in whole]
    assert [crack.length for crack in tiled] == pytest.approx([crack.length for crack in whole], rel=1e-3)
    assert [crack.at_border for crack in tiled] == [crack.at_border for crack in whole]
    assert [crack.junctions for crack in tiled] == [crack.junctions for crack in whole]


@pytest.mark.parametrize("seed", range(4))
def test_cracks_are_the_parts_that_touch_and_their_areas_are_their_pixels(seed: int, monkeypatch: pytest.MonkeyPatch):
    mask = network(300, 400, seed)
    mask[::37, ::41] ^= 1  # lone pixels and holes of one pixel
    monkeypatch.setattr(centre_line, "TILE", 64)
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    found = find_centre_lines(mask)
    assert len(np.unique(found.cracks)) == len(found.areas) == count - 1
    assert sorted(found.areas) == sorted(stats[1:, cv2.CC_STAT_AREA])


@pytest.mark.parametrize("tile", [16, 64])
def test_a_crack_beside_what_is_not_seen_is_at_the_border(tile: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(centre_line, "TILE", tile)
    mask, seen = np.zeros((64, 64), np.uint8), np.ones((64, 64), np.uint8)
    for top in (10, 20, 30):
        mask[top : top + 3, 5:50] = 1
    seen[:, 48:] = 0  # in the first two
    mask[20:33, 48:] = 0
    mask[30:33, 47] = 0  # a pixel away
    found = measure(mask, seen)
    assert sorted((crack.middle[1], crack.at_border) for crack in found) == [
        (pytest.approx(11.5, abs=0.5), True),
        (pytest.approx(21.5, abs=0.5), True),
        (pytest.approx(31.5, abs=0.5), False),
    ]
    assert not any(crack.at_border for crack in measure(mask))


def test_a_point_is_in_the_middle_of_a_crack_of_an_even_and_of_an_odd_width():
    for width in (4, 5):
        mask = np.zeros((20, 60), np.uint8)
        mask[8 : 8 + width, 5:55] = 1
        found = find_centre_lines(mask)
        middle = (found.points[:, 1] > 2 * UP * 10) & (found.points[:, 1] < 2 * UP * 20)
        assert np.abs((found.points[middle, 0] + 0.5) / UP - (8 + width / 2)).max() <= 0.25
        assert set(2 * found.half_widths[middle]) == {width}


def test_a_pinhole_is_filled_and_pavement_between_cracks_is_not():
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 5:55] = 1
    mask[18:21, 20:23] = 0  # 3 pixels in a crack of 20
    mask[13:27, 35:50] = 0  # 14 pixels between cracks of 3
    filled = without_pinholes(mask)
    assert filled[18:21, 20:23].all()
    assert not filled[13:27, 35:50].any()
    mask[10:30, 0] = mask[5:35, :4] = 1
    np.testing.assert_array_equal(without_pinholes(mask)[:, :4], mask[:, :4])


@pytest.mark.parametrize("width", slow_rest([90, 20, 200]))
def test_wide_cracks_are_measured_across_tiles_too(width: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(centre_line, "TILE", 150)
    monkeypatch.setattr(centre_line, "HALO", 16)
    mask = np.zeros((500, 700), np.uint8)
    mask[200 - width // 2 : 200 + width // 2, 20:680] = 1
    (crack,) = measure(mask)
    assert crack.length == pytest.approx(660, rel=0.02)
    assert crack.width_max == pytest.approx(width, abs=1.5)
    assert len(crack.lines) == 1


def test_an_empty_mask_has_no_centre_line():
    found = find_centre_lines(np.zeros((30, 40), np.uint8))
    assert len(found.points) == len(found.areas) == 0
    assert measure(np.zeros((30, 40), np.uint8)) == []


def test_a_full_mask_is_one_crack():
    (crack,) = measure(np.ones((30, 40), np.uint8))
    assert crack.area == 1200
    assert crack.at_border
