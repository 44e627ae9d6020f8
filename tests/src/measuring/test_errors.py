"""What is wrong in a prediction."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.measuring.errors import WIDTHS, find_errors, sum_of


def scene() -> "np.ndarray[tuple[int, int], np.dtype[np.uint8]]":
    """A crack of 3 pixels and 100 pixels long, and one of 10 pixels and 60."""
    mask = np.zeros((120, 160), np.uint8)
    mask[20:23, 20:120] = 1
    mask[60:70, 20:80] = 1
    return mask


def test_a_prediction_that_is_right_has_no_error():
    found = find_errors(scene(), scene())
    assert (found.edge_pixels, found.missed_pixels, found.false_pixels) == (0, 0, 0)
    assert (found.missed_length, found.false_length, found.missed_cracks, found.false_cracks) == (0, 0, 0, 0)
    assert (found.cracks, found.predicted_cracks) == (2, 2)
    assert found.length == pytest.approx(found.predicted_length) == pytest.approx(160, rel=0.02)


def test_a_prediction_that_is_a_little_wider_errs_at_edges_alone():
    wider = cv2.dilate(scene(), np.ones((3, 3), np.uint8)).astype(np.uint8)
    for predicted, actual in ((wider, scene()), (scene(), wider)):
        found = find_errors(predicted, actual)
        assert found.edge_pixels == wider.sum() - scene().sum()
        assert (found.missed_pixels, found.false_pixels) == (0, 0)
        assert found.missed_length == found.false_length == 0


def test_what_is_missed_is_counted_by_its_width():
    predicted = scene()
    predicted[:40] = 0
    found = find_errors(predicted, scene())
    assert (found.missed_cracks, found.false_cracks) == (1, 0)
    assert found.missed_length == pytest.approx(100, rel=0.02)
    assert found.missed_pixels == 300
    rows = found.width_rows()
    assert [row[0] for row in rows] == ["0 to 2", "2 to 4", "4 to 8", "8 to 16", "over 16"]
    assert [row[3] for row in rows] == ["", 1.0, "", 0.0, ""]
    assert len(rows) == len(WIDTHS) + 1


def test_a_crack_that_is_none_is_false_and_half_a_crack_is_not_missed():
    predicted = scene()
    predicted[20:23, 60:120] = 0
    predicted[100:103, 20:100] = 1
    found = find_errors(predicted, scene())
    assert (found.missed_cracks, found.false_cracks, found.predicted_cracks) == (1, 1, 3)
    assert found.missed_length == pytest.approx(60, abs=4)
    assert found.false_length == pytest.approx(80, abs=2)
    assert found.false_pixels == 240
    predicted[20:23, 60:80] = 1
    assert find_errors(predicted, scene()).missed_cracks == 0


def test_errors_of_images_add_up():
    nothing = np.zeros_like(scene())
    one, other = find_errors(nothing, scene()), find_errors(scene(), nothing)
    both = sum_of([one, other])
    assert both.missed_pixels == both.false_pixels == scene().sum()
    assert both.cracks == both.missed_cracks == both.false_cracks == 2
    assert both.missed_length == pytest.approx(both.false_length)
    assert both.sentence() == (
        "wrong pixels: 0% at edges, 50% of missed cracks, 50% of false cracks; 100% of the length of cracks is missed, "
        "100% of the predicted length is false; 2 of 2 cracks are missed, 2 of 2 predicted ones are false"
    )
    assert set(both.row()) >= {"edge_pixels", "missed_length", "false_cracks"}


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_wrong_pixel_is_of_one_kind_and_no_more_is_missed_than_there_is(seed: int):
    random = np.random.default_rng(seed)
    predicted, actual = (
        cv2.dilate((random.random((40, 50)) < 0.01).astype(np.uint8), np.ones((1, 9), np.uint8)).astype(np.uint8)
        for _ in range(2)
    )
    found = find_errors(predicted, actual)
    assert found.edge_pixels + found.missed_pixels + found.false_pixels == (predicted != actual).sum()
    assert 0 <= found.missed_length <= found.length + 1e-6
    assert found.length_by_width.sum() == pytest.approx(found.length)
    assert found.missed_by_width.sum() == pytest.approx(found.missed_length)
