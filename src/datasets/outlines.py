"""Draws the outlines of a mask as polygons, for programs in which people correct them.

Corners are centres of pixels, as programs for labelling count them, and the line of a polygon belongs to it: filled by
``src.datasets.drawings``, polygons without tolerance give the mask back exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from src.data.files import UInt8Array

Corners = npt.NDArray[np.int64]
"""(K, 2): x and y."""


@dataclass
class Part:
    """The outline of a connected part of a mask, and those of its holes, through all of their pixels."""

    outline: Corners
    holes: list[Corners] = field(default_factory=list[Corners])


def parts_of(mask: UInt8Array) -> list[Part]:
    """The parts of a mask (H, W), crack where it is not 0, whose pixels touch, also diagonally."""
    found, tree = cv2.findContours((mask > 0).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    parts = dict[int, Part]()
    contours = [np.asarray(one, np.int64)[:, 0] for one in found]
    above = [] if not contours else np.asarray(tree)[0][:, 3].tolist()
    for index, (contour, parent) in enumerate(zip(contours, above, strict=True)):
        if parent < 0:
            parts[index] = Part(contour)
    for contour, parent in zip(contours, above, strict=True):
        if parent >= 0:
            parts[parent].holes.append(contour)
    return list(parts.values())


def polygon_of(part: Part, tolerance: float) -> Corners:
    """One polygon: its outline, with a bridge to each hole, around it, and back.

    A bridge is the shortest way to what has been joined so far, so it lies in the crack. Corners are left out where
    the line remains within ``tolerance`` pixels (Douglas and Peucker 1973).
    """
    ring, is_fixed = part.outline, np.zeros(len(part.outline), bool)
    holes = list(part.holes)
    while holes:
        tree = KDTree(ring)
        away = [tree.query(hole) for hole in holes]
        nearest = min(range(len(holes)), key=lambda index: float(np.min(away[index][0])))
        hole, (distances, places) = holes.pop(nearest), away[nearest]
        start = int(np.argmin(distances))
        at = int(np.asarray(places)[start])
        around = np.concatenate([hole[start:], hole[: start + 1]])
        ends = np.zeros(len(around), bool)
        ends[[0, -1]] = True
        is_fixed[at] = True
        ring = np.concatenate([ring[: at + 1], around, ring[at:]])
        is_fixed = np.concatenate([is_fixed[: at + 1], ends, is_fixed[at:]])
    return simplified(ring, np.flatnonzero(is_fixed), tolerance)


def simplified(ring: Corners, fixed: Sequence[int] | npt.NDArray[np.int64], tolerance: float) -> Corners:
    """A closed line with fewer corners; those at the indices ``fixed`` remain."""
    if tolerance <= 0 or len(ring) < 3:
        return ring
    first = int(fixed[0]) if len(fixed) else 0
    closed = np.concatenate([ring[first:], ring[: first + 1]])
    ends = [0, *(int(one) - first for one in fixed[1:]), len(ring)]
    return np.concatenate([fewer(closed[begin : end + 1], tolerance)[:-1] for begin, end in pairwise(ends)])


def fewer(line: Corners, tolerance: float) -> Corners:
    """An open line with fewer corners, whose ends remain."""
    if len(line) < 3:
        return line
    if (line[0] == line[-1]).all():  # the distance from its chord says nothing: two halves
        middle = int(np.argmax(np.abs(line - line[0]).sum(axis=1)))
        return np.concatenate([fewer(line[: middle + 1], tolerance)[:-1], fewer(line[middle:], tolerance)])
    return np.asarray(cv2.approxPolyDP(line.astype(np.int32), tolerance, closed=False), np.int64)[:, 0]


def run_lengths(mask: UInt8Array) -> list[int]:
    """COCO's uncompressed run lengths of a mask (H, W): alternating runs of 0 and 1 down its columns."""
    values = (mask > 0).T.ravel()
    changes = np.flatnonzero(np.diff(values)) + 1
    lengths = np.diff(np.concatenate([[0], changes, [values.size]])).tolist()
    return [0, *lengths] if values.size and values[0] else lengths
