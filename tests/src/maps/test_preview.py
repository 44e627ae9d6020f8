"""Small pictures of large photographs."""

import numpy as np
import pytest

from src.maps import preview
from src.maps.preview import Preview

IMAGE = np.random.default_rng(0).integers(0, 256, (47, 91, 3), dtype=np.uint8)


def test_a_small_photograph_is_kept_as_it_is():
    small = Preview(IMAGE.shape)
    small.add(IMAGE, IMAGE[..., 0] % 2)
    np.testing.assert_array_equal(small.image, IMAGE)
    np.testing.assert_array_equal(small.mask, IMAGE[..., 0] % 2)


@pytest.mark.parametrize("portion", [1, 5, 47])
def test_of_a_large_one_every_nth_pixel_is_kept_and_no_crack_is_lost(portion: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(preview, "LARGEST", 30)
    mask = np.zeros((47, 91), np.uint8)
    mask[13, 17] = mask[46, 90] = 1
    small = Preview(IMAGE.shape)
    for top in range(0, 47, portion):
        small.add(IMAGE[top : top + portion], mask[top : top + portion])
    np.testing.assert_array_equal(small.image, IMAGE[::4, ::4])
    assert [tuple(place) for place in np.argwhere(small.mask)] == [(3, 4), (11, 22)]
