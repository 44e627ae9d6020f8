"""A network's scores on a split: every image once, every metric asked for, over the split and for each image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from src.data.files import UInt8Array
from src.data.loader import scoring_loader
from src.inference import Network
from src.metrics import BINS, Int64Array, best_threshold, oracle_scores, probability_histogram, scores_at
from src.shape_metrics import SHAPE_METRICS, Matches

OnImage = Callable[[str, UInt8Array, UInt8Array, UInt8Array], None]


@dataclass(frozen=True)
class Scores:
    """A split's scores at one threshold."""

    stems: tuple[str, ...]
    threshold: int
    """Number of the threshold: ``threshold / 256`` is the probability. Validation chose it."""
    histogram: Int64Array
    """(images, 2, 256), see ``src.metrics``."""
    metrics: dict[str, float]
    """Those of ``evaluation.metrics``, over the split."""
    images: tuple[dict[str, float], ...]
    """The same for each image alone, where a metric has a value of one image."""


def evaluate(network: Network, on_image: OnImage | None = None) -> Scores:
    """Score ``evaluation.split`` at the threshold that validation chose.

    With test-time augmentation probabilities are others, so their threshold is chosen anew on the validation split.
    ``on_image(stem, image, predicted, actual)`` is called for every image.
    """
    threshold = round(network.threshold * BINS)
    if network.config.evaluation.tta != "none":
        threshold = best_threshold(score_split(network, "val", threshold).histogram)
    return score_split(network, network.config.evaluation.split, threshold, on_image)


def score_split(network: Network, split: str, threshold: int, on_image: OnImage | None = None) -> Scores:
    """Every image once through the network (in several views with ``evaluation.tta``), and all the metrics of it."""
    config = network.config
    loader = scoring_loader(config.data, split, network.device)
    stems = loader.dataset.split.stems
    histograms, matches = list[Int64Array](), list[dict[str, Matches]]()
    for images, masks in loader.epoch(0):
        probs = network.probs(images, config.evaluation.tta)
        counted = probability_histogram(probs, masks.to(network.device)[:, None])
        histograms.append(counted.cpu().numpy().astype(np.int64))
        for image, actual, predicted in zip(images, masks, (probs[:, 0] >= threshold / BINS).cpu(), strict=True):
            pair = predicted.numpy().astype(np.uint8), actual.numpy()
            if on_image:
                on_image(stems[len(matches)], image.numpy(), *pair)
            matches.append(compare_shapes(config.evaluation.metrics, *pair))
    histogram = np.concatenate(histograms)
    split_metrics = combine(config.evaluation.metrics, histogram, matches, threshold)
    alone = [
        combine(config.evaluation.metrics, histogram[index : index + 1], [found], threshold)
        for index, found in enumerate(matches)
    ]
    return Scores(stems, threshold, histogram, split_metrics, tuple(alone))


def compare_shapes(names: Sequence[str], predicted: UInt8Array, actual: UInt8Array) -> dict[str, Matches]:
    """One image's counts for those of the metrics that look at shapes."""
    return {name: SHAPE_METRICS[name][0](predicted, actual) for name in names if name in SHAPE_METRICS}


def combine(
    names: Sequence[str], histogram: Int64Array, matches: Sequence[dict[str, Matches]], threshold: int
) -> dict[str, float]:
    """The named metrics of some images together: counts are added up before a ratio is taken."""
    found = scores_at(histogram, threshold) | oracle_scores(histogram)
    for name in matches[0]:
        total = reduce(Matches.plus, (image[name] for image in matches))
        found[name] = SHAPE_METRICS[name][1](total)
    return {name: found[name] for name in names}
