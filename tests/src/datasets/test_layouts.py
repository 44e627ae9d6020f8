"""The layouts of data sets; tests/test_sources.py finds photographs and masks in them."""

from pathlib import Path

import pytest

from src.datasets.layouts import (
    SplitFolders,
    distinctive_folders,
    find_split_folders,
    split_and_kind,
    split_in,
    split_of,
    split_of_path,
)
from src.errors import UserError


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *((name, "train") for name in ("Train", "training_set", "traincrop", "train2017")),
        *((name, "val") for name in ("valid", "validation", "dev")),
        *((name, "test") for name in ("TestCrop", "testdata", "test_1")),
        *((name, "") for name in ("contest", "images", "trainer", "")),
    ],
)
def test_a_split_is_known_by_its_common_names(name: str, split: str):
    assert split_of(name) == split


@pytest.mark.parametrize(
    ("name", "split"),
    [("instances_train2017", "train"), ("val", "val"), ("_annotations.coco", ""), ("latest", ""), ("train_val", "")],
)
def test_a_split_is_known_by_a_word_of_a_files_name(name: str, split: str):
    assert split_in(name) == split


def test_the_nearest_folder_of_a_split_counts(tmp_path: Path):
    assert split_of_path(tmp_path / "train" / "images" / "val" / "a.jpg", tmp_path) == "val"
    assert split_of_path(tmp_path / "train_img" / "a.jpg", tmp_path) == "train"
    assert split_of_path(tmp_path / "images" / "train.jpg", tmp_path) == ""
    assert split_and_kind("Test-lab") == ("test", "mask")


def test_folders_that_say_nothing_of_a_photograph_are_left_out_of_its_name(tmp_path: Path):
    path = tmp_path / "Road A" / "train" / "Raw_images" / "day 1" / "a.jpg"
    assert distinctive_folders(path, tmp_path) == ["Road A", "day 1"]


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}" if name.endswith("json") else "")
    return root


FLAT = ("images/a.jpg", "masks/a.png")


def test_folders_that_are_no_splits_do_not_matter(tmp_path: Path):
    root = touch(tmp_path, *FLAT, "images/.ipynb_checkpoints/a.jpg", "images/@eaDir/a.jpg", "classes.json")
    assert find_split_folders(root) == [SplitFolders("", root / "images", root / "masks")]


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (("Raw_images/a.jpg", "Masks/a.png"), ("Raw_images", "Masks")),
        (("img_dir/a.jpg", "ann_dir/a.png"), ("img_dir", "ann_dir")),
        (("JPEGImages/a.jpg", "SegmentationClass/a.png", "Annotations/a.xml"), ("JPEGImages", "SegmentationClass")),
        (("images/a.jpg", "masks/a.png", "labels/readme.md"), ("images", "masks")),
        (("images/a.jpg", "masks/a.png", "image previews/a.jpg"), ("images", "masks")),
    ],
)
def test_the_folders_are_known_by_a_word_in_their_names(
    names: tuple[str, ...], folders: tuple[str, str], tmp_path: Path
):
    root = touch(tmp_path, *names)
    assert find_split_folders(root) == [SplitFolders("", *(root / folder for folder in folders))]


@pytest.mark.parametrize("names", [(*FLAT, "labels/a.png"), (*FLAT, "img/a.jpg")])
def test_several_folders_for_one_thing_are_refused_with_their_names(names: tuple[str, ...], tmp_path: Path):
    with pytest.raises(UserError, match=r"holds several folders of photographs or masks, .*images.*masks"):
        find_split_folders(touch(tmp_path, *names))


def test_a_data_set_is_found_in_a_folder_below_and_several_are_put_together(tmp_path: Path):
    root = touch(tmp_path, *(f"zip/Dataset v2/{name}" for name in FLAT), "__MACOSX/Dataset v2/images/._a.jpg")
    below = root / "zip" / "Dataset v2"
    assert find_split_folders(root) == [SplitFolders("", below / "images", below / "masks")]
    touch(root, "Asphalt/Raw_images/a.jpg", "Asphalt/Masks/a.png", "side/a.jpg", "side/a.png", "plain/a.jpg")
    assert [place.images.parent.name for place in find_split_folders(root)] == ["Asphalt", root.name, "Dataset v2"]


@pytest.mark.parametrize(
    "names",
    [
        ("images/train/a.jpg", "images/val/b.jpg", "masks/train/a.png"),
        ("train_img/a.jpg", "train_lab/a.png", "val_img/b.jpg"),
        ("train/images/a.jpg", "train/masks/a.png", "val/b.jpg"),
    ],
)
def test_a_split_without_masks_is_refused(names: tuple[str, ...], tmp_path: Path):
    with pytest.raises(UserError, match=r"val(_img)? has no (folder of|photographs and) masks"):
        find_split_folders(touch(tmp_path, *names))


def test_splits_beside_photographs_with_masks_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"holds test, and also photographs"):
        find_split_folders(touch(tmp_path, *FLAT, "test/images/b.jpg", "test/masks/b.png"))


def test_splits_may_have_their_drawings_beside_the_photographs(tmp_path: Path):
    root = touch(tmp_path, "images/train/a.jpg", "images/train/a.json", "images/val/b.jpg", "images/val/b.txt")
    folders = [root / "images" / split for split in ("train", "val")]
    assert find_split_folders(root) == [SplitFolders(folder.name, folder, folder) for folder in folders]


def test_a_folder_of_something_else_has_no_place(tmp_path: Path):
    assert find_split_folders(touch(tmp_path, "a.jpg", "b.png", "papers/c.pdf")) == []
