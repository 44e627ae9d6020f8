"""Which photographs show the same place: copies, overlapping or rotated crops, and tiles that touch.

Three signs, each checked on pixels, so that asphalt which merely looks alike is no sign:

- the same picture, also turned, mirrored, resized or stored again: a perceptual hash of all eight positions, and then
  the correlation of the two pictures;
- the same piece of road in both: SIFT features (Lowe 2004) of one found in the other, all by one rotation, scale and
  shift (RANSAC);
- the border of one goes on in the border of the other, as in tiles that were cut without overlap: their outermost rows
  of pixels correlate.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from src.data.files import Float32Array, UInt8Array

SIDE = 640
"""Pixels of the longer side, at which pictures are compared."""
HASH_SIDE, HASH_BITS, HASH_AWAY = 32, 8, 10
"""Of the perceptual hash: pixels of the picture, and of its low frequencies; bits of 64 that copies may differ in."""
ROWS = 512
"""Hashes that are compared with all others at a time."""
COPY = 0.95
"""Correlation from which two pictures are the same."""
FEATURES, NEIGHBOURS = 300, 6
DISTANCE, RATIO = 0.6, 0.85
"""Of normalised descriptors: at most so far apart, and so much nearer than those of any third picture."""
PLACES, CELL = 8, 6
"""Matches of a pair that agree, counted once in so many pixels."""
SHIFT = 4.0
"""Pixels that an agreeing match may be off."""
TOUCH, BEYOND = 0.5, 6.0
"""Correlation of borders from which one goes on in the other, and how many standard deviations of all others' that must
be: short and smooth borders correlate by chance."""
LOWEST = 20.0
"""Pixels: slower changes of a border, such as a shadow, do not count."""


@dataclass(frozen=True)
class Kin:
    """Two pictures, by number, that show the same place, and why that is said."""

    one: int
    other: int
    why: str


def find_kin(greys: Sequence[UInt8Array]) -> list[Kin]:
    """All pairs of grey pictures (H, W) that show the same place, and the first reason for each."""
    if len(greys) < 2:
        return []
    found: dict[tuple[int, int], str] = {}
    signs = {"the same picture": copies, "overlap": overlapping, "touch": touching}
    for why, pairs_of in signs.items():
        for one, other in pairs_of(greys):
            found.setdefault((min(one, other), max(one, other)), why)
    return [Kin(one, other, why) for (one, other), why in sorted(found.items())]


def groups_of_kin(kin: Sequence[Kin], count: int) -> list[int]:
    """A group's number for each of ``count`` pictures: those that are kin, and theirs, have the same."""
    ones, others = ([getattr(pair, name) for pair in kin] for name in ("one", "other"))
    graph = coo_array((np.ones(len(kin)), (ones, others)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    return [int(label) for label in labels]


def grey_of(picture: UInt8Array, side: int = SIDE) -> UInt8Array:
    """RGB to grey, and at most ``side`` pixels long."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    factor = side / max(grey.shape)
    if factor < 1:
        grey = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return grey.astype(np.uint8, copy=False)


def copies(greys: Sequence[UInt8Array]) -> Iterator[tuple[int, int]]:
    """Pairs that are the same picture in one of its eight positions."""
    small = np.stack([cv2.resize(grey, (HASH_SIDE, HASH_SIDE), interpolation=cv2.INTER_AREA) for grey in greys])
    small = small.astype(np.float32)
    own = hashes(small)
    for turned in positions(small):
        its = hashes(turned)
        for first in range(0, len(own), ROWS):
            away = np.bitwise_count(own[first : first + ROWS, None] ^ its[None, :])
            for row, other in np.argwhere(away <= HASH_AWAY).tolist():
                one = first + row
                if one < other and correlation(small[one], turned[other]) >= COPY:
                    yield one, other


def positions(pictures: Float32Array) -> Iterator[Float32Array]:
    """(N, S, S) in all eight positions of a square."""
    for mirrored in (pictures, pictures[:, :, ::-1]):
        for quarters in range(4):
            yield np.rot90(mirrored, quarters, axes=(1, 2))


def hashes(pictures: Float32Array) -> npt.NDArray[np.uint64]:
    """(N,): 64 bits, which low frequencies are above their median (pHash; Zauner 2010)."""
    low = np.asarray(dctn(pictures, axes=(1, 2)))[:, :HASH_BITS, :HASH_BITS].reshape(len(pictures), -1)
    bits = np.packbits(low > np.median(low[:, 1:], axis=1, keepdims=True), axis=1)
    return np.ascontiguousarray(bits).view(np.uint64)[:, 0]


def correlation(one: Float32Array, other: Float32Array) -> float:
    """Of two pictures of one size; 0 if one of them is constant."""
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / scale if scale else 0.0


def touching(greys: Sequence[UInt8Array]) -> Iterator[tuple[int, int]]:
    """Pairs of which one's right or lower border goes on in the other's left or upper one."""
    for here, there in (((slice(None), -1), (slice(None), 0)), ((-1, slice(None)), (0, slice(None)))):
        lengths = np.array([len(grey[here]) for grey in greys])
        for length in np.unique(lengths):
            which = np.flatnonzero(lengths == length)
            ends, starts = (np.stack([border(greys[int(index)][place]) for index in which]) for place in (here, there))
            alike = ends @ starts.T
            spread = 1.4826 * float(np.median(np.abs(alike)))  # about 0; the median does not see those that touch
            for end, start in np.argwhere(alike >= max(TOUCH, BEYOND * spread)).tolist():
                if end != start:
                    yield int(which[end]), int(which[start])


def border(row: UInt8Array) -> Float32Array:
    """A row of pixels without its slow changes, of length 1; 0 if it is constant."""
    values = row.astype(np.float32)
    rough = values - cv2.GaussianBlur(values[None], (0, 0), LOWEST)[0]
    rough = rough - rough.mean()
    return (rough / (np.linalg.norm(rough) or 1.0)).astype(np.float32)


def overlapping(greys: Sequence[UInt8Array]) -> Iterator[tuple[int, int]]:
    """Pairs that have a piece of road in common, rotated or at another scale too."""
    places, descriptors = features(greys)
    starts = np.cumsum([0, *(len(found) for found in places)])
    if starts[-1] <= NEIGHBOURS:
        return
    for (one, other), matches in votes(descriptors, starts).items():
        if len(matches) < PLACES:
            continue
        rows = np.array(sorted(matches))
        if agreeing(places[one][rows[:, 0]], places[other][rows[:, 1]]) >= PLACES:
            yield one, other


def features(greys: Sequence[UInt8Array]) -> tuple[list[Float32Array], Float32Array]:
    """Each picture's places (x, y), and the descriptors of all, of length 1."""
    sift: Any = cv2.SIFT.create(nfeatures=FEATURES, contrastThreshold=0.01)
    places: list[Float32Array] = []
    descriptors: list[Float32Array] = [np.zeros((0, 128), np.float32)]
    for grey in greys:
        points, found = sift.detectAndCompute(grey, None)
        places.append(np.array([point.pt for point in points], np.float32).reshape(-1, 2))
        if len(points):
            descriptors.append(found)
    every = np.concatenate(descriptors)
    return places, every / np.maximum(np.linalg.norm(every, axis=1, keepdims=True), 1e-9)


def votes(descriptors: Float32Array, starts: npt.NDArray[np.int64]) -> dict[tuple[int, int], set[tuple[int, int]]]:
    """By pair of pictures: the matches (row in the first, row in the second) of features that are like no third's."""
    owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    cv2.setRNGSeed(0)
    matcher: Any = cv2.FlannBasedMatcher({"algorithm": 1, "trees": 4}, {"checks": 64})  # kd-trees
    matcher.add([descriptors])
    matcher.train()
    found: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for row, matches in enumerate(matcher.knnMatch(descriptors, k=NEIGHBOURS)):
        mine = owner[row]
        others = [match for match in matches if owner[match.trainIdx] != mine]
        if not others or others[0].distance > DISTANCE:
            continue
        best, its = others[0], owner[others[0].trainIdx]
        third = next((match.distance for match in others if owner[match.trainIdx] != its), None)
        if third is not None and best.distance > RATIO * third:
            continue
        here, there = int(row - starts[mine]), int(best.trainIdx - starts[its])
        key = (int(min(mine, its)), int(max(mine, its)))
        found.setdefault(key, set()).add((here, there) if mine < its else (there, here))
    return found


def agreeing(here: Float32Array, there: Float32Array) -> int:
    """How many different places of the first are where one rotation, scale and shift puts them in the second."""
    cv2.setRNGSeed(0)
    matrix: Any
    matrix, inside = cv2.estimateAffinePartial2D(here, there, ransacReprojThreshold=SHIFT)
    if matrix is None or not 0.4 < np.hypot(matrix[0, 0], matrix[1, 0]) < 2.5:
        return 0
    return len(np.unique(here[inside[:, 0] > 0] // CELL, axis=0))
