"""Which masks are measured, and whose photographs they are."""

from pathlib import Path

import pytest
from drawn import mask, photo

from src.errors import UserError
from src.measuring.masks import find_masks


def test_a_data_folder_gives_the_masks_of_all_splits_with_their_photographs(tmp_path: Path):
    for split in ("train", "test"):
        photo(tmp_path / split / "images" / f"{split}.jpg")
        mask(tmp_path / split / "masks" / f"{split}.png")
    found = find_masks([tmp_path], None)
    assert [(one.name, one.photograph and one.photograph.is_file()) for one in found] == [
        ("train.jpg", True),
        ("test.jpg", True),
    ]


def test_predictions_name_their_photographs_in_their_table(tmp_path: Path):
    path = photo(tmp_path / "photos" / "a.jpg")
    mask(tmp_path / "out" / "masks" / "a.png")
    mask(tmp_path / "out" / "masks" / "b.png")
    table = f"photograph,mask\n{path},masks/a.png\n{tmp_path / 'gone.jpg'},masks/b.png\n"
    (tmp_path / "out" / "predictions.csv").write_text(table)
    assert [one.photograph for one in find_masks([tmp_path / "out"], None)] == [path, None]


def test_files_and_folders_of_masks_are_taken_and_photographs_can_be_named(tmp_path: Path):
    given = [mask(tmp_path / "one.png"), mask(tmp_path / "more" / "two.png").parent]
    assert [one.name for one in find_masks(given, None)] == ["one.png", "two.png"]
    path = photo(tmp_path / "photos" / "two.jpg")
    assert [one.photograph for one in find_masks(given, path.parent)] == [None, path]


def test_what_cannot_be_measured_is_refused_by_name(tmp_path: Path):
    one, other = mask(tmp_path / "a" / "x.png"), mask(tmp_path / "b" / "x.png")
    for given, photographs, said in (
        ([tmp_path / "nowhere"], None, str(tmp_path / "nowhere")),
        ([tmp_path], None, f"No mask in {tmp_path}"),
        ([one, other], None, "same stem"),
        ([one], tmp_path / "nowhere", f"--photographs={tmp_path / 'nowhere'}"),
    ):
        with pytest.raises(UserError) as refused:
            find_masks(given, photographs)
        assert said in str(refused.value)


def test_a_folder_or_a_broken_link_among_the_masks_is_found_and_not_refused(tmp_path: Path):
    mask(tmp_path / "a.png")
    (tmp_path / "b.png").mkdir()
    (tmp_path / "c.png").symlink_to(tmp_path / "nowhere.png")
    assert [one.path.name for one in find_masks([tmp_path], None)] == ["a.png", "b.png", "c.png"]
