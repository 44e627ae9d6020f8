"""Connected parts, tile by tile."""

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from src.scoring.components import Components


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9))
def test_tiles_give_the_parts_of_the_whole(seed: int, high: int, wide: int):
    random = np.random.default_rng(seed)
    mask = (random.random((17, 23)) < random.uniform(0.1, 0.9)).astype(np.uint8)
    other = (random.random(mask.shape) < 0.5).astype(np.uint8)
    parts = Components(mask.shape)
    numbers = np.zeros(mask.shape, np.int64)
    for top in range(0, 17, high):
        for left in range(0, 23, wide):
            tile = np.s_[top : top + high, left : left + wide]
            numbers[tile] = parts.add(mask[tile], (top, left), mask[tile], other[tile])
    final, (areas, others), at_border = parts.joined()
    count, whole = cv2.connectedComponents(mask, connectivity=8)
    found = final[numbers]
    assert ((found >= 0) == (mask > 0)).all()
    pairs = {(int(one), int(its)) for one, its in zip(found.ravel(), np.asarray(whole).ravel(), strict=True)}
    assert len(pairs) == len({one for one, _ in pairs}) == len({its for _, its in pairs})
    assert len(areas) == count - 1
    for number in range(count - 1):
        here = found == number
        assert areas[number] == here.sum()
        assert others[number] == (here & (other > 0)).sum()
        edge = here[0].any() or here[-1].any() or here[:, 0].any() or here[:, -1].any()
        assert at_border[number] == edge


def test_a_part_that_is_said_to_touch_the_border_does():
    mask = np.zeros((9, 20), np.uint8)
    mask[4, 2:8] = mask[4, 12:18] = 1
    parts = Components(mask.shape)
    numbers = parts.add(mask, (0, 0), mask)
    parts.at_border(numbers[4, 14:16])
    final, _, at_border = parts.joined()
    assert at_border[final[numbers[4, [3, 13]]]].tolist() == [False, True]
