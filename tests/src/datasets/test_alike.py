"""Whether a picture that is laid on another shows the same thing."""

import cv2
import numpy as np

from src.data.files import UInt8Array
from src.datasets.alike import agreement_z

STILL = np.eye(2, 3, dtype=np.float32)


def road(seed: int, side: int = 200) -> UInt8Array:
    """Asphalt of stones of several sizes."""
    random = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(random.normal(0, 1, (side, side)), (0, 0), sigma) * sigma for sigma in (0.7, 1.5)]
    return (128 + 50 * np.sum(layers, axis=0)).clip(0, 255).astype(np.uint8)


def test_a_piece_is_sure_where_it_lies_and_nowhere_else():
    large = road(0, 300)
    one, other = large[:200, :200], large[50:250, 60:260]
    matrix = np.array([[1, 0, -60], [0, 1, -50]], np.float32)
    assert agreement_z(one, other, matrix) > 15
    assert agreement_z(one, other, matrix + np.array([[0, 0, 20], [0, 0, 0]], np.float32)) < 3
    assert agreement_z(one, road(1), matrix) < 3


def test_which_of_two_is_the_larger_does_not_matter():
    small = cv2.resize(road(0), (120, 120), interpolation=cv2.INTER_AREA).astype(np.uint8)
    shrink = np.array([[0.6, 0, -0.2], [0, 0.6, -0.2]], np.float32)
    assert agreement_z(road(0), small, shrink) > 10
    assert agreement_z(small, road(0), cv2.invertAffineTransform(shrink).astype(np.float32)) > 10


def test_a_crack_and_a_logo_that_both_show_are_not_enough():
    pictures = [road(seed) for seed in (0, 1)]
    for picture in pictures:
        picture[90:97] = 20
        cv2.putText(picture, "SURVEY 7", (20, 180), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 3)
    assert agreement_z(pictures[0], pictures[1], STILL) < 3


def test_paving_that_repeats_itself_is_not_enough():
    pictures = [road(seed) // 8 + 100 for seed in (0, 1)]
    for picture in pictures:
        picture[::18] = picture[:, ::18] = 30
        picture[1::18] = picture[:, 1::18] = 30
    assert agreement_z(pictures[0], pictures[1], STILL) == 0


def test_too_little_in_common_says_nothing():
    assert agreement_z(road(0), road(0), np.array([[1, 0, 195], [0, 1, 195]], np.float32)) == 0
    assert agreement_z(road(0), road(0), np.array([[1, 0, 500], [0, 1, 0]], np.float32)) == 0
    assert agreement_z(np.full((90, 90), 80, np.uint8), np.full((90, 90), 80, np.uint8), STILL) == 0
