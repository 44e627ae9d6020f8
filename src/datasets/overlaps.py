"""Which photographs have a piece of road in common, rotated or at another scale too.

SIFT features (Lowe 2004) of every picture are compared with those of all others, exactly. Those that are much nearer
than what is alike by chance are matches; where some of a pair's agree on one rotation, scale and shift (RANSAC), the
one picture is laid on the other, and must agree there everywhere (``alike``). That is what decides: a logo or a
date on every photograph has matches enough, and nothing around them agrees. (Features on what most photographs show at
the same place are left out before.)
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
from src.datasets.alike import alike, rough

FEATURES, MANY = 300, 1000
"""Of a picture at most, the strongest; half of them in sets of more than ``MANY`` pictures, whose time grows with the
square of both."""
ENOUGH, SAMPLE, COMMON = 12, 25, 1.2
"""Pictures of one shape from which on most of them tell what all have in common, at most so many, and by how many
robust standard deviations the middle one differs from what is around it."""
DISTANCE, RATIO, CHANCE = 0.6, 0.9, 3
"""Of normalised descriptors: how far a match may be, and how near beside the nearest in the ``CHANCE``-next picture (of
a few more, where a place is on several photographs)."""
MATCHES, PLACES, CELL = 5, 4, 6
"""Matches from which a pair is looked at, and how many of them must agree, counted once in so many pixels."""
SHIFT, SAME = 4.0, 2.0
"""Pixels that an agreeing match may be off, and by which one counts as lying at the same place in both pictures."""
EVERYWHERE = 0.2
"""Share of the blocks that may agree less (``alike``) where a picture is laid on the other without being moved, as
what is printed on every photograph lays it; elsewhere half of them.
"""
SCALES = (0.4, 2.5)
SURE = 6.0
"""Standard deviations beyond chance (``alike``) from which two pictures overlap."""
BLOCK = 8
"""Pictures that are compared with all others at a time."""

Matches = dict[tuple[int, int], set[tuple[int, int]]]


def overlapping(greys: Sequence[UInt8Array]) -> Iterator[tuple[int, int, float]]:
    """Pairs that have a piece of road in common, and by how many standard deviations that is beyond chance."""
    places, descriptors = features(greys)
    if len(greys) < 2:
        return
    matches = matches_of(places, descriptors)
    found = [(pair, np.array(sorted(matches[pair]))) for pair in sorted(matches) if len(matches[pair]) >= MATCHES]

    def sureness(pair: tuple[int, int], rows: npt.NDArray[np.int64]) -> float:
        one, other = pair
        return laid(greys[one], greys[other], places[one][rows[:, 0]], places[other][rows[:, 1]])

    with ThreadPoolExecutor(available_cores()) as pool:
        for ((one, other), _), sure in zip(found, pool.map(lambda one: sureness(*one), found), strict=True):
            if sure >= SURE:
                yield one, other, sure


def laid(one: UInt8Array, other: UInt8Array, here: Float32Array, there: Float32Array) -> float:
    """How sure it is that the pictures agree where the matches lay them; then where those lay them that are not at the
    same place in both, as a logo's are.
    """
    moved = np.hypot(*(here - there).T) > SAME
    best = 0.0
    for which in (np.ones(len(here), bool), moved):
        matrix = agreement(here[which], there[which])
        if matrix is not None:
            still = one.shape == other.shape and float(np.abs(moves(one, matrix)).max()) <= SHIFT
            best = max(best, alike(one, other, matrix, EVERYWHERE if still else 0.5))
        if best >= SURE or moved.all():
            break
    return best


def moves(picture: UInt8Array, matrix: Float32Array) -> Float32Array:
    """(4, 2): how far its corners are moved."""
    height, width = picture.shape
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float32)
    return (corners @ matrix[:, :2].T + matrix[:, 2] - corners).astype(np.float32)


def agreement(here: Float32Array, there: Float32Array) -> Float32Array | None:
    """The rotation, scale and shift (2, 3) that most matches agree on; None if they are too few."""
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
    """Each picture's places (x, y), and the descriptors of all (N, most places, 128), of length 1 or, where there are
    no more, 0.
    """
    limit, own = FEATURES if len(greys) <= MANY else FEATURES // 2, what_is_own(greys)
    with ThreadPoolExecutor(available_cores()) as pool:
        found = list(pool.map(lambda grey: features_of(grey, limit, own.get(grey.shape)), greys))
    most = max((len(places) for places, _ in found), default=0)
    descriptors = np.zeros((len(greys), max(most, 1), 128), np.float32)
    for row, (_, its) in zip(descriptors, found, strict=True):
        row[: len(its)] = its
    return [places for places, _ in found], descriptors


def what_is_own(greys: Sequence[UInt8Array]) -> dict[tuple[int, ...], UInt8Array]:
    """By shape of a picture: not 0 where most pictures differ, 0 where they show the same, as a date or a logo."""
    found: dict[tuple[int, ...], UInt8Array] = {}
    for shape in {grey.shape for grey in greys}:
        some = [grey for grey in greys if grey.shape == shape][:SAMPLE]
        if len(some) >= ENOUGH:
            middle = np.median(np.stack([rough(grey)[0] for grey in some]), axis=0)
            found[shape] = cv2.erode(
                (np.abs(middle) < COMMON).astype(np.uint8), np.ones((CELL, CELL), np.uint8)
            ).astype(np.uint8)
    return found


def features_of(
    grey: UInt8Array, limit: int = FEATURES, own: UInt8Array | None = None
) -> tuple[Float32Array, Float32Array]:
    """Places and descriptors of one picture, where it is its ``own``."""
    sift: Any = cv2.SIFT.create(nfeatures=limit, contrastThreshold=0.01)
    points, found = sift.detectAndCompute(grey, own)
    points, found = points[:limit], np.zeros((0, 128), np.float32) if found is None else found[:limit]
    places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    return places, found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


def matches_of(places: Sequence[Float32Array], descriptors: Float32Array) -> Matches:
    """By pair of pictures: the matches (row in the first, row in the second)."""
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
    """For each feature of a block of pictures (block, most places, rank): how near the nearest of other pictures'
    features are, as cosines, and in which pictures. Each picture counts with its nearest.
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
