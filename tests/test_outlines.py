"""Cracks that people drew as polygons."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.errors import UserError
from src.outlines import Outlines, is_coco, read_coco, read_labelme

SQUARE = [2, 3, 6, 3, 6, 8, 2, 8]  # x from 2 to 6, y from 3 to 8


def coco(path: Path, **changes: Any) -> Path:
    about: dict[str, Any] = {
        "images": [
            {"id": 7, "file_name": "a.jpg", "width": 12, "height": 10},
            {"id": 9, "file_name": "b.jpg", "width": 12, "height": 10},
        ],
        "categories": [{"id": 1, "name": "crack"}, {"id": 2, "name": "pothole"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "segmentation": [SQUARE]},
            {"id": 2, "image_id": 7, "category_id": 2, "segmentation": [[0, 0, 1, 0, 1, 1, 0, 1]]},
        ],
    }
    path.write_text(json.dumps(about | changes))
    return path


def labelme(path: Path, *shapes: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"imageWidth": 12, "imageHeight": 10, "shapes": shapes}))
    return path


CORNERS = list(zip(SQUARE[::2], SQUARE[1::2], strict=True))


def shape(kind: str = "polygon", label: str = "crack", points: Any = CORNERS) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind}


def square() -> np.ndarray:
    mask = np.zeros((10, 12), np.uint8)
    mask[3:9, 2:7] = 1
    return mask


def test_what_lies_in_any_polygon_is_crack_also_where_two_overlap():
    np.testing.assert_array_equal(Outlines(12, 10, [CORNERS]).mask(), square())
    np.testing.assert_array_equal(Outlines(12, 10, [CORNERS, CORNERS]).mask(), square())
    assert not Outlines(12, 10).mask().any()


def test_coco_has_masks_by_file_name_and_an_empty_one_for_what_nothing_was_drawn_on(tmp_path: Path):
    found = read_coco(coco(tmp_path / "c.json"), ["crack"])
    assert list(found) == ["a.jpg", "b.jpg"]
    np.testing.assert_array_equal(found["a.jpg"].mask(), square())
    assert not found["b.jpg"].mask().any()
    both = read_coco(tmp_path / "c.json", [])["a.jpg"].mask()
    assert (both[:2, :2] == 1).all()
    assert is_coco(tmp_path / "c.json")


def test_labelme_has_polygons_and_rectangles(tmp_path: Path):
    np.testing.assert_array_equal(read_labelme(labelme(tmp_path / "a.json", shape()), []).mask(), square())
    rectangle = labelme(
        tmp_path / "r.json", shape("rectangle", points=[[6, 8], [2, 3]]), shape(label="hole", points=[])
    )
    np.testing.assert_array_equal(read_labelme(rectangle, ["crack"]).mask(), square())
    assert not read_labelme(labelme(tmp_path / "none.json"), ["crack"]).mask().any()
    assert not is_coco(rectangle)


def annotated(**changes: Any) -> dict[str, Any]:
    return {"annotations": [{"id": 5, "image_id": 7, "category_id": 1, "segmentation": [SQUARE]} | changes]}


@pytest.mark.parametrize(
    ("changes", "labels", "sentence"),
    [
        ({}, ["cracks"], r"--label cracks: .*c\.json has no such label, but crack, pothole"),
        (
            {"annotations": [{"id": 5, "image_id": 7, "category_id": 1, "segmentation": {"counts": "abc"}}]},
            [],
            "run-length",
        ),
        (
            {"annotations": [{"id": 5, "image_id": 8, "category_id": 1, "segmentation": [SQUARE]}]},
            [],
            "not as COCO has it",
        ),
        (
            {"annotations": [{"id": 5, "image_id": 7, "category_id": 1, "segmentation": [[1, 2, 3]]}]},
            [],
            "not as COCO has it",
        ),
        ({"images": 3}, [], "not as COCO has it"),
        (
            {"annotations": [{"id": 5, "image_id": 7, "category_id": 1, "segmentation": []}]},
            [],
            "annotation 5 is a box without a polygon",
        ),
    ],
)
def test_what_coco_does_not_allow_is_refused(tmp_path: Path, changes: dict[str, Any], labels: list[str], sentence: str):
    with pytest.raises(UserError, match=sentence):
        read_coco(coco(tmp_path / "c.json", **changes), labels)


@pytest.mark.parametrize("content", ["", "[1, 2]", "{", "[" * 100_000, '{"shapes": [{"points": 3}]}', "{}"])
def test_what_is_not_labelmes_is_refused_by_name(tmp_path: Path, content: str):
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(UserError, match=r"bad\.json"):
        read_labelme(tmp_path / "bad.json", [])


def test_a_line_has_no_area(tmp_path: Path):
    with pytest.raises(UserError, match=r"l\.json: a linestrip has no area"):
        read_labelme(labelme(tmp_path / "l.json", shape("linestrip")), [])


@pytest.mark.parametrize("place", [float("inf"), float("nan"), 1e300, -41.0, 81.0])
def test_a_corner_that_lies_nowhere_near_its_photograph_is_refused(place: float, tmp_path: Path):
    with pytest.raises(UserError, match=r"c\.json is not as COCO has it: .* is no place in a photograph of"):
        read_coco(coco(tmp_path / "c.json", **annotated(segmentation=[[1, place, 2, 3, 4, 5]])), [])


@pytest.mark.parametrize("side", [float("inf"), "wide", None, -12, 0])
def test_a_size_that_is_none_is_refused(side: float | str | None, tmp_path: Path):
    images = [{"id": 7, "file_name": "a.jpg", "width": side, "height": 10}]
    with pytest.raises(UserError, match=r"c\.json is not as COCO has it"):
        read_coco(coco(tmp_path / "c.json", images=images), [])
