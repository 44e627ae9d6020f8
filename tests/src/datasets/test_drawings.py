"""What people drew, as a mask."""

import math
from pathlib import Path

import numpy as np
import pytest
from drawn import CORNERS, square
from hypothesis import given, settings
from hypothesis import strategies as st

from src.datasets.drawings import Drawing, ShapeRules, read_json
from src.errors import UserError

FILE = Path("a.json")


def drawing(width: int = 12, height: int = 10) -> Drawing:
    return Drawing(FILE, width, height)


def test_what_lies_in_any_polygon_is_crack_also_where_two_overlap():
    drawn = drawing()
    assert not drawn.mask().any()
    for _ in range(2):
        drawn.add_polygon(CORNERS)
        np.testing.assert_array_equal(drawn.mask(), square())


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("y", [20, 20.5, 20.3])
def test_a_line_is_as_wide_as_was_said(width: int, y: float):
    drawn = drawing(60, 40)
    drawn.add_line([(10, y), (50, y)], width)
    assert drawn.mask()[:, 30].sum() == width
    assert drawn.mask()[:, 0].sum() == 0
    assert drawn.lines == 1


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 2 * math.pi), st.integers(1, 9), st.floats(-0.5, 0.5))
def test_the_area_of_a_line_is_its_length_times_its_width_to_half_a_pixel_in_any_direction(
    angle: float, width: int, off: float
):
    drawn = drawing(200, 200)
    x, y = 80 * math.cos(angle), 80 * math.sin(angle)
    drawn.add_line([(100 + off - x, 100 - y), (100 + off + x, 100 + y)], width)
    expected = 160 * width + math.pi * width**2 / 4
    assert drawn.mask().sum() == pytest.approx(expected, abs=160 * 0.5 + 2 * width)


@given(st.floats(1, 40), st.floats(-0.5, 0.5))
def test_the_area_of_a_circle_is_that_of_its_radius(radius: float, off: float):
    drawn = drawing(100, 100)
    drawn.add_circle((50 + off, 50), (50 + off + radius, 50))
    assert drawn.mask().sum() == pytest.approx(math.pi * radius**2, rel=0.05, abs=10)
    assert drawn.lines == 0


def test_a_line_that_leaves_the_photograph_is_cut_at_its_edge():
    drawn = drawing()
    drawn.add_line([(-5, 4), (20, 4)], 1)
    assert drawn.mask().sum() == drawn.mask()[4].sum() == 12


def test_pixels_are_set_where_their_box_lies_and_none_is_taken_away():
    drawn = drawing()
    drawn.add_pixels(lambda: square()[3:9, 2:7], 2, 3)
    drawn.add_pixels(lambda: np.zeros((10, 12), np.uint8), 0, 0)
    np.testing.assert_array_equal(drawn.mask(), square())


def test_runs_of_another_size_or_sum_are_an_error():
    drawn = drawing()
    drawn.add_runs([13, 6, 101], 10, 12)
    assert drawn.mask().sum() == 6
    with pytest.raises(ValueError, match="12x11"):
        drawn.add_runs([132], 11, 12)
    with pytest.raises(ValueError, match="119 pixels"):
        drawn.add_runs([119], 10, 12)


def test_two_drawings_of_one_photograph_are_put_together_if_their_sizes_are_equal():
    one, other = drawing(), Drawing(Path("b.json"), 12, 10, labels={"crack"})
    one.add_polygon(CORNERS)
    other.add_line([(0, 0), (11, 0)], 1)
    both = one.joined(other)
    assert both.mask().sum() == 30 + 12
    assert (both.labels, both.lines) == ({"crack"}, 1)
    with pytest.raises(UserError, match=r"a\.json and b\.json .* 12x10 .* 13x10"):
        one.joined(Drawing(Path("b.json"), 13, 10))


@pytest.mark.parametrize("place", [float("inf"), float("nan"), 1e300, -41.0, 81.0])
def test_a_point_that_lies_nowhere_near_its_photograph_is_an_error(place: float):
    for add in (
        lambda: drawing().add_polygon([(1, place), (2, 3), (4, 5)]),
        lambda: drawing().add_line([(1, place), (2, 3)], 1),
        lambda: drawing().add_circle((1, place), (2, 3)),
    ):
        with pytest.raises(ValueError, match="outside of a photograph of 12x10"):
            add()


def test_shapes_without_a_point_and_sizes_of_nothing_are_errors():
    for add in (lambda: drawing().add_polygon([]), lambda: drawing().add_line([], 1), lambda: drawing(0)):
        with pytest.raises(ValueError, match="no"):
            add()


def test_all_labels_count_unless_some_are_chosen():
    assert ShapeRules().counts("hole")
    assert ShapeRules(("crack",)).counts("crack")
    assert not ShapeRules(("crack",)).counts("hole")


def test_a_key_that_stands_twice_in_json_is_refused(tmp_path: Path):
    (tmp_path / "a.json").write_text('{"images": [], "images": [1]}')
    with pytest.raises(UserError, match=r"a\.json: the key 'images' occurs twice"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("[1]")
    assert read_json(tmp_path / "a.json") == {}
