"""labelme's JSON, as labelme writes it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import brushed, labelme, shape, square, write_json
from hypothesis import given, settings
from hypothesis import strategies as st

from src.datasets.drawings import ShapeRules
from src.datasets.labelme import is_labelme, read_labelme
from src.errors import UserError
from tests.src.datasets.test_run_lengths import masks


def test_polygons_and_rectangles_of_the_labels_that_count_are_read(tmp_path: Path):
    path = labelme(tmp_path / "a.json", shape(), shape(None))
    np.testing.assert_array_equal(read_labelme(path, ShapeRules()).mask(), square())
    assert is_labelme(path)
    rectangle = labelme(tmp_path / "r.json", shape("rectangle", points=[[6, 8], [2, 3]]), shape(label="x", points=[]))
    found = read_labelme(rectangle, ShapeRules(("crack",)))
    np.testing.assert_array_equal(found.mask(), square())
    assert found.labels == {"crack", "x"}
    assert not read_labelme(labelme(tmp_path / "none.json"), ShapeRules()).mask().any()


@settings(deadline=None, max_examples=40)
@given(masks, st.integers(0, 9), st.integers(0, 9), st.booleans())
def test_a_mask_is_read_back_pixel_by_pixel(
    tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray, left: int, top: int, one_bit: bool
):
    path = tmp_path_factory.mktemp("mask") / "a.json"
    pixels = mask.astype(bool) if one_bit else mask
    labelme(path, brushed(pixels, left, top), size=(mask.shape[1] + 9, mask.shape[0] + 9))
    expected = np.zeros((mask.shape[0] + 9, mask.shape[1] + 9), np.uint8)
    expected[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    np.testing.assert_array_equal(read_labelme(path, ShapeRules()).mask(), expected)


@pytest.mark.parametrize(("kind", "points"), [("linestrip", [[0, 4], [6, 4], [11, 4]]), ("line", [[0, 4], [11, 4]])])
def test_a_line_is_as_wide_as_the_user_says_and_refused_until_then(tmp_path: Path, kind: str, points: Any):
    path = labelme(tmp_path / "l.json", shape(kind, points=points))
    mask = read_labelme(path, ShapeRules((), 3)).mask()
    assert mask[3:6].all()
    assert mask.sum() == 36
    with pytest.raises(UserError, match=rf"l\.json: a {kind} labelled crack has no area.*--line-width"):
        read_labelme(path, ShapeRules())
    assert read_labelme(path, ShapeRules(("hole",))).lines == 0


def test_a_circle_has_the_area_of_its_radius(tmp_path: Path):
    path = labelme(tmp_path / "c.json", shape("circle", points=[[50, 50], [50, 60]]), size=(100, 100))
    mask = read_labelme(path, ShapeRules()).mask()
    assert mask.sum() == pytest.approx(314, rel=0.03)
    assert mask[50, 41:60].all()
    assert not mask[50, 38]


@pytest.mark.parametrize("kind", ["point", "points", "arrow"])
def test_what_has_no_area_is_refused_with_what_to_do(tmp_path: Path, kind: str):
    path = labelme(tmp_path / "p.json", shape(kind, points=[[1, 1]]))
    with pytest.raises(UserError, match=rf"a {kind} labelled crack has no area: draw its outline, or delete it"):
        read_labelme(path, ShapeRules((), 3))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        ({"points": [[0, 0], [2, 2]]}, "5x6 pixels.*3x3"),
        ({"points": [[9, 3], [13, 8]]}, "outside"),
        ({"points": [[-1, 3], [3, 8]]}, "outside"),
        ({"mask": "not base64!"}, "not a valid labelme file"),
        ({"mask": "AAAA"}, "PNG of a mask is damaged"),
        ({"mask": None}, "mask"),
        ({"points": [[0, 0]]}, "not a valid labelme file"),
    ],
)
def test_a_damaged_mask_is_refused(tmp_path: Path, spoil: dict[str, Any], sentence: str):
    path = labelme(tmp_path / "m.json", brushed(square()[3:9, 2:7], 2, 3) | spoil)
    with pytest.raises(UserError, match=rf"m\.json.*{sentence}"):
        read_labelme(path, ShapeRules())


@pytest.mark.parametrize("content", ["", "[1, 2]", "{", "[" * 100_000, '{"shapes": [{"points": 3}]}', "{}"])
def test_what_is_not_labelmes_is_refused_by_name(tmp_path: Path, content: str):
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(UserError, match=r"bad\.json"):
        read_labelme(tmp_path / "bad.json", ShapeRules())


def test_other_json_is_not_labelmes(tmp_path: Path):
    assert not is_labelme(write_json(tmp_path / "a.json", ["shapes"]))
