"""The layouts of data sets; tests/test_sources.py finds photographs and masks in them."""

from pathlib import Path

import pytest

from src.errors import UserError
from src.layouts import Place, places, split_of


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *((name, "train") for name in ("Train", "training_set", "traincrop")),
        *((name, "val") for name in ("valid", "validation", "dev")),
        *((name, "test") for name in ("TestCrop", "testdata")),
        *((name, "") for name in ("contest", "images", "trainer")),
    ],
)
def test_a_split_is_known_by_its_common_names(name: str, split: str):
    assert split_of(name) == split


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}" if name.endswith("json") else "")
    return root


def test_folders_that_are_no_splits_do_not_matter(tmp_path: Path):
    root = touch(tmp_path, "images/a.jpg", "masks/a.png", "images/.ipynb_checkpoints/a.jpg", "images/@eaDir/a.jpg")
    assert places(root) == [Place("", root / "images", root / "masks")]


def test_json_of_another_kind_does_not_matter(tmp_path: Path):
    root = touch(tmp_path, "images/a.jpg", "masks/a.png", "classes.json")
    (root / "classes.json").write_text('["crack"]')
    assert places(root) == [Place("", root / "images", root / "masks")]


@pytest.mark.parametrize(
    "names",
    [
        ("images/train/a.jpg", "images/val/b.jpg", "masks/train/a.png"),
        ("train_img/a.jpg", "train_lab/a.png", "val_img/b.jpg"),
    ],
)
def test_a_split_without_masks_is_refused(names: tuple[str, ...], tmp_path: Path):
    with pytest.raises(UserError, match=r"val(_img)? has no folder of masks beside it"):
        places(touch(tmp_path, *names))


def test_splits_may_have_their_masks_in_cocos_json(tmp_path: Path):
    root = touch(tmp_path, "images/train/a.jpg", "images/val/b.jpg")
    for split in ("train", "val"):
        touch(root, f"annotations/instances_{split}.json")
        (root / "annotations" / f"instances_{split}.json").write_text('{"images": [], "annotations": []}')
    assert {place.split: place.images for place in places(root)} == {
        "train": root / "images" / "train",
        "val": root / "images" / "val",
    }
