"""Scores a network on a split: the chosen metrics, over the split and for each image."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch

from src.data.cache import open_split
from src.data.files import Float32Array, UInt8Array
from src.data.loader import scoring_loader
from src.data.pairs import all_photographs, find_pairs
from src.data.reading import choose_rules
from src.scoring.cleaning import Cleaning, choose_cleaning, clean
from src.scoring.inference import Network, refuse_views
from src.scoring.metrics import BINS, HALF, Int64Array, best_threshold, oracle_scores, probability_histogram, scores_at
from src.scoring.shape_metrics import SHAPE_METRICS, Matches

OnImage = Callable[["ScoredImage"], None]


@dataclass(frozen=True)
class Scores:
    """A split's scores at one threshold."""

    stems: tuple[str, ...]
    threshold: int
    """Number of the threshold, chosen on validation; the probability is ``threshold / 256``."""
    histogram: Int64Array
    """(images, 2, 256), see ``metrics``."""
    metrics: dict[str, float]
    """The metrics of ``evaluation.metrics``, over the split."""
    images: tuple[dict[str, float], ...]
    """The same for each image alone."""
    cleaned: float | None = None
    """IoU over the split after the checkpoint's ``Cleaning``; None without one."""


def evaluate(network: Network, on_image: OnImage | None = None) -> Scores:
    """Score ``evaluation.split`` at the threshold that is best on validation with ``evaluation.tta``.

    ``on_image`` is called with every image and may draw on its photograph.
    """
    wanted = network.config.evaluation
    cleaning = network.cleaning if wanted.tta == "none" else None  # of other probabilities
    return score_split(network, wanted.split, choose_threshold(network, wanted.tta), on_image, cleaning)


def choose_threshold(network: Network, tta: str) -> int:
    """The number of the best threshold on validation.

    It is computed anew for ``tta`` and for the mean of several networks, which have other probabilities.
    """
    if tta == "none" and network.threshold is not None:
        return round(network.threshold * BINS)
    return best_threshold(np.stack([scored.histogram for scored in score_images(network, "val", tta, HALF)]))


@dataclass(frozen=True)
class ScoredImage:
    """One image of a split with the network's prediction."""

    stem: str
    image: UInt8Array
    """(H, W, 3) RGB"""
    actual: UInt8Array
    """(H, W) in {0, 1}"""
    predicted: UInt8Array
    """(H, W) in {0, 1}"""
    histogram: Int64Array
    """(2, 256)"""
    cleaned: UInt8Array | None = None
    """(H, W) in {0, 1}, after ``Cleaning``; None if it is not wanted."""


def find_cleaning(network: Network, tta: str, threshold: float) -> Cleaning:
    """The checkpoint's, or for other probabilities and thresholds the best on validation."""
    if network.cleaning and tta == "none" and threshold == network.threshold:
        return network.cleaning
    return choose_cleaning(probability_maps(network, "val", tta), threshold)


def probability_maps(network: Network, split: str, tta: str) -> Iterator[tuple[Float32Array, UInt8Array]]:
    """Probabilities (H, W) and mask (H, W) in {0, 1} of each image, at the size at which it is scored."""
    refuse_views(tta, network.config.data.image_size)
    if network.config.native:
        for _, (image, actual) in read_photographs(network, split):
            yield np.concatenate(list(network.rows(image, tta, network.config.evaluation.overlap))), actual
        return
    for images, masks in scoring_loader(network.config, split, network.device).epoch(0):
        yield from zip(network.probs(images, tta)[:, 0].cpu().numpy(), masks.numpy(), strict=True)


def read_photographs(network: Network, split: str) -> Iterator[tuple[str, tuple[UInt8Array, UInt8Array]]]:
    """Stem, photograph and mask at their own size."""
    data = network.config.data
    pairs = find_pairs(data.root, split)
    reading = choose_rules([pair.mask for pair in pairs], all_photographs(data.root, pairs), data.bits)
    return ((pair.image.stem, pair.read(reading)) for pair in pairs)


def score_images(
    network: Network, split: str, tta: str, threshold: int, cleaning: Cleaning | None = None
) -> Iterator[ScoredImage]:
    """Score a split's images in order, at ``data.image_size`` or as whole photographs (``evaluation.resolution``)."""
    refuse_views(tta, network.config.data.image_size)
    if network.config.native:
        found = read_photographs(network, split)
        return (score_photograph(network, *one, tta, threshold, cleaning) for one in found)
    return _score_resized(network, split, tta, threshold, cleaning)


def score_photograph(
    network: Network,
    stem: str,
    sample: tuple[UInt8Array, UInt8Array],
    tta: str,
    threshold: int,
    cleaning: Cleaning | None = None,
) -> ScoredImage:
    """Score a whole photograph at its own size, as ``src.predict`` does.

    It is predicted in bands, to save memory.
    """
    image, actual = sample
    predicted, histogram, top = np.empty_like(actual), np.zeros((2, BINS), np.int64), 0
    levels = np.empty_like(actual) if cleaning else None
    for probs in network.rows(image, tta, network.config.evaluation.overlap):
        rows = slice(top, top + len(probs))
        predicted[rows] = probs >= threshold / BINS
        if cleaning and levels is not None:
            levels[rows] = cleaning.levels(probs)
        counted = probability_histogram(torch.from_numpy(probs)[None, None], torch.from_numpy(actual[rows])[None, None])
        histogram, top = histogram + counted[0].numpy(), rows.stop
    if cleaning and levels is not None:
        clean(levels, cleaning.smallest / (network.scale[0] * network.scale[1]))
    return ScoredImage(stem, image, actual, predicted, histogram, levels)


def _score_resized(
    network: Network, split: str, tta: str, threshold: int, cleaning: Cleaning | None
) -> Iterator[ScoredImage]:
    stems = iter(open_split(network.config.data, split).stems)
    for images, masks in scoring_loader(network.config, split, network.device).epoch(0):
        probs = network.probs(images, tta)
        counted = probability_histogram(probs, masks.to(network.device)[:, None]).cpu().numpy().astype(np.int64)
        maps = probs[:, 0].cpu().numpy()
        predicted = (maps >= threshold / BINS).astype(np.uint8)
        cleaned = [cleaned_mask(one, cleaning) for one in maps]
        for scored in zip(images.numpy(), masks.numpy(), predicted, counted, cleaned, strict=True):
            yield ScoredImage(next(stems), *scored)


def cleaned_mask(probs: Float32Array, cleaning: Cleaning | None) -> UInt8Array | None:
    """The mask (H, W) in {0, 1} of probabilities at the scale of the network's images."""
    if cleaning is None:
        return None
    levels = cleaning.levels(probs)
    clean(levels, cleaning.smallest)
    return levels


def score_split(
    network: Network, split: str, threshold: int, on_image: OnImage | None = None, cleaning: Cleaning | None = None
) -> Scores:
    """Pass every image through the network once (in several views with ``evaluation.tta``) and compute all metrics."""
    config = network.config
    names = config.evaluation.metrics
    stems, histograms, matches = list[str](), list[Int64Array](), list[dict[str, Matches]]()
    hit, united = 0, 0
    for scored in score_images(network, split, config.evaluation.tta, threshold, cleaning):
        stems.append(scored.stem)
        histograms.append(scored.histogram)
        predicted, actual = scored.predicted, scored.actual
        if scored.cleaned is not None:
            hit += int((scored.cleaned & actual).sum())
            united += int((scored.cleaned | actual).sum())
        if on_image:
            on_image(scored)
        del scored  # frees the memory of a large photograph
        matches.append(compare_shapes(names, predicted, actual))
    histogram = np.stack(histograms)
    alone = [combine(names, histogram[[index]], [found], threshold) for index, found in enumerate(matches)]
    cleaned = None if cleaning is None else hit / united if united else 1.0
    return Scores(
        tuple(stems), threshold, histogram, combine(names, histogram, matches, threshold), tuple(alone), cleaned
    )


def compare_shapes(names: Sequence[str], predicted: UInt8Array, actual: UInt8Array) -> dict[str, Matches]:
    """The counts of one image for each shape metric among ``names``."""
    return {name: SHAPE_METRICS[name][0](predicted, actual) for name in names if name in SHAPE_METRICS}


def combine(
    names: Sequence[str], histogram: Int64Array, matches: Sequence[dict[str, Matches]], threshold: int
) -> dict[str, float]:
    """The named metrics over several images: counts are added up before a ratio is computed."""
    found = scores_at(histogram, threshold) | oracle_scores(histogram)
    for name in matches[0]:
        total = reduce(Matches.plus, (image[name] for image in matches))
        found[name] = SHAPE_METRICS[name][1](total)
    return {name: found[name] for name in names}
