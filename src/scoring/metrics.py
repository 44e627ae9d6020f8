"""Computes all threshold metrics from one histogram per image: the probabilities of crack and of other pixels.

Probabilities are divided into 256 bins; bin ``k`` holds [k/256, (k+1)/256). With threshold number ``k``, a pixel is
crack if its probability is at least k/256, so number 128 is exactly the threshold 0.5. Histograms add up; they are
computed on the network's device and fetched once per epoch (4 KB per image).
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from src.rankable import RANKABLE, f1_parts, iou_parts

if TYPE_CHECKING:  # its import takes seconds, and reading counts does not need it
    from torch import Tensor

BINS = 256
HALF = BINS // 2

Int64Array = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


class Counts(NamedTuple):
    """Pixels at each of the 256 thresholds; leading axes, if any, are images."""

    tp: Int64Array
    fp: Int64Array
    fn: Int64Array
    tn: Int64Array


def probability_histogram(probs: "Tensor", masks: "Tensor") -> "Tensor":
    """(N, 2, 256) int64: pixels of each image per class (0 background, 1 crack) and probability bin.

    ``probs`` (N, 1, H, W) in [0, 1]; ``masks`` (N, 1, H, W) in {0, 1}. Counting integers without weights is exact and
    allowed in deterministic mode.
    """
    images = len(probs)
    bins = (probs.float() * BINS).long().clamp_(0, BINS - 1)
    import torch

    image = torch.arange(images, device=probs.device).view(-1, 1, 1, 1)
    flat = bins + BINS * (masks.long() + 2 * image)
    return torch.bincount(flat.flatten(), minlength=images * 2 * BINS).view(images, 2, BINS)


def threshold_counts(histogram: Int64Array) -> Counts:
    """Counts at every threshold of a histogram (..., 2, 256), or of one summed over images, (2, 256)."""
    above = np.flip(np.cumsum(np.flip(histogram, -1), -1), -1)
    total = above[..., :1]
    fp, tp = above[..., 0, :], above[..., 1, :]
    return Counts(tp=tp, fp=fp, fn=total[..., 1, :] - tp, tn=total[..., 0, :] - fp)


def iou(counts: Counts) -> FloatArray:
    """TP / (TP + FP + FN) of the crack class; 1 if there is neither a crack nor a predicted one."""
    return _ratio(*iou_parts(counts))


def f1(counts: Counts) -> FloatArray:
    """2 TP / (2 TP + FP + FN) of the crack class; 1 if there is neither a crack nor a predicted one."""
    return _ratio(*f1_parts(counts))


def precision(counts: Counts) -> FloatArray:
    """TP / (TP + FP); 1 if nothing is predicted."""
    return _ratio(counts.tp, counts.tp + counts.fp)


def recall(counts: Counts) -> FloatArray:
    """TP / (TP + FN); 1 if there is no crack."""
    return _ratio(counts.tp, counts.tp + counts.fn)


def miou_two_class(counts: Counts) -> FloatArray:
    """Mean IoU of crack and background, the "mIoU" of many papers; it is near 0.5 even if no crack is found."""
    return (iou(counts) + _ratio(counts.tn, counts.tn + counts.fp + counts.fn)) / 2


METRICS = {"iou": iou, "f1": f1, "precision": precision, "recall": recall, "miou_two_class": miou_two_class}


def best_threshold(histogram: Int64Array) -> int:
    """Number of the threshold with the best IoU over the data set, or the nearest to 0.5 of several. Use validation."""
    scores = iou(threshold_counts(histogram.sum(axis=0)))
    best = np.flatnonzero(scores == scores.max())
    return int(best[np.argmin(np.abs(best - HALF))])


def scores_at(histogram: Int64Array, threshold: int) -> dict[str, float]:
    """Scores of (N, 2, 256) at one threshold number.

    Those of ``METRICS`` are over all pixels of the split. ``iou_image`` is the mean of the images' own IoU; an image
    without crack scores 1 if no crack is predicted.
    """
    split = Counts(*(count[threshold : threshold + 1] for count in threshold_counts(histogram.sum(axis=0))))
    scores = {name: float(metric(split)[0]) for name, metric in METRICS.items()}
    return scores | {"iou_image": float(iou(threshold_counts(histogram))[:, threshold].mean())}


def curve(histogram: Int64Array) -> tuple[FloatArray, FloatArray]:
    """Precision and recall over all pixels at each of the 256 thresholds, of a histogram (N, 2, 256)."""
    counts = threshold_counts(histogram.sum(axis=0))
    return precision(counts), recall(counts)


def oracle_scores(histogram: Int64Array) -> dict[str, float]:
    """Scores whose threshold is chosen on the scored masks themselves: upper bounds, not results.

    ``ap`` is the area under the precision-recall curve over all pixels, as a sum of steps; ``ods`` is the F1 at the
    best threshold of the split; ``ois`` is the mean of the images' F1, each at its own best threshold. No tolerance.
    """
    precisions, recalls = curve(histogram)
    steps = np.diff(np.append(recalls, 0.0))
    images = f1(threshold_counts(histogram)).max(axis=1)
    split = f1(threshold_counts(histogram.sum(axis=0))).max()
    return {"ap": float(-(steps * precisions).sum()), "ods": float(split), "ois": float(images.mean())}


def validation_scores(histogram: Int64Array) -> dict[str, float]:
    """The metric keys of an epoch: scores at threshold 0.5, those of ``RANKABLE``, and the best threshold.

    Early epochs and different losses cannot be ranked at 0.5: there it measures calibration, not quality.
    """
    best = best_threshold(histogram)
    scores = {f"val/{name}": score for name, score in scores_at(histogram, HALF).items()}
    return scores | rankable_scores(histogram, best) | {"val/threshold": best / BINS}


def rankable_scores(histogram: Int64Array, best: int) -> dict[str, float]:
    """The value of every metric of ``RANKABLE``; ``best`` is the number of the best threshold."""
    images, split = threshold_counts(histogram), threshold_counts(histogram.sum(axis=0))
    scores: dict[str, float] = {}
    for name, metric in RANKABLE.items():
        number = best if metric.at_best_threshold else HALF
        counts = images if metric.mean_of_images else split
        scores[name] = float(_ratio(*metric.parts(counts))[..., number].mean())
    return scores


def rankable_parts(name: str, histogram: Int64Array, best: int) -> FloatArray:
    """(images, 2): what each image adds to numerator and denominator of a metric of ``RANKABLE``."""
    metric = RANKABLE[name]
    number = best if metric.at_best_threshold else HALF
    part, whole = (each[:, number] for each in metric.parts(threshold_counts(histogram)))
    if metric.mean_of_images:
        return np.stack([_ratio(part, whole), np.ones(len(whole))], axis=1)
    return np.stack([part, whole], axis=1).astype(np.float64)


def _ratio(part: Int64Array, whole: Int64Array) -> FloatArray:
    return np.divide(part, whole, out=np.ones(whole.shape, dtype=np.float64), where=whole > 0)
