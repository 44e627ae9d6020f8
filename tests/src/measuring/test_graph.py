"""Centre lines as graphs, without spurs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.data.files import UInt8Array
from src.measuring.centre_line import find_centre_lines
from src.measuring.graph import Branch, Graph, build_graph, length_of, smoothed, without_corner


def graph_of(mask: UInt8Array) -> Graph:
    found = find_centre_lines(mask)
    return build_graph(found, np.arange(len(found.points)))


def bar(height: int = 60, width: int = 120) -> UInt8Array:
    """A crack of 6 pixels along the middle row."""
    mask = np.zeros((height, width), np.uint8)
    mask[height // 2 - 3 : height // 2 + 3, 5 : width - 5] = 1
    return mask


def degrees(graph: Graph) -> list[int]:
    return sorted(len(numbers) for numbers in graph.at.values() if numbers)


def test_a_bump_is_no_branch_and_a_longer_one_is():
    for height, expected in ((2, [1, 1]), (25, [1, 1, 1, 3])):
        mask = bar()
        mask[27 - height : 27, 60:63] = 1
        graph = graph_of(mask)
        graph.prune()
        assert degrees(graph) == expected, height


def test_a_crossing_has_four_branches():
    mask = bar(120)
    mask[5:115, 57:63] = 1
    graph = graph_of(mask)
    graph.prune()
    assert degrees(graph) == [1, 1, 1, 1, 4]


def test_a_ring_is_one_closed_branch():
    rows, columns = np.mgrid[0:80, 0:80] - 40
    radius = np.hypot(rows, columns)
    graph = graph_of(((radius > 20) & (radius < 24)).astype(np.uint8))
    graph.prune()
    (branch,) = graph.branches.values()
    assert branch.start == branch.end
    assert length_of(branch.points) == pytest.approx(2 * np.pi * 22, rel=0.02)


def test_a_ring_with_a_tail_has_a_junction():
    rows, columns = np.mgrid[0:80, 0:120] - 40
    radius = np.hypot(rows, columns)
    mask = ((radius > 20) & (radius < 24)).astype(np.uint8)
    mask[38:42, 62:110] = 1
    graph = graph_of(mask)
    graph.prune()
    assert degrees(graph) == [1, 3]


def test_a_blob_keeps_one_way_through_it():
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 1
    graph = graph_of(mask)
    graph.prune()
    assert degrees(graph) in ([1, 1], [2])


def test_the_free_end_of_a_line_does_not_run_into_a_corner():
    points = np.array([[0.0, x] for x in range(0, 41)] + [[y, 40.0 + y] for y in range(1, 11)])
    half_widths = np.array([10.0] * 41 + [10.0 - y for y in range(1, 11)])
    ended = without_corner(Branch(0, 1, points, half_widths, half_widths))
    assert ended.points[-1] == pytest.approx([0, 40], abs=2)
    even = Branch(0, 1, points[:41], half_widths[:41], half_widths[:41])
    assert len(without_corner(even).points) == 41


def test_smoothing_keeps_the_ends_and_straight_lines():
    line = np.stack([np.linspace(0, 7, 30), np.linspace(3, 90, 30)], axis=1)
    np.testing.assert_allclose(smoothed(line), line)
    for count in (1, 2, 3):
        np.testing.assert_allclose(smoothed(line[:count]), line[:count])


def test_the_steps_of_a_staircase_are_not_length():
    steps = np.array([[index // 2, (index + 1) // 2] for index in range(200)], float)
    assert length_of(steps) == pytest.approx(np.hypot(*(steps[-1] - steps[0])), rel=0.02)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_each_point_of_any_mask_is_on_one_branch_and_pruning_leaves_no_spur(seed: int):
    random = np.random.default_rng(seed)
    noise = random.random((24, 30)) < random.uniform(0.05, 0.9)
    found = find_centre_lines(noise.astype(np.uint8))
    for number in np.unique(found.cracks):
        part = np.flatnonzero(found.cracks == number)
        graph = build_graph(found, part)
        on_branches = {tuple(point) for branch in graph.branches.values() for point in branch.points}
        places = {tuple(point) for point in found.centres[part]}
        inner = len(part) > 8  # a tiny ring becomes one point
        assert not inner or places <= on_branches | junction_pixels(graph, places)
        graph.prune()
        assert graph.branches
        ends = [node for branch in graph.branches.values() for node in (branch.start, branch.end)]
        assert all(ends.count(node) == len(numbers) for node, numbers in graph.at.items())
        assert all(len(numbers) != 2 or len(set(numbers)) == 1 for numbers in graph.at.values())


def junction_pixels(graph: Graph, places: set[tuple[float, ...]]) -> set[tuple[float, ...]]:
    """The pixels within two of a junction: of a cluster, some are on no branch."""
    nodes = [branch.points[index] for branch in graph.branches.values() for index in (0, -1)]
    return {place for place in places if min(np.hypot(*(np.array(place) - node)) for node in nodes) <= 2}
