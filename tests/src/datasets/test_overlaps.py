"""Photographs that have a piece of road in common."""

import cv2
import numpy as np

from src.data.files import UInt8Array
from src.datasets.overlaps import matches_of, overlapping
from tests.src.datasets.test_alike import road

OTHERS = [road(seed) for seed in range(1, 6)]


def pairs(pictures: list[UInt8Array]) -> set[tuple[int, int]]:
    return {(one, other) for one, other, _ in overlapping(pictures)}


def marked(grey: UInt8Array) -> UInt8Array:
    """With a date and a logo, where every photograph has them."""
    grey = grey.copy()
    cv2.putText(grey, "2024-05-17 MaskInfo 7", (5, 190), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 2)
    cv2.circle(grey, (160, 35), 22, 255, 3)
    return grey


def test_crops_that_overlap_are_found_also_rotated_and_at_another_scale():
    large = road(0, 500)
    turn = cv2.getRotationMatrix2D((300, 250), 30, 0.8)
    turned = cv2.warpAffine(large, turn, (500, 500))[150:350, 200:400].astype(np.uint8)
    found = pairs([large[100:350, 100:350], *OTHERS, large[200:450, 150:400], turned])
    assert found == {(0, 6), (0, 7), (6, 7)}


def test_two_photographs_alone_are_compared_too():
    large = road(0, 300)
    assert pairs([large[:200, :200], large[50:250, 60:260]]) == {(0, 1)}
    assert pairs([large[:200, :200], road(1)]) == set()
    assert pairs([large]) == pairs([]) == set()


def test_a_watermark_makes_no_overlap_and_hides_none():
    large = road(0, 300)
    pictures = [marked(grey) for grey in (large[:200, :200], *OTHERS, large[60:260, 50:250])]
    assert pairs(pictures) == {(0, 6)}
    assert pairs(pictures[:2]) == set()


def test_pictures_without_features_are_compared_with_nothing():
    assert pairs([np.full((50, 50), 90, np.uint8)] * 3) == set()


def test_a_match_is_the_nearest_feature_and_the_same_from_both_sides():
    random = np.random.default_rng(0)
    descriptors = random.normal(0, 1, (6, 5, 128)).astype(np.float32)
    descriptors[4, 2] = descriptors[1, 3] + random.normal(0, 0.05, 128)
    descriptors /= np.linalg.norm(descriptors, axis=2, keepdims=True)
    places = [np.zeros((5, 2), np.float32)] * 6
    assert matches_of(places, descriptors) == {(1, 4): {(3, 2)}}
    assert matches_of(places, descriptors[::-1].copy()) == {(1, 4): {(2, 3)}}
