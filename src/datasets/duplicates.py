"""Finds photographs of the same place: copies, overlapping or rotated crops, and adjacent tiles.

There is one detector for each (``copies``, ``overlaps``, ``touches``). All of them compare pixels, so asphalt that only
looks similar is not reported. The result does not depend on the order of the photographs.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from src.data.files import UInt8Array
from src.datasets.copies import content, copies
from src.datasets.overlaps import overlapping
from src.datasets.touches import touching

SIDE = 640
"""Pixels of the longer side at which pictures are compared."""
STRONG = 8.0
"""Standard deviations beyond chance. A pair below this does not join two groups by itself."""


@dataclass(frozen=True)
class DuplicatePair:
    """Two pictures, by index, that show the same place, and the detector that found them."""

    one: int
    other: int
    reason: str
    z_score: float = float("inf")
    """Standard deviations beyond chance."""


def find_duplicates(greys: Sequence[UInt8Array]) -> list[DuplicatePair]:
    """All pairs of grey pictures (H, W) that show the same place, with the first reason for each.

    Weak pairs that would join groups are removed (``without_weak_chains``). Of several copies, only one is compared
    with the other pictures.
    """
    order = sorted(range(len(greys)), key=lambda index: content(greys[index]))
    pictures = [greys[index] for index in order]
    same = [DuplicatePair(one, other, "the same picture") for one, other in copies(pictures)]
    labels = label_groups(same, len(pictures))
    alone = [labels.index(label) for label in sorted(set(labels))]
    kept = [pictures[index] for index in alone]
    found = {(pair.one, pair.other): pair for pair in same}
    for reason, pairs in (("overlap", overlapping(kept)), ("touch", touching(kept))):
        for first, second, z_score in pairs:
            one, other = sorted((alone[first], alone[second]))
            if (one, other) not in found or found[one, other].z_score < STRONG <= z_score:
                found[one, other] = DuplicatePair(one, other, reason, z_score)
    named = (
        (*sorted((order[pair.one], order[pair.other])), pair)
        for pair in without_weak_chains(list(found.values()), len(greys))
    )
    return sorted(
        (DuplicatePair(one, other, pair.reason, pair.z_score) for one, other, pair in named),
        key=lambda pair: (pair.one, pair.other),
    )


def without_weak_chains(pairs: Sequence[DuplicatePair], count: int) -> list[DuplicatePair]:
    """Remove the weak pairs by which groups would grow: a chain of them would soon hold the whole data set.

    Strong pairs form the groups. A weak pair between two groups counts if another weak pair joins the same two groups,
    or if both are single photographs that are in no other weak pair.
    """
    labels = label_groups([pair for pair in pairs if pair.z_score >= STRONG], count)
    sizes = Counter(labels)
    weak = [pair for pair in pairs if pair.z_score < STRONG]
    between: dict[tuple[int, int], int] = Counter(groups_of_pair(pair, labels) for pair in weak)
    named: dict[int, set[tuple[int, int]]] = defaultdict(set)
    for pair in weak:
        for label in groups_of_pair(pair, labels):
            named[label].add(groups_of_pair(pair, labels))

    def counts(pair: DuplicatePair) -> bool:
        one, other = groups_of_pair(pair, labels)
        single = all(sizes[label] == 1 and len(named[label]) == 1 for label in (one, other))
        return one == other or between[one, other] > 1 or single

    return [pair for pair in pairs if pair.z_score >= STRONG or counts(pair)]


def groups_of_pair(pair: DuplicatePair, labels: Sequence[int]) -> tuple[int, int]:
    """The labels of a pair's two groups, the lower one first."""
    one, other = labels[pair.one], labels[pair.other]
    return min(one, other), max(one, other)


def label_groups(pairs: Sequence[DuplicatePair], count: int) -> list[int]:
    """A label for each of ``count`` pictures: pictures that are linked by a chain of pairs have the same."""
    ones, others = ([getattr(pair, name) for pair in pairs] for name in ("one", "other"))
    graph = coo_array((np.ones(len(pairs)), (ones, others)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    return [int(label) for label in labels]


def grey_of(picture: UInt8Array, side: int = SIDE) -> UInt8Array:
    """Convert RGB to grey, shrunk to at most ``side`` pixels of the longer side."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    factor = side / max(grey.shape)
    if factor < 1:
        grey = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return grey.astype(np.uint8, copy=False)
