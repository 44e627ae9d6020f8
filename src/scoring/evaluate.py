"""A network's scores on a split: every image once, every metric asked for, over the split and for each image."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch

from src.data.cache import open_split
from src.data.files import UInt8Array
from src.data.loader import scoring_loader
from src.data.pairs import all_photographs, find_pairs
from src.data.reading import choose_reading
from src.scoring.inference import Network, refuse_views
from src.scoring.metrics import BINS, HALF, Int64Array, best_threshold, oracle_scores, probability_histogram, scores_at
from src.scoring.shape_metrics import SHAPE_METRICS, Matches

OnImage = Callable[["Seen"], None]


@dataclass(frozen=True)
class Scores:
    """A split's scores at one threshold."""

    stems: tuple[str, ...]
    threshold: int
    """Number of the threshold: ``threshold / 256`` is the probability. Validation chose it."""
    histogram: Int64Array
    """(images, 2, 256), see ``metrics``."""
    metrics: dict[str, float]
    """Those of ``evaluation.metrics``, over the split."""
    images: tuple[dict[str, float], ...]
    """The same for each image alone, where a metric has a value of one image."""


def evaluate(network: Network, on_image: OnImage | None = None) -> Scores:
    """Score ``evaluation.split`` at the threshold that validation chose for ``evaluation.tta``.

    ``on_image`` is called with every image, and may paint over its photograph.
    """
    wanted = network.config.evaluation
    return score_split(network, wanted.split, choose_threshold(network, wanted.tta), on_image)


def choose_threshold(network: Network, tta: str) -> int:
    """The number of the threshold that validation chose; with views probabilities are others, so it is chosen anew."""
    if tta == "none":
        return round(network.threshold * BINS)
    return best_threshold(np.stack([seen.histogram for seen in each_image(network, "val", tta, HALF)]))


@dataclass(frozen=True)
class Seen:
    """One image of a split and what the network makes of it."""

    stem: str
    image: UInt8Array
    """(H, W, 3) RGB"""
    actual: UInt8Array
    """(H, W) in {0, 1}"""
    predicted: UInt8Array
    """(H, W) in {0, 1}"""
    histogram: Int64Array
    """(2, 256)"""


def each_image(network: Network, split: str, tta: str, threshold: int) -> Iterator[Seen]:
    """A split's images in their order, at ``data.image_size`` or whole, as ``evaluation.resolution`` has it."""
    refuse_views(tta, network.config.data.image_size)
    if network.config.native:
        data = network.config.data
        pairs = find_pairs(data.root, split)
        reading = choose_reading([pair.mask for pair in pairs], all_photographs(data.root, pairs), data.bits)
        return (see_photograph(network, pair.image.stem, pair.read(reading), tta, threshold) for pair in pairs)
    return _each_resized(network, split, tta, threshold)


def see_photograph(
    network: Network, stem: str, sample: tuple[UInt8Array, UInt8Array], tta: str, threshold: int
) -> Seen:
    """A whole photograph, and its mask, at its own size, as ``src.predict`` sees it.

    Its probabilities are never there at once.
    """
    image, actual = sample
    predicted, histogram, top = np.empty_like(actual), np.zeros((2, BINS), np.int64), 0
    for probs in network.rows(image, tta, network.config.evaluation.overlap):
        rows = slice(top, top + len(probs))
        predicted[rows] = probs >= threshold / BINS
        counted = probability_histogram(torch.from_numpy(probs)[None, None], torch.from_numpy(actual[rows])[None, None])
        histogram, top = histogram + counted[0].numpy(), rows.stop
    return Seen(stem, image, actual, predicted, histogram)


def _each_resized(network: Network, split: str, tta: str, threshold: int) -> Iterator[Seen]:
    stems = iter(open_split(network.config.data, split).stems)
    for images, masks in scoring_loader(network.config, split, network.device).epoch(0):
        probs = network.probs(images, tta)
        counted = probability_histogram(probs, masks.to(network.device)[:, None]).cpu().numpy().astype(np.int64)
        predicted = (probs[:, 0].cpu() >= threshold / BINS).numpy().astype(np.uint8)
        for image, actual, found, histogram in zip(images.numpy(), masks.numpy(), predicted, counted, strict=True):
            yield Seen(next(stems), image, actual, found, histogram)


def score_split(network: Network, split: str, threshold: int, on_image: OnImage | None = None) -> Scores:
    """Every image once through the network (in several views with ``evaluation.tta``), and all the metrics of it."""
    config = network.config
    names = config.evaluation.metrics
    stems, histograms, matches = list[str](), list[Int64Array](), list[dict[str, Matches]]()
    for seen in each_image(network, split, config.evaluation.tta, threshold):
        stems.append(seen.stem)
        histograms.append(seen.histogram)
        predicted, actual = seen.predicted, seen.actual
        if on_image:
            on_image(seen)
        del seen  # a large photograph leaves no room for both
        matches.append(compare_shapes(names, predicted, actual))
    histogram = np.stack(histograms)
    alone = [combine(names, histogram[[index]], [found], threshold) for index, found in enumerate(matches)]
    return Scores(tuple(stems), threshold, histogram, combine(names, histogram, matches, threshold), tuple(alone))


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
