"""Finds photographs that share a piece of road, also rotated or at another scale.

SIFT features (Lowe 2004) of every picture are compared exactly with those of all others. Features that are much closer
than chance are matches. Where enough matches of a pair agree on one rotation, scale and shift (RANSAC), one picture is
registered on the other, and the whole overlap must agree (``agreement_z``). This last test decides: a logo or a date on
every photograph has enough matches, but its surroundings do not agree. (Features on areas that most photographs show at
the same position are removed before.)
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from src.cores import available_cores
from src.data.files import Float32Array, UInt8Array
from src.datasets.alike import agreement_z, texture

FEATURES = 300
"""Strongest features of a picture that are used."""
MANY = 1000
"""Pictures above which half as many features are used: the time grows with the square of both numbers."""
ENOUGH = 12
"""Pictures of one shape that are needed to find what most of them have in common."""
SAMPLE = 25
"""Pictures of one shape that are used for this, at most."""
COMMON = 1.2
"""Robust standard deviations of the median picture from its surroundings, from which most pictures show the same."""
DISTANCE = 0.6
"""Largest distance of two normalised descriptors that match."""
RATIO = 0.9
"""Largest distance of a match relative to that in the picture of rank ``CHANCE``."""
CHANCE = 3
"""Rank of the picture whose nearest feature counts as chance: above 1, as a place may be on several pictures."""
MATCHES = 5
"""Matches of a pair from which it is examined."""
PLACES = 4
"""Matches that must agree on one transform, in different cells of ``CELL`` pixels."""
CELL = 6
SHIFT = 4.0
"""Pixels by which a match may miss the transform."""
SAME = 2.0
"""Pixels within which a feature counts as being at the same position in both pictures."""
EVERYWHERE = 0.2
"""Share of the blocks that may agree less (``agreement_z``) if the transform moves nothing, as it is for text printed
on every photograph; otherwise half of them."""
SCALES = (0.4, 2.5)
"""Smallest and largest scale of a transform."""
SURE = 6.0
"""Standard deviations beyond chance (``agreement_z``) from which two pictures overlap."""
BLOCK = 8
"""Pictures that are compared with all others at a time."""

Matches = dict[tuple[int, int], set[tuple[int, int]]]


def overlapping(greys: Sequence[UInt8Array]) -> Iterator[tuple[int, int, float]]:
    """Pairs that share a piece of road, with the standard deviations of their agreement beyond chance."""
    places, descriptors = features(greys)
    if len(greys) < 2:
        return
    matches = matches_of(places, descriptors)
    found = [(pair, np.array(sorted(matches[pair]))) for pair in sorted(matches) if len(matches[pair]) >= MATCHES]

    def z_score_of(pair: tuple[int, int], rows: npt.NDArray[np.int64]) -> float:
        one, other = pair
        return registered_agreement(greys[one], greys[other], places[one][rows[:, 0]], places[other][rows[:, 1]])

    with ThreadPoolExecutor(available_cores()) as pool:
        for ((one, other), _), z_score in zip(found, pool.map(lambda one: z_score_of(*one), found), strict=True):
            if z_score >= SURE:
                yield one, other, z_score


def registered_agreement(one: UInt8Array, other: UInt8Array, here: Float32Array, there: Float32Array) -> float:
    """The z score of two pictures, registered by all their matches or, if that fails, by a part of them.

    The part are the matches that are not at the same position in both pictures, as those of a logo are.
    """
    moved = np.hypot(*(here - there).T) > SAME
    best = 0.0
    for which in (np.ones(len(here), bool), moved):
        matrix = fit_transform(here[which], there[which])
        if matrix is not None:
            still = one.shape == other.shape and float(np.abs(corner_shifts(one, matrix)).max()) <= SHIFT
            best = max(best, agreement_z(one, other, matrix, EVERYWHERE if still else 0.5))
        if best >= SURE or moved.all():
            break
    return best


def corner_shifts(picture: UInt8Array, matrix: Float32Array) -> Float32Array:
    """(4, 2): the displacement of the picture's corners."""
    height, width = picture.shape
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float32)
    return (corners @ matrix[:, :2].T + matrix[:, 2] - corners).astype(np.float32)


def fit_transform(here: Float32Array, there: Float32Array) -> Float32Array | None:
    """The rotation, scale and shift (2, 3) on which most matches agree; None if they are too few."""
    if len(here) < PLACES:
        return None
    cv2.setRNGSeed(0)
    matrix: Any
    matrix, inside = cv2.estimateAffinePartial2D(here, there, ransacReprojThreshold=SHIFT)
    if matrix is None or not SCALES[0] < np.hypot(matrix[0, 0], matrix[1, 0]) < SCALES[1]:
        return None
    agreeing = inside[:, 0] > 0
    cells = min(len(np.unique(points[agreeing] // CELL, axis=0)) for points in (here, there))
    return matrix.astype(np.float32) if cells >= PLACES else None


def features(greys: Sequence[UInt8Array]) -> tuple[list[Float32Array], Float32Array]:
    """The feature positions (x, y) of each picture, and the normalised descriptors of all (N, most features, 128).

    Pictures with fewer features are padded with zeros.
    """
    limit, own = FEATURES if len(greys) <= MANY else FEATURES // 2, distinctive_areas(greys)
    with ThreadPoolExecutor(available_cores()) as pool:
        found = list(pool.map(lambda grey: features_of(grey, limit, own.get(grey.shape)), greys))
    most = max((len(places) for places, _ in found), default=0)
    descriptors = np.zeros((len(greys), max(most, 1), 128), np.float32)
    for row, (_, its) in zip(descriptors, found, strict=True):
        row[: len(its)] = its
    return [places for places, _ in found], descriptors


def distinctive_areas(greys: Sequence[UInt8Array]) -> dict[tuple[int, ...], UInt8Array]:
    """By picture shape, a mask that is 0 where most pictures show the same, such as a date or a logo."""
    found: dict[tuple[int, ...], UInt8Array] = {}
    for shape in {grey.shape for grey in greys}:
        some = [grey for grey in greys if grey.shape == shape][:SAMPLE]
        if len(some) >= ENOUGH:
            middle = np.median(np.stack([texture(grey)[0] for grey in some]), axis=0)
            found[shape] = cv2.erode(
                (np.abs(middle) < COMMON).astype(np.uint8), np.ones((CELL, CELL), np.uint8)
            ).astype(np.uint8)
    return found


def features_of(
    grey: UInt8Array, limit: int = FEATURES, own: UInt8Array | None = None
) -> tuple[Float32Array, Float32Array]:
    """Feature positions and descriptors of one picture, where the mask ``own`` is not 0."""
    sift: Any = cv2.SIFT.create(nfeatures=limit, contrastThreshold=0.01)
    points, found = sift.detectAndCompute(grey, own)
    points, found = points[:limit], np.zeros((0, 128), np.float32) if found is None else found[:limit]
    places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    return places, found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


def matches_of(places: Sequence[Float32Array], descriptors: Float32Array) -> Matches:
    """By pair of pictures, the matches: (row in the first, row in the second)."""
    chance = min(CHANCE, len(descriptors) - 2)
    found: Matches = defaultdict(set)
    blocks = range(0, len(descriptors), BLOCK)
    with ThreadPoolExecutor(available_cores()) as pool:
        for first, (likeness, owners) in zip(
            blocks, pool.map(lambda one: nearest(descriptors, one), blocks), strict=True
        ):
            distances = np.sqrt(np.maximum(2 - 2 * likeness, 0))
            limit = DISTANCE * np.ones(distances.shape[:2])
            if chance > 0:
                limit = np.minimum(limit, RATIO * distances[:, :, chance])
            for one, row, rank in np.argwhere(distances[:, :, : max(chance, 1)] <= limit[:, :, None]).tolist():
                mine, its = first + one, int(owners[one, row, rank])
                there = int(np.argmax(descriptors[its] @ descriptors[mine, row]))
                found[min(mine, its), max(mine, its)].add((row, there) if mine < its else (there, row))
    return found


def nearest(descriptors: Float32Array, first: int) -> tuple[Float32Array, npt.NDArray[np.intp]]:
    """For each feature of a block of pictures, the nearest features of the other pictures, one of each picture.

    Returns their cosines and their pictures, both (block, most features, rank).
    """
    count, most, length = descriptors.shape
    mine = descriptors[first : first + BLOCK]
    rows = mine.reshape(-1, length)
    likeness = np.empty((len(rows), count), np.float32)
    for begin in range(0, count, 64):  # some hundred megabytes at a time
        theirs = descriptors[begin : begin + 64].reshape(-1, length)
        likeness[:, begin : begin + 64] = np.maximum.reduceat(rows @ theirs.T, np.arange(0, len(theirs), most), axis=1)
    likeness = likeness.reshape(len(mine), most, count)
    likeness[np.arange(len(mine)), :, np.arange(first, first + len(mine))] = -1.0
    ranks = np.argsort(-likeness, axis=2, kind="stable")[:, :, : CHANCE + 1]
    return np.take_along_axis(likeness, ranks, axis=2), ranks
