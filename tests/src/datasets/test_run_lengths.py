"""Run-length encodings, as COCO's own tools define them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from src.datasets.run_lengths import lengths_of, mask_of


def runs(mask: np.ndarray) -> list[int]:
    """The definition: runs down the columns, the first one of zeros."""
    lengths, value = [0], 0
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            lengths.append(0)
            value = pixel
        lengths[-1] += 1
    return lengths


def packed(lengths: list[int]) -> str:
    """rleToString of COCO's maskApi.c."""
    text = ""
    for place, length in enumerate(lengths):
        rest = length - lengths[place - 2] if place > 2 else length
        more = True
        while more:
            bits = rest & 31
            rest >>= 5
            more = rest != -1 if bits & 16 else rest != 0
            text += chr((bits | 32 if more else bits) + 48)
    return text


masks = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(0, 1))


@given(masks)
def test_what_is_encoded_in_either_way_is_read_back_pixel_by_pixel(mask: np.ndarray):
    for stored in (runs(mask), packed(runs(mask))):
        np.testing.assert_array_equal(mask_of(lengths_of(stored), *mask.shape), mask)


@given(st.lists(st.integers(0, 2**27), max_size=12))
def test_lengths_of_any_size_are_read_back(lengths: list[int]):
    assert lengths_of(packed(lengths)) == lengths


def test_what_cocos_own_tools_write_is_read():
    mask = np.zeros((6, 7), np.uint8)
    mask[1:4, 2:5] = 1
    assert lengths_of("=33000;") == runs(mask) == [13, 3, 3, 3, 3, 3, 14]  # of pycocotools 2.0.11


@pytest.mark.parametrize("stored", [[-1, 5], "P", "a b", "é", "oooooooo1", [None], "OO"])
def test_what_is_no_encoding_is_an_error(stored: str | list[int]):
    with pytest.raises((ValueError, TypeError)):
        lengths_of(stored)
