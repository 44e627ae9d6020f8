"""Metrics of a crack's course, which forgive what annotators disagree on: a pixel or two at the edge.

Each compares one image's predicted and true mask, (H, W) in {0, 1}, and gives four counts, which add up over a split.
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
    """Pixels of prediction and truth, and how many of each have a partner in the other."""

    predicted: int
    right: int
    """Predicted pixels that are right."""
    actual: int
    found: int
    """Actual pixels that are found."""

    def plus(self, other: "Matches") -> "Matches":
        return Matches(*(mine + its for mine, its in zip(self, other, strict=True)))

    def f1(self) -> float:
        """Harmonic mean of right / predicted and found / actual; each is 1 where there is nothing to be counted."""
        precision = self.right / self.predicted if self.predicted else 1.0
        recall = self.found / self.actual if self.actual else 1.0
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    def iou(self) -> float:
        """right / (predicted + actual pixels that are not found); 1 where there is neither."""
        union = self.predicted + self.actual - self.found
        return self.right / union if union else 1.0


def tolerant(predicted: UInt8Array, actual: UInt8Array, radius: float) -> Matches:
    """A pixel has a partner if one of the other mask is at most ``radius`` away."""
    return _within(predicted.view(bool), actual.view(bool), radius)


def centre_lines(predicted: UInt8Array, actual: UInt8Array) -> Matches:
    """Centre line of each mask against the other mask: clDice (Shit et al. 2021, eq. 1 and 2) is the F1 of it."""
    mine, its = predicted.view(bool), actual.view(bool)
    my_line, its_line = skeletonize(mine), skeletonize(its)
    right, found = my_line & its, its_line & mine
    return Matches(int(my_line.sum()), int(right.sum()), int(its_line.sum()), int(found.sum()))


def tolerant_centre_lines(predicted: UInt8Array, actual: UInt8Array, radius: float) -> Matches:
    """Centre line against centre line, with a tolerance: clIoU of OmniCrack30k (Benz and Rodehorst 2024)."""
    return _within(skeletonize(predicted.view(bool)), skeletonize(actual.view(bool)), radius)


Compare = Callable[[UInt8Array, UInt8Array], Matches]
SHAPE_METRICS: dict[str, tuple[Compare, Callable[[Matches], float]]] = {
    "f1_2px": (partial(tolerant, radius=2), Matches.f1),
    "f1_5px": (partial(tolerant, radius=5), Matches.f1),
    "cldice": (centre_lines, Matches.f1),
    "cliou_4px": (partial(tolerant_centre_lines, radius=4), Matches.iou),
}


def _within(mine: BoolArray, its: BoolArray, radius: float) -> Matches:
    right, found = _near(its, radius), _near(mine, radius)
    right &= mine
    found &= its
    return Matches(int(mine.sum()), int(right.sum()), int(its.sum()), int(found.sum()))


def _near(mask: BoolArray, radius: float) -> BoolArray:
    """Pixels at most ``radius`` from a pixel of the mask: dilation by a disc, which takes a byte a pixel."""
    steps = np.arange(-int(radius), int(radius) + 1)
    disc = (np.square(steps)[:, None] + np.square(steps) <= radius**2).astype(np.uint8)
    return cv2.dilate(mask.view(np.uint8), disc).view(bool)
