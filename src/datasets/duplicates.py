"""Which photographs show the same place: copies, overlapping or rotated crops, and tiles that touch.

Three signs (``copies``, ``overlaps``, ``touches``), each checked on pixels, so that asphalt which merely
looks alike is no sign. What is found is a property of the photographs, and the same for every order of them.
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
"""Pixels of the longer side, at which pictures are compared."""
STRONG = 8.0
"""Standard deviations beyond chance: a pair below them does not join groups by itself."""


@dataclass(frozen=True)
class Kin:
    """Two pictures, by number, that show the same place, and why that is said."""

    one: int
    other: int
    why: str
    sure: float = float("inf")
    """Standard deviations beyond chance."""


def find_kin(greys: Sequence[UInt8Array]) -> list[Kin]:
    """All pairs of grey pictures (H, W) that show the same place, and the first reason for each.

    Weak pairs that would join groups are left out (``without_chains``). Of copies one is compared with the rest.
    """
    order = sorted(range(len(greys)), key=lambda index: content(greys[index]))
    pictures = [greys[index] for index in order]
    same = [Kin(one, other, "the same picture") for one, other in copies(pictures)]
    labels = groups_of_kin(same, len(pictures))
    alone = [labels.index(label) for label in sorted(set(labels))]
    kept = [pictures[index] for index in alone]
    found = {(pair.one, pair.other): pair for pair in same}
    for why, pairs in (("overlap", overlapping(kept)), ("touch", touching(kept))):
        for first, second, sure in pairs:
            one, other = sorted((alone[first], alone[second]))
            if (one, other) not in found or found[one, other].sure < STRONG <= sure:
                found[one, other] = Kin(one, other, why, sure)
    named = (
        (*sorted((order[pair.one], order[pair.other])), pair)
        for pair in without_chains(list(found.values()), len(greys))
    )
    return sorted(
        (Kin(one, other, pair.why, pair.sure) for one, other, pair in named), key=lambda kin: (kin.one, kin.other)
    )


def without_chains(kin: Sequence[Kin], count: int) -> list[Kin]:
    """Leaves out the weak pairs by which groups would grow: a chain of them would soon hold the whole data set.

    What strong pairs join is a group. A weak pair between two of those counts if another one is between the same two,
    or if both are single photographs that no other weak pair names.
    """
    labels = groups_of_kin([pair for pair in kin if pair.sure >= STRONG], count)
    sizes = Counter(labels)
    weak = [pair for pair in kin if pair.sure < STRONG]
    between: dict[tuple[int, int], int] = Counter(ends(pair, labels) for pair in weak)
    named: dict[int, set[tuple[int, int]]] = defaultdict(set)
    for pair in weak:
        for label in ends(pair, labels):
            named[label].add(ends(pair, labels))

    def counts(pair: Kin) -> bool:
        one, other = ends(pair, labels)
        single = all(sizes[label] == 1 and len(named[label]) == 1 for label in (one, other))
        return one == other or between[one, other] > 1 or single

    return [pair for pair in kin if pair.sure >= STRONG or counts(pair)]


def ends(pair: Kin, labels: Sequence[int]) -> tuple[int, int]:
    """The two groups of a pair, the lower first."""
    one, other = labels[pair.one], labels[pair.other]
    return min(one, other), max(one, other)


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
