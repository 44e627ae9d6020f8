"""The centre line of one crack as a graph: branches between junctions and free ends, without spurs."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from src.measuring.centre_line import CentreLines, FloatArray, Int64Array

WINDOW = 9
"""Points of a centre line, half a pixel apart, over which its position is averaged: the steps of a staircase are not
length."""
SPUR = 1.5
"""A branch that ends within this many of its half widths from the edge of its crack is a spur, unless the crack goes
on through it."""
CORNER = 0.5
"""A centre line ends where its half width begins to fall by more than this in each pixel towards its free end: from
there it runs into a corner of the crack, and not along it."""
SMALLEST_LOOP = 8
"""Points of a closed line, at most, that is a single point."""


@dataclass(frozen=True)
class Branch:
    """A centre line between two nodes."""

    start: int
    end: int
    points: FloatArray
    """(K, 2): row and column in pixels; the corner of the mask is (0, 0), the centre of its first pixel (0.5, 0.5)."""
    half_widths: FloatArray
    """(K,) in pixels."""
    reaches: FloatArray
    """(K,) see ``CentreLines``."""

    def reversed(self) -> "Branch":
        return Branch(self.end, self.start, self.points[::-1], self.half_widths[::-1], self.reaches[::-1])

    def then(self, other: "Branch") -> "Branch":
        """This branch and one that begins where it ends."""
        mine, its = ((one.points, one.half_widths, one.reaches) for one in (self, other))
        joined = (np.concatenate([first, second[1:]]) for first, second in zip(mine, its, strict=True))
        return Branch(self.start, other.end, *joined)

    def until(self, count: int) -> "Branch":
        """The first points of this branch."""
        return Branch(self.start, self.end, self.points[:count], self.half_widths[:count], self.reaches[:count])


class Graph:
    """Branches by number, and the numbers of those at each node; a closed branch is at its node twice."""

    def __init__(self, branches: Iterable[Branch], node_half_widths: FloatArray) -> None:
        self.branches = dict[int, Branch]()
        self.at = defaultdict[int, list[int]](list)
        self.node_half_widths = node_half_widths
        self._count = 0
        for branch in branches:
            self.add(branch)

    def add(self, branch: Branch) -> None:
        self.branches[self._count] = branch
        for node in (branch.start, branch.end):
            self.at[node].append(self._count)
        self._count += 1

    def remove(self, number: int) -> Branch:
        branch = self.branches.pop(number)
        for node in (branch.start, branch.end):
            self.at[node].remove(number)
        return branch

    def degree(self, node: int) -> int:
        return len(self.at[node])

    def prune(self) -> None:
        """Remove spurs, which come from rough edges and from corners, until there are none.

        One that ends within its half width from the crack's edge is always a spur. One that ends within ``SPUR`` half
        widths is one if two other branches remain at its junction; the shortest goes first.
        """
        spurs = self._spurs()
        while spurs:
            nodes = {node for number in spurs for node in (self.branches[number].start, self.branches[number].end)}
            for number in spurs:
                self.remove(number)
            for node in nodes:
                self._join(node)
            spurs = self._spurs()

    def _spurs(self) -> list[int]:
        ending = defaultdict[int, list[tuple[float, int]]](list)
        for number, branch in self.branches.items():
            for free, junction in ((branch.start, branch.end), (branch.end, branch.start)):
                if self.degree(free) == 1 and self.degree(junction) >= 3:
                    outside = self._outside(branch if junction == branch.start else branch.reversed())
                    ending[junction].append((outside, number))
        found = list[int]()
        for junction, branches in ending.items():
            left = self.degree(junction)
            always = [number for outside, number in sorted(branches) if outside < 1]
            if len(always) == left:  # a blob: its longest way remains
                always = always[:-2]
            left -= len(always)
            short = [number for outside, number in sorted(branches) if 1 <= outside < SPUR]
            found += always + short[: max(0, left - 2)]
        return found

    def _outside(self, branch: Branch) -> float:
        """How far a branch ends from the disc of the junction at which it starts, in its own half widths."""
        reach = length_of(branch.points) + branch.half_widths[-1] - self.node_half_widths[branch.start]
        return float(reach / np.median(branch.half_widths))

    def _join(self, node: int) -> None:
        """Make one branch of the two that are left at a node."""
        if self.degree(node) != 2 or len(set(self.at[node])) == 1:
            return
        first, second = (self.remove(number) for number in tuple(self.at[node]))
        first = first if first.end == node else first.reversed()
        self.add(first.then(second if second.start == node else second.reversed()))


def smoothed(points: FloatArray) -> FloatArray:
    """The moving average of a line over ``WINDOW`` points, fewer near its ends, which stay where they are."""
    index = np.arange(len(points))
    reach = np.minimum(np.minimum(index, index[::-1]), WINDOW // 2)
    total = np.concatenate([np.zeros((1, 2)), np.cumsum(points, axis=0)])
    return (total[index + reach + 1] - total[index - reach]) / (2 * reach + 1)[:, None]


def steps_of(points: FloatArray) -> FloatArray:
    """(K - 1,) distances between the points of a smoothed line, in pixels."""
    return np.hypot(*np.diff(smoothed(points), axis=0).T)


def length_of(points: FloatArray) -> float:
    """Pixels."""
    return float(steps_of(points).sum())


def without_corner(branch: Branch) -> Branch:
    """A branch whose free end, its last point, is moved back from a corner of the crack, see ``CORNER``."""
    steps = steps_of(branch.points)
    left = np.concatenate([np.cumsum(steps[::-1])[::-1], [0]])
    return branch.until(int(np.argmax(branch.half_widths - CORNER * left)) + 1)


def build_graph(lines: CentreLines, part: Int64Array) -> Graph:
    """The graph of the crack of some thinned pixels; spurs are still in it."""
    half_widths, reaches, places = lines.half_widths[part], lines.reaches[part], lines.centres[part]
    near = neighbours(lines.points[part])
    nodes, node_of = find_nodes(near)
    found = ways(near, nodes, node_of)
    centres = np.array([places[members].mean(axis=0) for members in nodes])
    halves = np.array([half_widths[members].max() for members in nodes])
    branches = list[Branch]()
    for way in found:
        start, end = node_of[way[0]], node_of[way[-1]]
        before, after = ([node] if len(nodes[node]) > 1 else [] for node in (start, end))
        line = np.concatenate([centres[before], places[way], centres[after]])
        half, reach = (
            np.concatenate([halves[before], values[way], halves[after]]) for values in (half_widths, reaches)
        )
        branches.append(Branch(start, end, line, half, reach))
    return Graph(branches, halves)


def neighbours(points: Int64Array) -> list[list[int]]:
    """The neighbours of each thinned pixel; diagonal ones only where there is no way around the corner."""
    width = int(points[:, 1].max(initial=0)) + 3
    keys = (points[:, 0] * width + points[:, 1] + 1).tolist()
    number = {key: index for index, key in enumerate(keys)}
    near: list[list[int]] = [[] for _ in keys]
    for index, key in enumerate(keys):
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
            other = number.get(key + down * width + right)
            if other is None or (down and right and (key + width in number or key + right in number)):
                continue
            near[index].append(other)
            near[other].append(index)
    return near


def find_nodes(near: list[list[int]]) -> tuple[list[list[int]], list[int]]:
    """The pixels of each node, and the node of each pixel, -1 for none.

    A node is a free end, a pixel alone, or junction pixels that touch. A closed line gets one node.
    """
    node_of, nodes = [-1] * len(near), list[list[int]]()
    for pixel, around in enumerate(near):
        if len(around) == 2 or node_of[pixel] >= 0:
            continue
        members, open_ends = list[int](), [pixel]
        node_of[pixel] = len(nodes)
        while open_ends:
            members.append(open_ends.pop())
            if len(near[members[-1]]) < 3:
                continue
            for other in near[members[-1]]:
                if len(near[other]) >= 3 and node_of[other] < 0:
                    node_of[other] = len(nodes)
                    open_ends.append(other)
        nodes.append(members)
    return nodes, node_of


def ways(near: list[list[int]], nodes: list[list[int]], node_of: list[int]) -> list[list[int]]:
    """The pixels of each branch, from node to node; a pixel alone is one, too.

    A closed line gets a node, which is added to ``nodes`` and ``node_of``.
    """
    found, seen = list[list[int]](), set[int]()
    for pixel in (pixel for members in nodes for pixel in members):
        for first in near[pixel]:
            is_known = first in seen or node_of[first] == node_of[pixel]
            if is_known or (node_of[first] >= 0 and (node_of[first], first) < (node_of[pixel], pixel)):
                continue
            found.append(follow(near, node_of, [pixel, first]))
            seen.update(found[-1][1:-1])
        if not near[pixel]:
            found.append([pixel])
    for pixel in range(len(near)):
        if node_of[pixel] < 0 and pixel not in seen:
            node_of[pixel] = len(nodes)
            nodes.append([pixel])
            way = follow(near, node_of, [pixel, near[pixel][0]])
            seen.update(way)
            found.append(way if len(way) > SMALLEST_LOOP else [pixel])
    return found


def follow(near: list[list[int]], node_of: list[int], way: list[int]) -> list[int]:
    """Continue a way of two pixels to the next node."""
    while node_of[way[-1]] < 0:
        way.append(next(other for other in near[way[-1]] if other != way[-2]))
    return way
