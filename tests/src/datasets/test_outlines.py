"""From masks to polygons and back."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.data.files import UInt8Array
from src.datasets.drawings import Drawing, fill_polygon
from src.datasets.outlines import parts_of, polygon_of, run_lengths
from src.datasets.run_lengths import mask_of


def filled(mask: UInt8Array, tolerance: float) -> UInt8Array:
    found = np.zeros_like(mask)
    for part in parts_of(mask):
        fill_polygon(polygon_of(part, tolerance).tolist(), found)
    return found


def cracks(seed: int) -> UInt8Array:
    """A mesh of cracks, with meshes of all sizes."""
    random = np.random.default_rng(seed)
    mask = np.zeros((90, 120), np.uint8)
    for _ in range(7):
        way = np.cumsum(random.normal(0, 9, (12, 2)), axis=0) + random.uniform(0, 100, 2)
        cv2.polylines(mask, [np.round(way).astype(np.int32)], False, 1, int(random.integers(1, 7)))
    return mask


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_without_tolerance_polygons_give_the_mask_back(seed: int):
    mask = cracks(seed)
    np.testing.assert_array_equal(filled(mask, 0), mask)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 1.0, 2.0]))
def test_with_tolerance_no_pixel_is_off_by_more(seed: int, tolerance: float):
    mask = np.pad(cracks(seed), 2)  # a border is as near as pavement
    off = filled(mask, tolerance) != mask
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    depth = np.where(mask > 0, inside, outside)[off]  # 1 is a pixel beside the border
    assert depth.max(initial=0) <= tolerance + 1 + 0.75  # half the diagonal of a pixel, by rounding


def test_a_tolerance_saves_corners():
    mask = cracks(3)
    corners = [sum(len(polygon_of(part, tolerance)) for part in parts_of(mask)) for tolerance in (0, 0.5, 1, 2)]
    assert corners == sorted(corners, reverse=True)
    assert corners[1] < corners[0] / 2


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_given_back_but_for_bridges_over_single_pixels(seed: int):
    mask = (np.random.default_rng(seed).random((30, 30)) < 0.6).astype(np.uint8)
    assert (filled(mask, 0) != mask).mean() < 0.01


@given(st.integers(0, 2**32 - 1))
def test_run_lengths_are_read_as_they_were_written(seed: int):
    random = np.random.default_rng(seed)
    mask = (random.random((7, 11)) < random.random()).astype(np.uint8)
    lengths = run_lengths(mask)
    np.testing.assert_array_equal(mask_of(lengths, 7, 11), mask)
    drawing = Drawing(None, 11, 7)  # type: ignore[arg-type]
    drawing.add_runs(lengths, 7, 11)
    np.testing.assert_array_equal(drawing.mask(), mask)


def test_an_empty_mask_has_no_part():
    assert parts_of(np.zeros((5, 5), np.uint8)) == []
