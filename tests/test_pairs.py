"""Which image belongs to which mask: ``python -m pytest tests/test_pairs.py``."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from src.data.pairs import find_pairs
from src.errors import UserError


def make(root: Path, images: Sequence[str], masks: Sequence[str]) -> Path:
    """A data root whose training split holds empty files of these names."""
    for kind, names in (("images", images), ("masks", masks)):
        folder = root / "train" / kind
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).touch()
    return root


def refusal(root: Path) -> str:
    """The sentence with which the training split is refused."""
    with pytest.raises(UserError) as caught:
        find_pairs(root, "train")
    return str(caught.value)


def test_images_and_masks_are_paired_by_stem_in_the_order_of_their_names(tmp_path: Path) -> None:
    root = make(tmp_path, ["b.jpg", "a.JPG", "c.x.png"], ["c.x.png", "a.png", "b.bmp"])
    pairs = find_pairs(root, "train")
    assert [(pair.image.name, pair.mask.name) for pair in pairs] == [
        ("a.JPG", "a.png"),
        ("b.jpg", "b.bmp"),
        ("c.x.png", "c.x.png"),
    ]
    assert pairs[0].mask == root / "train" / "masks" / "a.png"


def test_files_that_are_no_images_do_not_matter(tmp_path: Path) -> None:
    root = make(tmp_path, ["a.jpg", "readme.txt"], ["a.png", ".DS_Store"])
    assert len(find_pairs(root, "train")) == 1


def test_a_missing_data_root_is_named_with_what_to_do(tmp_path: Path) -> None:
    sentence = refusal(tmp_path / "none")
    assert sentence.startswith(f"No such folder: {tmp_path / 'none'}.")
    assert "src.prepare" in sentence


def test_a_missing_folder_in_the_data_root_is_named(tmp_path: Path) -> None:
    (tmp_path / "train" / "images").mkdir(parents=True)
    assert f"No such folder: {tmp_path / 'train' / 'masks'}." in refusal(tmp_path)


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'train' / 'images'} holds no image" in refusal(make(tmp_path, ["notes.txt"], []))


def test_images_without_mask_are_named(tmp_path: Path) -> None:
    sentence = refusal(make(tmp_path, ["a.jpg", "b.jpg", "c.jpg"], ["b.png"]))
    assert sentence.startswith("2 images without mask of the same stem: ")
    assert str(tmp_path / "train" / "images" / "a.jpg") in sentence
    assert str(tmp_path / "train" / "images" / "c.jpg") in sentence
    assert "b.jpg" not in sentence


def test_a_mask_without_image_is_named(tmp_path: Path) -> None:
    sentence = refusal(make(tmp_path, ["b.jpg"], ["a.png", "b.png"]))
    assert sentence == f"1 mask without image of the same stem: {tmp_path / 'train' / 'masks' / 'a.png'}."


def test_of_many_lonely_files_the_first_five_are_named(tmp_path: Path) -> None:
    sentence = refusal(make(tmp_path, [f"{number}.jpg" for number in range(10)], ["9.png"]))
    assert sentence.startswith("9 images without mask")
    assert "4.jpg ..." in sentence
    assert "5.jpg" not in sentence


@pytest.mark.parametrize(
    ("images", "masks"), [(["a.jpg", "a.png"], ["a.png"]), (["a.jpg"], ["a.png", "a.bmp"])], ids=["images", "masks"]
)
def test_two_files_of_one_stem_are_refused_by_name(tmp_path: Path, images: list[str], masks: list[str]) -> None:
    sentence = refusal(make(tmp_path, images, masks))
    assert "have the same stem" in sentence
    assert all(name in sentence for name in max(images, masks, key=len))
