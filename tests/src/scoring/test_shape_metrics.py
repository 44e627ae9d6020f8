"""Metrics of a crack's course, held against slow and obvious ways to compute them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from src.data.files import UInt8Array
from src.scoring.shape_metrics import (
    SHAPE_METRICS,
    Matches,
    match_centre_lines,
    match_centre_lines_with_tolerance,
    match_with_tolerance,
)

masks = arrays(np.uint8, (7, 9), elements=st.integers(0, 1))


def line(row: int, height: int = 20, width: int = 20, thickness: int = 1) -> UInt8Array:
    mask = np.zeros((height, width), np.uint8)
    mask[row : row + thickness] = 1
    return mask


def near_by_hand(mine: UInt8Array, its: UInt8Array, radius: float) -> int:
    """Pixels of ``mine`` with one of ``its`` at most ``radius`` away, pixel by pixel."""
    points, others = np.argwhere(mine), np.argwhere(its)
    return sum(any(np.hypot(*(point - other)) <= radius for other in others) for point in points)


@given(masks, masks, st.sampled_from([1.0, 1.5, 2.0, 5.0]))
def test_a_pixel_is_right_if_the_other_mask_is_near(predicted: UInt8Array, actual: UInt8Array, radius: float):
    found = match_with_tolerance(predicted, actual, radius)
    assert found.predicted == predicted.sum()
    assert found.actual == actual.sum()
    assert found.true_predicted == near_by_hand(predicted, actual, radius)
    assert found.found_actual == near_by_hand(actual, predicted, radius)


@given(masks, masks)
def test_without_tolerance_the_f1_is_that_of_pixels(predicted: UInt8Array, actual: UInt8Array):
    both = int((predicted & actual).sum())
    total = int(predicted.sum() + actual.sum())
    if total:
        assert match_with_tolerance(predicted, actual, 0).f1() == pytest.approx(2 * both / total)


def test_a_line_two_pixels_off_is_right_at_two_pixels_and_wrong_below():
    assert match_with_tolerance(line(5), line(7), 2).f1() == 1
    assert match_with_tolerance(line(5), line(7), 1).f1() == 0


@pytest.mark.parametrize("name", SHAPE_METRICS)
def test_an_empty_image_left_empty_scores_one_and_a_missed_or_made_up_crack_zero(name: str):
    compare, reduce = SHAPE_METRICS[name]
    empty = np.zeros((20, 20), np.uint8)
    assert reduce(compare(empty, empty)) == 1
    assert reduce(compare(empty, line(5))) == 0
    assert reduce(compare(line(5), empty)) == 0
    assert reduce(compare(line(5), line(5))) == 1


def test_cldice_forgives_width_and_not_gaps():
    whole, broken = line(8, thickness=3), line(8, thickness=3)
    broken[:, 7:13] = 0
    assert match_centre_lines(line(7, thickness=5), whole).f1() > 0.9
    assert match_centre_lines(broken, whole).f1() < 0.85


def test_cliou_compares_centre_lines_within_the_tolerance():
    thick, thin = line(8, thickness=5), line(10)
    assert match_centre_lines_with_tolerance(thick, thin, 4).iou() == pytest.approx(
        1, abs=0.15
    )  # a skeleton loses its ends
    assert match_centre_lines_with_tolerance(line(3), line(10), 4).iou() == 0


def test_counts_of_images_add_up_before_a_ratio_is_taken():
    together = Matches(10, 9, 10, 9).plus(Matches(90, 9, 10, 1))
    assert together == Matches(100, 18, 20, 10)
    assert together.iou() == pytest.approx(18 / 110)
    assert together.f1() == pytest.approx(2 * 0.18 * 0.5 / 0.68)
