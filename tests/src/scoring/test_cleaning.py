"""Removing what is probably not crack."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.data.files import Float32Array
from src.scoring import cleaning
from src.scoring.cleaning import Cleaning, choose_cleaning, clean, cleaned_rows


def scene(seed: int) -> tuple[Float32Array, "np.ndarray[tuple[int, int], np.dtype[np.uint8]]"]:
    """A crack that is faint in its middle, and specks that are no crack."""
    random = np.random.default_rng(seed)
    probs = random.uniform(0, 0.1, (60, 80)).astype(np.float32)
    actual = np.zeros((60, 80), np.uint8)
    actual[30:33, 5:75] = 1
    probs[30:33, 5:75] = 0.9
    probs[30:33, 30:50] = 0.35
    for _ in range(12):
        row, column = random.integers(0, 25), random.integers(0, 78)
        probs[row : row + 2, column : column + 2] = 0.6
    return probs, actual


def test_faint_parts_of_a_crack_are_kept_and_specks_are_removed():
    found = choose_cleaning([scene(seed) for seed in range(4)], 0.5)
    assert found.low <= 0.35
    assert found.high > 0.5 or found.smallest > 4
    assert found.gain > 0.1
    probs, actual = scene(9)
    levels = found.levels(probs)
    clean(levels, found.smallest)
    np.testing.assert_array_equal(levels, actual)


def test_where_nothing_is_to_be_gained_the_threshold_remains():
    perfect = [(actual.astype(np.float32), actual) for _, actual in map(scene, range(2))]
    assert choose_cleaning(perfect, 0.4) == Cleaning(0.4, 0.4, 0)
    assert choose_cleaning([], 0.4) == Cleaning(0.4, 0.4, 0)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_threshold_alone_is_that_threshold(seed: int):
    probs = np.random.default_rng(seed).random((13, 17)).astype(np.float32)
    levels = Cleaning(0.6, 0.6, 0).levels(probs)
    clean(levels, 0)
    np.testing.assert_array_equal(levels, probs >= 0.6)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_strips_of_any_size_give_the_same_mask(seed: int, strip: int):
    random = np.random.default_rng(seed)
    levels = random.integers(0, 3, (23, 19)).astype(np.uint8)
    whole = levels.copy()
    clean(whole, 5)
    before = cleaning.STRIP
    try:
        cleaning.STRIP = strip
        np.testing.assert_array_equal(np.concatenate(list(cleaned_rows(levels, 5))), whole)
    finally:
        cleaning.STRIP = before
    assert ((whole == 1) <= (levels > 0)).all()


@pytest.mark.parametrize(
    "stored",
    [
        None,
        3,
        {},
        {"low": 0.5},
        {"low": 0.6, "high": 0.5, "smallest": 0},
        {"low": 0, "high": 1, "smallest": -1},
        {"a": 1},
    ],
)
def test_what_a_checkpoint_should_not_hold_counts_as_nothing(stored: object):
    assert Cleaning.read(stored) is None


def test_a_cleaning_is_read_as_it_was_stored():
    one = Cleaning(0.25, 0.5, 16, 0.01)
    assert Cleaning.read(one.as_plain()) == one
    assert str(one) == "low 0.250, high 0.500, smallest 16 pixels, +0.0100 IoU on validation"
