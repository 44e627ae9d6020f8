"""How well a mask fits its photograph."""

import math

import numpy as np
import pytest

from src.data.files import UInt8Array
from src.datasets.mask_alignment import alignment_score


def road(seed: int = 0) -> tuple[UInt8Array, UInt8Array]:
    """A grainy photograph with a dark crack, and its mask."""
    random = np.random.default_rng(seed)
    image = random.normal(140, 15, (120, 160, 1)).repeat(3, axis=2)
    mask = np.zeros((120, 160), np.uint8)
    for column in range(10, 120):
        row = 30 + column // 3
        mask[row : row + 3, column] = 1
    image[mask == 1] -= 60
    return image.clip(0, 255).astype(np.uint8), mask


def test_a_mask_fits_its_own_photograph_and_not_anothers():
    image, mask = road()
    assert alignment_score(image, mask) > 5
    assert abs(alignment_score(image, np.roll(mask[:, ::-1], 31, axis=0))) < 3
    assert alignment_score(image, mask) > alignment_score(image, np.roll(mask, 6, axis=0))


@pytest.mark.parametrize("mask", [np.zeros((120, 160), np.uint8), np.ones((120, 160), np.uint8)])
def test_of_an_empty_and_of_a_full_mask_nothing_can_be_said(mask: UInt8Array):
    assert math.isnan(alignment_score(road()[0], mask))


def test_a_constant_photograph_is_darker_nowhere():
    assert alignment_score(np.full((120, 160, 3), 90, np.uint8), road()[1]) == 0
