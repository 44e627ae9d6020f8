"""Tiles that were cut from one picture without overlap."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from src.data.files import UInt8Array
from src.datasets.touches import touching
from tests.src.datasets.test_alike import road

OTHERS = [road(seed) for seed in range(1, 6)]


def pairs(pictures: list[UInt8Array]) -> set[tuple[int, int]]:
    return {(one, other) for one, other, _ in touching(pictures)}


def test_tiles_that_touch_are_found_though_they_share_no_pixel():
    large = road(0, 400)[:200]
    left, right = large[:, :200], large[:, 200:]
    assert pairs([left, *OTHERS, right]) == {(0, 6)}
    assert pairs([left.T, *OTHERS, right.T]) == {(0, 6)}
    assert pairs([right, *OTHERS, left]) == {(6, 0)}


def line(grey: UInt8Array) -> None:
    grey[100:109] = 40


def lane(grey: UInt8Array) -> None:
    grey[60:110] = np.clip(grey[60:110] + 60.0, 0, 255).astype(np.uint8)


def shadow(grey: UInt8Array) -> None:
    grey[:90] = grey[:90] // 2


def paving(grey: UInt8Array) -> None:
    for begin in range(0, len(grey), 20):
        grey[begin : begin + 3] = 30


def frame(grey: UInt8Array) -> None:
    grey[:5] = grey[-5:] = 255
    grey[:, :5] = grey[:, -5:] = 255


@pytest.mark.parametrize("count", [2, 30])
@pytest.mark.parametrize("mark", [line, lane, shadow, paving, frame])
def test_what_meets_both_borders_at_one_height_makes_no_touch(mark: Callable[[UInt8Array], None], count: int):
    pictures = [road(seed) for seed in range(count)]
    for picture in pictures:
        mark(picture)
    assert pairs(pictures) == set()


def test_a_crack_through_both_does_not_hide_a_touch():
    large = road(0, 400)[:200].copy()
    line(large)
    assert pairs([large[:, :200], *OTHERS, large[:, 200:]]) == {(0, 6)}


def test_constant_and_tiny_pictures_have_no_borders():
    assert pairs([np.full((50, 50), 90, np.uint8)] * 2) == set()
    assert pairs([road(0, 9), road(0, 9)]) == set()


def test_noise_that_a_camera_adds_to_a_smooth_wall_is_no_border():
    random = np.random.default_rng(0)
    walls = [cv2.GaussianBlur(random.normal(120, 4, (200, 200)), (0, 0), 3) for _ in range(30)]
    assert pairs([np.clip(wall, 0, 255).astype(np.uint8) for wall in walls]) == set()
