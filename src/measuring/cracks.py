"""The cracks of a mask with their measures, in pixels; what is drawn, listed and put into maps comes from here."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import atan2, hypot, pi
from statistics import fmean

import numpy as np

from src.data.files import Mask, Windows
from src.measuring.centre_line import UP, CentreLines, FloatArray, find_centre_lines
from src.measuring.graph import Branch, Graph, build_graph, length_of, smoothed, steps_of, without_corner

STEP = 0.75
"""Pixels of a centre line, at most, that has no direction: one step on the grid of half pixels."""


@dataclass(frozen=True)
class Line:
    """The centre line of a branch, from junction or free end to the next. At a free end it reaches the mask's edge."""

    points: FloatArray
    """(K, 2): x and y in pixels from the upper left corner of the mask."""
    widths: FloatArray
    """(K,) pixels."""
    length: float
    """Pixels."""
    inside: slice
    """The points that lie in no junction: there, the width is that of several cracks."""

    @property
    def along(self) -> FloatArray:
        """(K,) pixels along the line from its first point."""
        return np.concatenate([[0], np.cumsum(np.hypot(*np.diff(self.points, axis=0).T))])


@dataclass(frozen=True)
class Crack:
    """A part of the mask whose pixels touch, also diagonally."""

    lines: tuple[Line, ...]
    area: int
    """Pixels."""
    width_mean: float
    """Area divided by length, where what branches share at a junction is counted for each of them."""
    junctions: int
    free_ends: int
    at_border: bool
    """Whether it touches the border of the mask or mosaic, where it may go on: its length is that of the part seen."""

    @cached_property
    def length(self) -> float:
        """The sum of the lengths of all branches."""
        return sum(line.length for line in self.lines)

    @cached_property
    def width_max(self) -> float:
        """The largest width outside of junctions; of a speck, whose outline is rough, at least the mean."""
        widths = [line.widths[line.inside] for line in self.lines if len(line.widths[line.inside])]
        return max(self.width_mean, float(np.max(np.concatenate(widths or [line.widths for line in self.lines]))))

    @property
    def loops(self) -> int:
        """Meshes of the crack: parts of the pavement that it surrounds."""
        return len(self.lines) - self.junctions - self.free_ends + 1 if self.junctions else int(self.free_ends == 0)

    @cached_property
    def direction(self) -> tuple[float, float]:
        """Degrees from 0, along the rows, by 90, along the columns, to less than 180; and how straight it is.

        It is the mean over the length. 1 is a straight crack, 0 one that has no direction. The angle grows
        counterclockwise, as seen.
        """
        return mean_direction(self.lines)

    @property
    def middle(self) -> tuple[float, float]:
        """x and y of a point of the crack: halfway along its longest branch."""
        line = max(self.lines, key=lambda one: one.length)
        x, y = line.points[len(line.points) // 2]
        return float(x), float(y)


def measure(mask: Mask, seen: Windows | None = None) -> list[Crack]:
    """The cracks of a mask, the longest first; ``seen`` as for ``find_centre_lines``."""
    found = find_centre_lines(mask, seen)
    order = np.argsort(found.cracks, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(found.cracks[order])) + 1) if len(order) else []
    cracks = [crack_of(found, part) for part in parts]
    return sorted(cracks, key=lambda crack: -crack.length)


def crack_of(found: CentreLines, part: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Crack:
    """Measure the crack of these points."""
    graph = build_graph(found, part)
    graph.prune()
    number = int(found.cracks[part[0]])
    degrees = {node: len(numbers) for node, numbers in graph.at.items() if numbers}
    lines = tuple(line_of(branch, graph) for branch in graph.branches.values())
    half = {number: float(np.median(branch.half_widths)) for number, branch in graph.branches.items()}
    # where three branches meet, the last one begins in the middle of the others and shares half a square with them
    shared = sum(
        (len(here) - 2) * 2 * fmean(half[one] for one in here) ** 2 for here in graph.at.values() if len(here) > 2
    )
    area = int(found.areas[number])
    return Crack(
        lines=lines,
        area=area,
        width_mean=float((area + shared) / sum(line.length for line in lines)),
        junctions=sum(degree > 2 for degree in degrees.values()),
        free_ends=sum(degree == 1 for degree in degrees.values()),
        at_border=bool(found.at_border[number]),
    )


def line_of(branch: Branch, graph: Graph) -> Line:
    """The smoothed line of a branch, continued at free ends to the edge of the crack."""
    free = [graph.degree(node) == 1 for node in (branch.start, branch.end)]
    if len(branch.points) == 1 or (all(free) and length_of(branch.points) <= STEP):
        return dot(branch)
    whole = branch
    branch = without_corner(branch) if free[1] else branch
    branch = without_corner(branch.reversed()).reversed() if free[0] else branch
    if all(free) and length_of(branch.points) <= STEP:
        return dot(whole)  # a blob, whose corners lie on its centre line
    junction = [0.0 if graph.degree(node) < 3 else graph.node_half_widths[node] for node in (branch.start, branch.end)]
    along = np.concatenate([[0], np.cumsum(steps_of(branch.points))])
    first, last = np.searchsorted(along, junction[0]), np.searchsorted(along, along[-1] - junction[1], "right")
    points, widths = smoothed(branch.points), 2 * branch.half_widths
    before = [tip(points, branch.reaches[0])] if free[0] else []
    after = [tip(points[::-1], branch.reaches[-1])] if free[1] else []
    points = np.concatenate([*before, points, *after])
    widths = np.concatenate([widths[:1][: len(before)], widths, widths[-1:][: len(after)]])
    inside = slice(int(first) + len(before), int(last) + len(before))
    return Line(points[:, ::-1], widths, float(np.hypot(*np.diff(points, axis=0).T).sum()), inside)


def tip(points: FloatArray, reach: float) -> FloatArray:
    """(1, 2) where a line meets the edge of the crack beyond its first point: straight on, at distance ``reach``."""
    back = min(len(points) - 1, max(2, round(2 * reach * UP)))
    away = points[0] - points[back]
    return (points[0] + away / max(hypot(*away), 1e-9) * reach)[None]


def dot(branch: Branch) -> Line:
    """The line of a crack that is as long as wide: along its row, from edge to edge."""
    (y, x), half = branch.points.mean(axis=0), float(branch.half_widths.max())
    return Line(np.array([[x - half, y], [x + half, y]]), np.full(2, 2 * half), 2 * half, slice(0, 2))


def mean_direction(lines: Sequence[Line]) -> tuple[float, float]:
    """See ``Crack.direction``: angles are doubled, so that opposite directions are the same (Mardia and Jupp 2000)."""
    steps = np.concatenate([np.zeros((1, 2)), *(np.diff(line.points, axis=0) for line in lines)])
    lengths = np.hypot(*steps.T)
    doubled = 2 * np.arctan2(-steps[:, 1], steps[:, 0])  # rows grow downwards
    x, y = float((lengths * np.cos(doubled)).sum()), float((lengths * np.sin(doubled)).sum())
    return atan2(y, x) / 2 * 180 / pi % 180, hypot(x, y) / max(float(lengths.sum()), 1e-9)
