"""The metrics by which epochs, trials and configurations are ranked: higher is better.

A metric that is added to ``RANKABLE`` is computed in every epoch and legal in ``training.metric``, as the metric of a
sweep and for ``retrain-best --metric``. Its option ``training.metric=NAME`` is a file of two lines in
``configs/training/metric/``. A formula may use only what the histogram of an image gives: pixels counted at a
threshold (``src.scoring.metrics``), no distances between them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # numpy is not needed to look a name up
    from src.scoring.metrics import Counts, Int64Array


def iou_parts(counts: "Counts") -> "tuple[Int64Array, Int64Array]":
    """Numerator and denominator of TP / (TP + FP + FN)."""
    return counts.tp, counts.tp + counts.fp + counts.fn


def f1_parts(counts: "Counts") -> "tuple[Int64Array, Int64Array]":
    """Numerator and denominator of 2 TP / (2 TP + FP + FN)."""
    return 2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn


@dataclass(frozen=True)
class Rankable:
    """How a metric is computed from the counts of images."""

    parts: "Callable[[Counts], tuple[Int64Array, Int64Array]]"
    """Its numerator and denominator."""
    at_best_threshold: bool = False
    """At the threshold with the best IoU on the validation split; otherwise at 0.5."""
    mean_of_images: bool = False
    """The mean of the images' own ratios; otherwise one ratio over the pixels of the whole split."""


RANKABLE = {
    "val/iou_best": Rankable(iou_parts, at_best_threshold=True),
    "val/iou": Rankable(iou_parts),
    "val/iou_image": Rankable(iou_parts, mean_of_images=True),
    "val/f1": Rankable(f1_parts),
}
"""Metric key to its formula."""
