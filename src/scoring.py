"""A network's scores on a split: every image once, every metric asked for, over the split and for each image."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from torch import Tensor

from src.data.cache import load_split
from src.data.files import UInt8Array
from src.data.loader import scoring_loader
from src.inference import Network, refuse_views
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
    """Score ``evaluation.split`` at the threshold that validation chose for ``evaluation.tta``.

    ``on_image(stem, image, predicted, actual)`` is called for every image.
    """
    wanted = network.config.evaluation
    return score_split(network, wanted.split, choose_threshold(network, wanted.tta), on_image)


def choose_threshold(network: Network, tta: str) -> int:
    """The number of the threshold that validation chose; with views probabilities are others, so it is chosen anew."""
    if tta == "none":
        return round(network.threshold * BINS)
    return best_threshold(np.concatenate([counted for *_, counted in each_batch(network, "val", tta)]))


def each_batch(network: Network, split: str, tta: str) -> Iterator[tuple[Tensor, Tensor, Tensor, Int64Array]]:
    """A split's images (N, H, W, 3), masks (N, H, W), probabilities (N, H, W) on the CPU and histogram (N, 2, 256)."""
    refuse_views(tta, network.config.data.image_size)
    for images, masks in scoring_loader(network.config.data, split, network.device).epoch(0):
        probs = network.probs(images, tta)
        counted = probability_histogram(probs, masks.to(network.device)[:, None])
        yield images, masks, probs[:, 0].cpu(), counted.cpu().numpy().astype(np.int64)


def score_split(network: Network, split: str, threshold: int, on_image: OnImage | None = None) -> Scores:
    """Every image once through the network (in several views with ``evaluation.tta``), and all the metrics of it."""
    config = network.config
    names = config.evaluation.metrics
    data = config.data
    stems = load_split(data.root, split, data.image_size, data.cache_dir).stems
    histograms, matches = list[Int64Array](), list[dict[str, Matches]]()
    for images, masks, probs, counted in each_batch(network, split, config.evaluation.tta):
        histograms.append(counted)
        for image, actual, predicted in zip(images, masks, probs >= threshold / BINS, strict=True):
            pair = predicted.numpy().astype(np.uint8), actual.numpy()
            if on_image:
                on_image(stems[len(matches)], image.numpy(), *pair)
            matches.append(compare_shapes(names, *pair))
    histogram = np.concatenate(histograms)
    alone = [combine(names, histogram[[index]], [found], threshold) for index, found in enumerate(matches)]
    return Scores(stems, threshold, histogram, combine(names, histogram, matches, threshold), tuple(alone))


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
