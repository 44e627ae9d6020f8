"""COCO's JSON: many photographs in one file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import HEIGHT, SQUARE, STRIPE, WIDTH, coco, photo, square, write_json
from hypothesis import given, settings
from hypothesis import strategies as st

from src.data.reading import Reading
from src.datasets.coco import is_coco, read_coco
from src.datasets.drawings import ShapeRules
from src.datasets.sources import Selection, find_sources
from src.errors import UserError
from tests.src.datasets.test_run_lengths import masks, packed, runs

TWO = {
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


def pixels(root: Path, selection: Selection | None = None) -> dict[str, int]:
    """Crack pixels of each photograph that is found."""
    return {name: int(one.read(Reading())[1].sum()) for name, one in find_sources(root, selection)[0].items()}


def annotated(**changes: Any) -> dict[str, Any]:
    return {"annotations": [{"id": 5, "image_id": 7, "category_id": 1, "segmentation": [SQUARE]} | changes]}


def test_photographs_have_their_drawing_and_an_empty_one_if_nothing_was_drawn(tmp_path: Path):
    path = write_json(tmp_path / "c.json", TWO)
    found = dict(read_coco(path, ShapeRules(("crack",))))
    assert list(found) == ["a.jpg", "b.jpg"]
    np.testing.assert_array_equal(found["a.jpg"].mask(), square())
    assert not found["b.jpg"].mask().any()
    assert (dict(read_coco(path, ShapeRules()))["a.jpg"].mask()[:2, :2] == 1).all()
    assert is_coco(path)
    assert not is_coco(write_json(tmp_path / "other.json", {"images": "annotations"}))
    assert not is_coco(write_json(tmp_path / "list.json", ["images", "annotations"]))


@settings(deadline=None, max_examples=30)
@given(masks, st.booleans(), st.integers(0, 1))
def test_run_lengths_of_both_kinds_are_read_pixel_by_pixel(
    tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray, text: bool, crowd: int
):
    height, width = mask.shape
    counts = packed(runs(mask)) if text else runs(mask)
    about = coco("a.jpg", drawn={"size": [height, width], "counts": counts})
    about["images"][0] |= {"width": width, "height": height}
    about["annotations"][0]["iscrowd"] = crowd
    ((_, found),) = read_coco(write_json(tmp_path_factory.mktemp("runs") / "c.json", about), ShapeRules())
    np.testing.assert_array_equal(found.mask(), mask)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (annotated(segmentation={"counts": "abc", "size": [10, 12]}), "ends in the middle"),
        (annotated(segmentation={"counts": [144], "size": [12, 12]}), "mask of 12x12 pixels on a photograph of 12x10"),
        (annotated(segmentation={"counts": [100], "size": [10, 12]}), "100 pixels.*12x10"),
        (annotated(image_id=8), "annotation 5 has the image_id 8, which no entry has"),
        (annotated(segmentation=[[1, 2, 3]]), "polygon has 3 numbers"),
        (annotated(segmentation=[[]]), "has no corner"),
        (annotated(segmentation=[]), "annotation 5 is a box without a polygon.*--label"),
        (annotated(segmentation=[[1, float("nan"), 2, 3, 4, 5]]), "outside of a photograph"),
        ({"images": [{"id": 7, "width": 12, "height": 10}]}, "'file_name' is missing"),
        ({"images": 3}, "not a valid COCO file"),
        ({"images": [TWO["images"][0], TWO["images"][1] | {"id": 7}]}, r"id 7 belongs to a\.jpg and to b\.jpg"),
        ({"images": [TWO["images"][0], TWO["images"][0] | {"width": 13}]}, "describe one photograph.*12x10.*13x10"),
        ({"categories": [{"id": 1, "name": "crack"}, {"id": 1, "name": "hole"}]}, "id 1 belongs to crack and to hole"),
        *(
            ({"images": [{"id": 7, "file_name": "a.jpg", "width": side, "height": 10}]}, "not a valid COCO file")
            for side in (float("inf"), "wide", None, -12, 0)
        ),
    ],
)
def test_what_coco_does_not_allow_is_refused(tmp_path: Path, changes: dict[str, Any], sentence: str):
    with pytest.raises(UserError, match=rf"c\.json.*{sentence}"):
        read_coco(write_json(tmp_path / "c.json", TWO | changes), ShapeRules())


def test_a_category_that_nobody_names_is_refused_where_labels_are_chosen(tmp_path: Path):
    about = write_json(tmp_path / "c.json", TWO | annotated(category_id=8))
    with pytest.raises(UserError, match="annotation 5 has the category_id 8, which no entry has"):
        read_coco(about, ShapeRules(("crack",)))


LEFT, RIGHT = [[0, 0, 3, 0, 3, 1, 0, 1]], [[8, 0, 11, 0, 11, 1, 8, 1]]
"""8 pixels each."""
BOTH = coco("a.jpg", "a.jpg")
BOTH["annotations"][0]["segmentation"], BOTH["annotations"][1]["segmentation"] = LEFT, RIGHT


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([BOTH], 16),
        ([coco("a.jpg", drawn=LEFT), coco("images/a.jpg", drawn=RIGHT)], 16),
        ([coco("a.jpg", drawn=LEFT), coco("a.jpg", annotations=[])], 8),
        ([coco("a.jpg", annotations=[]), coco("images\\a.jpg", drawn=LEFT)], 8),
    ],
    ids=["two entries", "two files", "the second empty", "the first empty"],
)
def test_a_photograph_that_is_described_twice_has_all_that_was_drawn_on_it(
    tmp_path: Path, files: list[Any], expected: int
):
    photo(tmp_path / "images" / "a.jpg")
    for number, about in enumerate(files):
        write_json(tmp_path / f"instances_{number}.json", about)
    assert pixels(tmp_path) == {"a": expected}


def test_a_photograph_that_is_described_in_two_sizes_is_refused_with_both_files(tmp_path: Path):
    photo(tmp_path / "images" / "a.jpg")
    other = coco("a.jpg", images=[{"id": 0, "file_name": "a.jpg", "width": 24, "height": 20}])
    for name, about in (("one.json", coco("a.jpg")), ("two.json", other)):
        write_json(tmp_path / name, about)
    with pytest.raises(UserError, match=r"one\.json and .*two\.json describe one photograph.*12x10.*24x20"):
        find_sources(tmp_path)


def test_each_files_categories_are_its_own(tmp_path: Path):
    photo(tmp_path / "images" / "a.jpg")
    write_json(tmp_path / "one.json", coco("a.jpg", drawn=LEFT))
    holes = coco("a.jpg", drawn=RIGHT, categories=[{"id": 1, "name": "hole"}, {"id": 2, "name": "crack"}])
    write_json(tmp_path / "two.json", holes)
    assert pixels(tmp_path, Selection(rules=ShapeRules(("crack",)))) == {"a": 8}
    assert pixels(tmp_path, Selection(rules=ShapeRules(("hole",)))) == {"a": 8}
    assert find_sources(tmp_path)[1] == ["All 2 labels count as crack: crack, hole. Choose some with --label."]


def test_the_folders_of_coco_itself_are_splits(tmp_path: Path):
    for split in ("train2017", "val2017"):
        photo(tmp_path / split / "1.jpg")
        write_json(tmp_path / "annotations" / f"instances_{split}.json", coco("1.jpg"))
    found, notes = find_sources(tmp_path)
    assert {name: one.split for name, one in found.items()} == {"train-1": "train", "val-1": "val"}
    assert notes == []


def test_splits_may_be_told_by_the_names_of_the_files_alone(tmp_path: Path):
    for split, name in (("train", "a"), ("test", "b")):
        photo(tmp_path / "images" / f"{name}.jpg")
        write_json(tmp_path / f"{split}.json", coco(f"{name}.jpg"))
    assert {name: one.split for name, one in find_sources(tmp_path)[0].items()} == {"a": "train", "b": "test"}
    write_json(tmp_path / "test.json", coco("a.jpg", "b.jpg"))
    with pytest.raises(UserError, match=r"a\.jpg is in two splits, test and train"):
        find_sources(tmp_path)


@pytest.mark.parametrize(
    "name", ["images\\a.jpg", "images/a.jpg", "./a.jpg", "C:\\Users\\me\\images\\a.jpg", "/home/me/a.jpg"]
)
def test_a_photograph_is_found_by_the_path_of_the_machine_where_it_was_drawn(tmp_path: Path, name: str):
    photo(tmp_path / "images" / "a.jpg")
    photo(tmp_path / "previews" / "a.jpg")
    write_json(tmp_path / "result.json", coco(name))
    found, notes = find_sources(tmp_path)
    assert found["a"].image == tmp_path / "images" / "a.jpg"
    assert notes == ["1 image files were not used: 1 in previews/."]


def test_a_name_that_could_be_two_photographs_is_refused(tmp_path: Path):
    for folder in ("one", "two"):
        photo(tmp_path / folder / "a.jpg")
    write_json(tmp_path / "result.json", coco("a.jpg"))
    with pytest.raises(UserError, match=r"a\.jpg could be .*one/a\.jpg or .*two/a\.jpg"):
        find_sources(tmp_path)
    write_json(tmp_path / "result.json", coco("one/a.jpg", "two/a.jpg"))
    assert pixels(tmp_path) == {"one-a": 24, "two-a": 24}


def test_a_file_describes_photographs_in_the_nearest_folder_that_has_some(tmp_path: Path):
    for folder, drawn in (("one", STRIPE), ("two", SQUARE)):
        photo(tmp_path / folder / "images" / "a.jpg")
        write_json(tmp_path / folder / "annotations" / "a.json", coco("a.jpg", drawn=[drawn]))
    assert pixels(tmp_path) == {"one-a": 24, "two-a": 30}


@pytest.mark.parametrize("name", ["../../secret.jpg", "{secret}", "b.jpg"])
def test_what_a_file_names_and_is_not_there_is_missed_and_nothing_outside_is_looked_for(tmp_path: Path, name: str):
    secret = photo(tmp_path / "secret.jpg")
    photo(tmp_path / "data" / "images" / "a.jpg")
    write_json(tmp_path / "data" / "result.json", coco("a.jpg", name.format(secret=secret)))
    with pytest.raises(UserError, match=r"1 files of .* have no partner.*\.jpg \(named in result\.json\)"):
        find_sources(tmp_path / "data")
    assert pixels(tmp_path / "data", Selection(allow_unpaired=True)) == {"a": 24}


def test_photographs_beside_those_of_a_file_are_missed_or_free_of_cracks(tmp_path: Path):
    for name in "ab":
        photo(tmp_path / "images" / f"{name}.jpg")
    write_json(tmp_path / "result.json", coco("images/a.jpg"))
    with pytest.raises(UserError, match=r"images/b\.jpg.*--allow-unpaired.*--unlabelled-is-crack-free"):
        find_sources(tmp_path)
    assert pixels(tmp_path, Selection(allow_unpaired=True)) == {"a": 24}
    assert pixels(tmp_path, Selection(unlabelled_is_crack_free=True)) == {"a": 24, "b": 0}
    assert pixels(tmp_path, Selection(exclude=("b",))) == {"a": 24}
    assert (WIDTH, HEIGHT) == (12, 10)


def test_labels_are_those_that_something_is_drawn_with(tmp_path: Path):
    photo(tmp_path / "images" / "a.jpg")
    categories = [{"id": 0, "name": "cracks"}, {"id": 1, "name": "crack"}]  # Roboflow names the data set first
    write_json(tmp_path / "result.json", coco("a.jpg", categories=categories))
    assert find_sources(tmp_path)[1] == []
    with pytest.raises(UserError, match=r"--label .*: crack"):
        find_sources(tmp_path, Selection(rules=ShapeRules(("cracks",))))


def test_a_file_of_drawings_is_left_out_by_its_name(tmp_path: Path):
    photo(tmp_path / "images" / "a.jpg")
    write_json(tmp_path / "one.json", coco("a.jpg"))
    write_json(tmp_path / "two.json", coco("a.jpg", drawn=[SQUARE]))
    assert pixels(tmp_path) != pixels(tmp_path, Selection(exclude=("two.json",))) == {"a": 24}
