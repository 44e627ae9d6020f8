"""YOLO's text files, as Ultralytics' and Roboflow's tools write them."""

from pathlib import Path

import numpy as np
import pytest
from drawn import HEIGHT, SQUARE, WIDTH, photo, square
from hypothesis import given, settings
from hypothesis import strategies as st

from src.data.reading import Reading
from src.datasets.drawings import Drawing, ShapeRules
from src.datasets.sources import Selection, find_sources
from src.datasets.yolo import class_names, is_yolo, read_yolo, split_folders
from src.errors import UserError

SIZE = (HEIGHT, WIDTH)


def line(number: int = 0, polygon: list[int] = SQUARE) -> str:
    """A polygon in pixels as YOLO's tools write it."""
    sizes = [WIDTH, HEIGHT] * (len(polygon) // 2)
    return " ".join([str(number), *(f"{place / size:.6f}" for place, size in zip(polygon, sizes, strict=True))]) + "\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_polygon_is_read_back_pixel_by_pixel_and_an_empty_file_is_free_of_cracks(tmp_path: Path):
    found = read_yolo(
        write(tmp_path / "a.txt", line() + "\n" + line(1, [0, 0, 1, 0, 1, 1])), SIZE, {}, ShapeRules(("0",))
    )
    np.testing.assert_array_equal(found.mask(), square())
    assert found.labels == {"0", "1"}
    assert not read_yolo(write(tmp_path / "b.txt", "\n"), SIZE, {}, ShapeRules()).mask().any()


corners = st.lists(st.tuples(st.integers(0, 399), st.integers(0, 299)), min_size=3, max_size=9)


@settings(deadline=None)
@given(corners)
def test_corners_on_pixels_are_read_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, points):
    text = "0 " + " ".join(f"{x / 400:.6f} {y / 300:.6f}" for x, y in points)
    path = write(tmp_path_factory.getbasetemp() / "any.txt", text)
    expected = Drawing(path, 400, 300)
    expected.add_polygon(points)
    np.testing.assert_array_equal(read_yolo(path, (300, 400), {}, ShapeRules()).mask(), expected.mask())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0 0.5 0.5 0.1 0.1", "line 1 is a box: .*polygon"),
        (line() + "0 0.1 0.1 0.2 0.2 0.3", "line 2 has 5 numbers"),
        ("0 0.1 0.1 0.2 0.2 0.3 0.3 0.4", "line 1 has 7 numbers"),
        ("0 0.1 0.1 0.2 0.2 0.3 1.02", "outside 0 to 1"),
        ("0 0.1 0.1 0.2 0.2 nan 0.3", "outside 0 to 1"),
        ("2 0.1 0.1 0.2 0.2 0.3 0.3", "line 1 has class 2, but the classes are 0, 1"),
        ("crack 0.1 0.1 0.2 0.2 0.3 0.3", "invalid literal"),
        ("0 0.1 a 0.2 0.2 0.3 0.3", "could not convert"),
    ],
)
def test_what_yolo_does_not_write_is_refused_with_its_line(tmp_path: Path, text: str, sentence: str):
    with pytest.raises(UserError, match=rf"a\.txt is not a valid YOLO file: .*{sentence}"):
        read_yolo(write(tmp_path / "a.txt", text), SIZE, {0: "crack", 1: "hole"}, ShapeRules())


def test_boxes_of_other_labels_do_not_matter(tmp_path: Path):
    path = write(tmp_path / "a.txt", line() + "1 0.5 0.5 0.1 0.1\n")
    found = read_yolo(path, SIZE, {0: "crack", 1: "hole"}, ShapeRules(("crack",)))
    np.testing.assert_array_equal(found.mask(), square())


def test_corners_a_little_outside_are_moved_to_the_edge(tmp_path: Path):
    path = write(tmp_path / "a.txt", "0 -0.005 0 1.005 0 1 1.009 0 1")
    assert read_yolo(path, SIZE, {}, ShapeRules()).mask().all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        (line(), True),
        ("0 .5 .5 .1 .1", True),
        ("crack\nhole", False),
        ("1 2", False),
        ("\nRead me\n", False),
    ],
)
def test_lists_of_classes_and_readmes_are_not_yolos(tmp_path: Path, text: str, expected: bool):
    assert is_yolo(write(tmp_path / "a.txt", text)) is expected


@pytest.mark.parametrize("names", ["[crack, hole]", "{0: crack, 1: hole}", "\n  0: crack\n  1: hole"])
def test_names_of_classes_are_those_of_the_nearest_file(tmp_path: Path, names: str):
    write(tmp_path / "data.yaml", f"names: {names}\n")
    (tmp_path / "labels" / "train").mkdir(parents=True)
    assert class_names(tmp_path / "labels" / "train", tmp_path) == {0: "crack", 1: "hole"}
    assert class_names(tmp_path / "labels", tmp_path / "labels") == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("names: 3", "must be a list"),
        ("names: {a: b}", "must be a list"),
        ("names: {0: a, '0': b}", "a number twice"),
        ("names: {0: a, 0: b}", "a key occurs twice"),
        ("names: &x [a]\ntrain: *x", "aliases"),
    ],
)
def test_names_that_are_none_are_refused(tmp_path: Path, text: str, sentence: str):
    write(tmp_path / "data.yaml", text)
    with pytest.raises(UserError, match=rf"data\.yaml.*{sentence}"):
        class_names(tmp_path, tmp_path)


def test_other_yaml_does_not_matter_and_two_files_of_names_are_refused(tmp_path: Path):
    write(tmp_path / "dvc.yaml", "&x [*x]")
    write(tmp_path / "list.yml", "- names")
    write(tmp_path / "mine.yaml", "names: [crack]")
    assert class_names(tmp_path, tmp_path) == {0: "crack"}
    write(tmp_path / "other.yml", "names: [hole]")
    with pytest.raises(UserError, match=r"mine\.yaml and .*other\.yml both name classes"):
        class_names(tmp_path, tmp_path)


ULTRALYTICS = "train: images/train\nval: images/val\ntest:\nnames: {0: crack}\n"
ODD = "train: ../one/images\nval: two/images\nnames: [crack]\n"
ROBOFLOW = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 1\nnames: ['crack']\n"
OWN = "path: ../datasets/cracks\ntrain: [one/images, two/images]\nval: three/images\nnames: [crack]\n"


@pytest.mark.parametrize(
    ("text", "folders"),
    [
        (ULTRALYTICS, {"images/train": "train", "images/val": "val"}),
        (ROBOFLOW, {"train/images": "train", "valid/images": "val"}),
        (ODD, {"one/images": "train", "two/images": "val"}),
        (OWN, {"one/images": "train", "two/images": "train", "three/images": "val"}),
        (None, {"images/train2017": "train", "images/val2017": "val"}),
    ],
)
@pytest.mark.parametrize("wrapped", ["", "zip/Cracks v2"])
def test_photographs_are_found_in_the_folders_of_their_splits(
    tmp_path: Path, text: str | None, folders: dict[str, str], wrapped: str
):
    root = tmp_path / wrapped
    for number, folder in enumerate(folders):
        photo(root / folder / f"{number}.jpg")
        write(root / folder.replace("images", "labels") / f"{number}.txt", line())
    if text:
        write(root / "data.yaml", text)
    write(root / "README.roboflow.txt", "Cracks\n")
    found, notes = find_sources(tmp_path)
    assert [one.split for one in found.values()] == list(folders.values())
    assert notes == []
    for one in found.values():
        np.testing.assert_array_equal(one.read(Reading())[1], square())
    assert find_sources(tmp_path, Selection(rules=ShapeRules(("crack" if text else "0",))))[0].keys() == found.keys()
    with pytest.raises(UserError, match=f"--label hole: .*: {'crack' if text else '0'}"):
        find_sources(tmp_path, Selection(rules=ShapeRules(("hole",))))


def test_a_photograph_without_text_is_missed_until_the_user_says_that_it_has_no_crack(tmp_path: Path):
    for name in "abc":
        photo(tmp_path / "images" / f"{name}.jpg")
    write(tmp_path / "labels" / "a.txt", line())
    write(tmp_path / "labels" / "b.txt", "")
    write(tmp_path / "labels" / "classes.txt", "crack\n")
    with pytest.raises(UserError, match=r"1 files .*images/c\.jpg.*--unlabelled-is-crack-free"):
        find_sources(tmp_path)
    found, notes = find_sources(tmp_path, Selection(unlabelled_is_crack_free=True))
    assert [int(one.read(Reading())[1].sum()) for one in found.values()] == [30, 0, 0]
    assert notes == ["1 photographs without mask or drawing count as free of cracks."]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("train: images\nval: images", "train and as val"),
        ("train: train.txt", r"train\.txt is a list of files"),
    ],
)
def test_splits_that_could_mean_two_things_or_are_lists_are_refused(tmp_path: Path, text: str, sentence: str):
    photo(tmp_path / "images" / "a.jpg")
    write(tmp_path / "train.txt", "images/a.jpg\n")
    write(tmp_path / "data.yaml", f"{text}\nnames: [crack]\n")
    with pytest.raises(UserError, match=sentence):
        split_folders(tmp_path)


def test_folders_outside_are_not_looked_into(tmp_path: Path):
    photo(tmp_path / "other" / "images" / "a.jpg")
    write(tmp_path / "mine" / "data.yaml", f"train: ../other/images\nval: {tmp_path}/other/images\nnames: [crack]\n")
    assert split_folders(tmp_path / "mine") == []
