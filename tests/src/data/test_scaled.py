"""Resizing row by row."""

import cv2
import numpy as np
import pytest

from src.data.scaled import Scaled

IMAGE = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (173, 240, 3), dtype=np.uint8), (0, 0), 1).astype(
    np.uint8
)


@pytest.mark.parametrize("size", [(87, 120), (100, 131), (173, 240), (50, 200), (300, 400), (346, 480)])
@pytest.mark.parametrize("portion", [7, 64, 1000])
def test_rows_are_those_of_the_whole_resized_at_once(size: tuple[int, int], portion: int):
    scaled = Scaled(IMAGE, size)
    found = np.concatenate([scaled[top : top + portion] for top in range(0, size[0], portion)])
    assert scaled.shape == found.shape == (*size, 3)
    by_area = size[0] * size[1] < IMAGE.shape[0] * IMAGE.shape[1]
    whole = cv2.resize(IMAGE, size[::-1], interpolation=cv2.INTER_AREA if by_area else cv2.INTER_LINEAR)
    if not by_area or size[0] <= IMAGE.shape[0]:
        assert np.abs(found.astype(int) - whole).max() <= (2 if by_area else 3)
