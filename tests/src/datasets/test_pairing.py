"""Photographs whose masks or drawings have a file each."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from drawn import build, labelme, mask, photo, shape

from src.datasets.drawings import Drawing, ShapeRules
from src.datasets.layouts import SplitFolders
from src.datasets.names import Exclusion
from src.datasets.pairing import read_folders
from src.datasets.photographs import FoundFiles

STRIPE = shape(points=[[0, 0], [11, 0], [11, 1], [0, 1]])


def read(root: Path, folders: Sequence[str] = ("images", "masks"), exclude: Sequence[str] = ()) -> FoundFiles:
    place = SplitFolders("", *(root / folder for folder in folders))
    return read_folders(place, Exclusion(root, frozenset(exclude)), ShapeRules())


def kinds(found: FoundFiles) -> dict[str, str]:
    """Photograph to the ending of where its mask is."""
    return {one.image.stem: one.file.suffix for one in found.sources}


def test_a_mask_counts_before_a_drawing_and_that_is_told(tmp_path: Path):
    build(tmp_path, ["images/a.jpg masks/a.png", "images/b.jpg masks/b.png"])
    photo(tmp_path / "images" / "c.jpg")
    for name in "abc":
        labelme(tmp_path / "images" / f"{name}.json", STRIPE)
    found = read(tmp_path)
    assert kinds(found) == {"a": ".png", "b": ".png", "c": ".json"}
    assert found.notes == ["2 drawings, such as a.json, were not read: their photographs have a mask."]
    assert (found.unmasked, found.orphan_masks) == ([], [])


def test_drawings_may_lie_in_a_folder_of_their_own_as_json_or_text(tmp_path: Path):
    for name in "ab":
        photo(tmp_path / "images" / f"{name}.jpg")
    labelme(tmp_path / "labels" / "a.json", STRIPE)
    (tmp_path / "labels" / "a.txt").write_text("0 0 0 1 0 1 1")
    (tmp_path / "labels" / "b.txt").write_text("0 0 0 1 0 1 1")
    found = read(tmp_path, ("images", "labels"))
    assert kinds(found) == {"a": ".json", "b": ".txt"}
    assert all(isinstance(one.mask, Drawing) for one in found.sources)
    assert len(found.notes) == 1


def test_files_without_partner_are_told_apart_by_what_they_lack(tmp_path: Path):
    build(tmp_path, ["images/a.jpg masks/a.png"])
    photo(tmp_path / "images" / "b.jpg")
    mask(tmp_path / "masks" / "c_mask.png")
    labelme(tmp_path / "masks" / "d.json", STRIPE)
    (tmp_path / "masks" / "classes.json").write_text("{}")
    (tmp_path / "images" / "notes.txt").write_text("dry road")
    found = read(tmp_path)
    assert found.unmasked == [(tmp_path / "images" / "b.jpg", "")]
    assert {path.name for path in found.orphan_masks} == {"c_mask.png", "d.json"}
    left = read(tmp_path, exclude=["b", "c", "d.json"])
    assert (left.unmasked, left.orphan_masks) == ([], [])


@pytest.mark.parametrize("word", ["1_sat", "1_sat.jpg", "images/1_sat.jpg", "images/1_sat"])
def test_with_a_photograph_its_mask_or_drawing_is_left_out(tmp_path: Path, word: str):
    build(tmp_path, ["images/1_sat.jpg masks/1_mask.png", "images/2_sat.jpg masks/2_mask.png"])
    labelme(tmp_path / "images" / "1_sat.json", STRIPE)
    mask(tmp_path / "masks" / "3_mask.png")
    found = read(tmp_path, exclude=[word])
    assert kinds(found) == {"2_sat": ".png"}
    assert (found.unmasked, [path.name for path in found.orphan_masks]) == ([], ["3_mask.png"])
    assert {path.name for path in found.skipped} >= {"1_mask.png"}


def test_a_mask_of_the_same_name_in_another_folder_is_not_left_out_with_a_photograph(tmp_path: Path):
    build(tmp_path, [f"images/{road}/{name}.jpg masks/{road}/{name}.png" for road in "ab" for name in "12"])
    (tmp_path / "images" / "b" / "1.jpg").unlink()
    found = read(tmp_path, exclude=["a/1.jpg", "images/a/1.jpg"])
    assert [path.relative_to(tmp_path).as_posix() for path in found.orphan_masks] == ["masks/b/1.png"]


def test_folders_below_are_read_where_at_least_one_photograph_in_them_has_a_mask(tmp_path: Path):
    build(tmp_path, ["images/a.jpg masks/a.png", "images/more/b.jpg masks/more/b_mask.png"])
    photo(tmp_path / "images" / "more" / "c.jpg")
    photo(tmp_path / "images" / "previews" / "a.jpg")
    found = read(tmp_path)
    assert kinds(found).keys() == {"a", "b"}
    assert found.unmasked == [(tmp_path / "images" / "more" / "c.jpg", "")]
    assert [image.name for image, _ in found.renamed] == ["b.jpg"]


def test_side_by_side_files_in_folders_below_are_read_too(tmp_path: Path):
    build(tmp_path, ["a.jpg a.png", "more/b.jpg more/b.png"])
    found = read(tmp_path, ("", ""))
    assert kinds(found) == {"a": ".png", "b": ".png"}
