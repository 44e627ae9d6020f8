"""Lengths, widths and directions of cracks."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_rest import slow_rest

from benchmarks.drawn_cracks import KINDS, centre_lines, draw, draw_cracks, length_of, turned
from src.data.files import UInt8Array
from src.measuring.cracks import measure


def segment(angle: float, length: float = 100, width: float = 5) -> UInt8Array:
    line = np.stack([np.linspace(0, length, 300), np.zeros(300)], axis=1)
    return draw([turned(line, angle)], width)[0]


@pytest.mark.parametrize("width", slow_rest([1, 9, 3, 23, 2, 5, 14, 40], 2))
def test_drawn_cracks_have_their_length_and_their_width(width: float):
    errors = list[tuple[float, float]]()
    for drawn in draw_cracks(width, (0, 33, 90, 128)):
        (crack,) = measure(drawn.mask)
        errors.append((crack.length / drawn.length - 1, crack.width_mean - drawn.width))
        assert crack.width_max == pytest.approx(width, abs=1.5)
        assert len(crack.lines) == (3 if drawn.kind == "branched" else 1)
    lengths, widths = np.array(errors).T
    assert len(errors) == 4 * len(KINDS)
    assert np.abs(lengths).max() < 0.04
    assert abs(lengths.mean()) < 0.01
    assert np.abs(widths).mean() < 0.5


@settings(deadline=None, max_examples=40)
@given(st.floats(0, 180), st.floats(1.2, 12), st.floats(50, 120))
def test_a_straight_crack_of_any_angle_is_measured(angle: float, width: float, length: float):
    (crack,) = measure(segment(angle, length, width))
    assert crack.length == pytest.approx(length, abs=2.5)
    assert crack.width_mean == pytest.approx(width, abs=1.1)  # along the rows, all pixels are in or out
    direction, straightness = crack.direction
    assert abs((direction - angle + 90) % 180 - 90) < 6
    assert straightness > 0.9


def test_a_mask_that_is_turned_or_mirrored_has_the_same_measures():
    (drawn,) = (one for one in draw_cracks(7, (27,)) if one.kind == "branched")
    (straight,) = measure(drawn.mask)
    for turns in range(4):
        for mask in (np.rot90(drawn.mask, turns), np.rot90(drawn.mask[::-1], turns)):
            (crack,) = measure(np.ascontiguousarray(mask))
            assert crack.length == pytest.approx(straight.length, rel=0.01)
            assert crack.area == straight.area
            assert crack.width_mean == pytest.approx(straight.width_mean, rel=0.02)


def test_the_line_of_a_crack_reaches_from_end_to_end():
    (crack,) = measure(segment(0))
    (line,) = crack.lines
    rows, columns = np.nonzero(segment(0))
    assert sorted((line.points[0, 0], line.points[-1, 0])) == pytest.approx([columns.min(), columns.max() + 1], abs=0.6)
    assert line.points[:, 1] == pytest.approx((rows.min() + rows.max() + 1) / 2, abs=0.6)
    assert line.along[-1] == pytest.approx(line.length)


def test_a_pixel_alone_is_a_crack_of_one_pixel():
    mask = np.zeros((5, 5), np.uint8)
    mask[2, 3] = 1
    (crack,) = measure(mask)
    assert (crack.length, crack.width_mean, crack.area, crack.at_border) == (1, 1, 1, False)
    assert crack.middle == pytest.approx((3.5, 2.5), abs=0.5)


def test_a_crack_that_leaves_the_mask_is_measured_as_far_as_it_is_seen():
    mask = np.zeros((60, 100), np.uint8)
    mask[20:26] = 1
    (crack,) = measure(mask)
    assert crack.at_border
    assert crack.length == pytest.approx(100, abs=1)
    assert crack.width_mean == pytest.approx(6, abs=0.1)
    inner = np.pad(mask, 3)
    assert not measure(inner)[0].at_border


def test_meshes_are_counted():
    mask = np.zeros((100, 130), np.uint8)
    mask[10:90, 10:120] = 1
    for left in (14, 50, 86):
        mask[14:86, left : left + 30] = 0
    (crack,) = measure(mask)
    assert (crack.loops, crack.junctions, crack.free_ends) == (3, 4, 0)


def test_the_largest_width_is_that_of_a_crack_and_not_of_a_junction():
    cross = [turned(np.stack([np.linspace(-60, 60, 300), np.zeros(300)], axis=1), angle) for angle in (0, 45, 90, 135)]
    (crack,) = measure(draw(cross, 6)[0])
    assert crack.width_max == pytest.approx(6, abs=1.2)


def test_cracks_come_longest_first():
    mask = np.zeros((100, 200), np.uint8)
    for row, end in ((20, 40), (50, 150), (80, 90)):
        mask[row : row + 3, 10:end] = 1
    assert [crack.length for crack in measure(mask)] == pytest.approx([140, 80, 30], abs=1)


def test_the_direction_is_counted_counterclockwise_from_the_rows():
    mask = np.zeros((60, 60), np.uint8)
    for index in range(5, 55):
        mask[59 - index, index] = 1  # from the lower left to the upper right
    assert measure(mask)[0].direction[0] == pytest.approx(45, abs=1)
    assert length_of(centre_lines("straight", 2, 45)[0]) == pytest.approx(150)


BLOB = """
....#....
...###...
..#####..
.#######.
#########
########.
#######..
######...
##.......
"""
"""All of its centre line is drawn to its corners."""


def test_a_blob_is_as_long_as_wide():
    mask = np.array([[letter == "#" for letter in row] for row in BLOB.split()], np.uint8)
    (crack,) = measure(np.pad(mask, 8))
    assert crack.length == pytest.approx(6.4, abs=0.1)
    assert crack.width_max >= crack.width_mean >= crack.length


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_every_crack_of_any_shape_has_a_length_and_a_width(seed: int):
    random, mask = np.random.default_rng(seed), np.zeros((40, 48), np.uint8)
    for _ in range(random.integers(1, 5)):
        (x, y), axes = random.integers(5, 35, 2).tolist(), random.integers(1, 9, 2).tolist()
        cv2.ellipse(mask, (x + 4, y), axes, float(random.uniform(0, 180)), 0, 360, 1, -1)
    mask[random.random(mask.shape) < 0.01] ^= 1
    for crack in measure(mask):
        assert crack.length > 0
        assert crack.width_mean > 0
        assert crack.width_max >= crack.width_mean
        assert all(np.isfinite(line.points).all() for line in crack.lines)
