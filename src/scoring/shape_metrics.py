"""Metrics of the course of cracks, which tolerate small differences at their edges, as between annotators.

Each compares the predicted and the true mask of an image, (H, W) in {0, 1}. Its four counts add up over a split.
Distances are Euclidean, in pixels of the scored image.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from skimage.morphology import skeletonize

from src.data.files import UInt8Array

BoolArray = npt.NDArray[np.bool_]


class Matches(NamedTuple):
    """Numbers of predicted and of actual pixels, and of those that have a partner in the other mask."""

    predicted: int
    true_predicted: int
    """Predicted pixels with a partner among the actual ones."""
    actual: int
    found_actual: int
    """Actual pixels with a partner among the predicted ones."""

    def plus(self, other: "Matches") -> "Matches":
        return Matches(*(mine + its for mine, its in zip(self, other, strict=True)))

    def f1(self) -> float:
        """Harmonic mean of true_predicted / predicted and found_actual / actual; each is 1 if its denominator is 0."""
        precision = self.true_predicted / self.predicted if self.predicted else 1.0
        recall = self.found_actual / self.actual if self.actual else 1.0
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    def iou(self) -> float:
        """true_predicted / (predicted + actual pixels that are not found); 1 if both masks are empty."""
        union = self.predicted + self.actual - self.found_actual
        return self.true_predicted / union if union else 1.0


def match_with_tolerance(predicted: UInt8Array, actual: UInt8Array, radius: float) -> Matches:
    """Count a pixel as matched if a pixel of the other mask is at most ``radius`` away."""
    return _within(predicted.view(bool), actual.view(bool), radius)


def match_centre_lines(predicted: UInt8Array, actual: UInt8Array) -> Matches:
    """Match the centre line of each mask with the other mask. Its F1 is clDice (Shit et al. 2021, eq. 1 and 2)."""
    mine, its = predicted.view(bool), actual.view(bool)
    my_line, its_line = skeletonize(mine), skeletonize(its)
    right, found = my_line & its, its_line & mine
    return Matches(int(my_line.sum()), int(right.sum()), int(its_line.sum()), int(found.sum()))


def match_centre_lines_with_tolerance(predicted: UInt8Array, actual: UInt8Array, radius: float) -> Matches:
    """Match the two centre lines with a tolerance. Its IoU is clIoU of OmniCrack30k (Benz and Rodehorst 2024)."""
    return _within(skeletonize(predicted.view(bool)), skeletonize(actual.view(bool)), radius)


Compare = Callable[[UInt8Array, UInt8Array], Matches]
SHAPE_METRICS: dict[str, tuple[Compare, Callable[[Matches], float]]] = {
    "f1_2px": (partial(match_with_tolerance, radius=2), Matches.f1),
    "f1_5px": (partial(match_with_tolerance, radius=5), Matches.f1),
    "cldice": (match_centre_lines, Matches.f1),
    "cliou_4px": (partial(match_centre_lines_with_tolerance, radius=4), Matches.iou),
}


def _within(mine: BoolArray, its: BoolArray, radius: float) -> Matches:
    right, found = _near(its, radius), _near(mine, radius)
    right &= mine
    found &= its
    return Matches(int(mine.sum()), int(right.sum()), int(its.sum()), int(found.sum()))


def _near(mask: BoolArray, radius: float) -> BoolArray:
    """Pixels at most ``radius`` from a pixel of the mask: dilation by a disc, which needs one byte per pixel."""
    steps = np.arange(-int(radius), int(radius) + 1)
    disc = (np.square(steps)[:, None] + np.square(steps) <= radius**2).astype(np.uint8)
    return cv2.dilate(mask.view(np.uint8), disc).view(bool)
