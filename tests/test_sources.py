"""Data sets in the layouts they come in."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.data.reading import Reading
from src.errors import UserError
from src.sources import find_sources

RANDOM = np.random.default_rng(0)


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RANDOM.integers(0, 255, (10, 12, 3), dtype=np.uint8)).save(path)
    return path


def mask(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.zeros((10, 12), np.uint8)
    drawn[4] = 255
    Image.fromarray(drawn).save(path)
    return path


LAYOUTS = {
    "flat": ["images/a.jpg masks/a.png", "images/b.png masks/b.png"],
    "masks named for what they are": ["Images/a.jpg GT/a_mask.png", "Images/b.jpg GT/b_mask.png"],
    "side by side": ["a.jpg a.png", "b.jpg b.png"],
    "side by side, named": ["a.png a_mask.png", "b.png b_mask.png"],
}
SPLIT = {
    "splits outside": ["train/images/a.jpg train/masks/a.png", "testing/images/b.jpg testing/masks/b.png"],
    "splits inside": ["images/train/a.jpg masks/train/a.png", "images/test/b.jpg masks/test/b.png"],
    "DeepCrack": ["train_img/a.jpg train_lab/a.png", "test_img/b.jpg test_lab/b.png"],
    "Crack500": ["traincrop/a.jpg traincrop/a.png", "testcrop/b.jpg testcrop/b.png"],
}


def build(root: Path, pairs: list[str]) -> Path:
    for pair in pairs:
        image, drawn = pair.split()
        photo(root / image)
        mask(root / drawn)
    return root


@pytest.mark.parametrize("layout", [*LAYOUTS, *SPLIT])
def test_photographs_and_masks_are_found_in_every_layout(tmp_path: Path, layout: str):
    found = find_sources(build(tmp_path, (LAYOUTS | SPLIT)[layout]), [], False, [])
    assert list(found) == ["a", "b"]
    for source in found.values():
        _, drawn = source.read(Reading(), [])
        assert drawn.sum() == 12
    assert [source.split for source in found.values()] == (["train", "test"] if layout in SPLIT else ["", ""])


def test_equal_names_in_different_splits_are_told_apart(tmp_path: Path):
    pairs = [f"{split}/images/a.jpg {split}/masks/a.png" for split in ("train", "val")]
    found = find_sources(build(tmp_path, [*pairs, "train/images/b.jpg train/masks/b.png"]), [], False, [])
    assert list(found) == ["b", "train-a", "val-a"]


def test_coco_is_found_beside_the_photographs_or_above_them(tmp_path: Path):
    about = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 12, "height": 10}],
        "categories": [{"id": 1, "name": "crack"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 11, 0, 11, 1, 0, 1]]}],
    }
    photo(tmp_path / "above" / "images" / "a.jpg")
    (tmp_path / "above" / "annotations.json").write_text(json.dumps(about))
    for split in ("train", "valid"):
        photo(tmp_path / "beside" / split / "a.jpg")
        (tmp_path / "beside" / split / "_annotations.coco.json").write_text(json.dumps(about))
    (above,) = find_sources(tmp_path / "above", [], False, []).values()
    assert above.read(Reading(), [])[1].sum() == 24
    beside = find_sources(tmp_path / "beside", [], False, [])
    assert {name: source.split for name, source in beside.items()} == {"train-a": "train", "val-a": "val"}
    secret = photo(tmp_path / "secret.jpg")
    for name in ("../../secret.jpg", str(secret)):
        about["images"][0]["file_name"] = name  # type: ignore[index]
        (tmp_path / "above" / "annotations.json").write_text(json.dumps(about))
        with pytest.raises(UserError, match="leads out of"):
            find_sources(tmp_path / "above", [], False, [])


def test_labelmes_polygons_lie_beside_their_photographs(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    drawn = {"label": "crack", "points": [[0, 0], [11, 0], [11, 1], [0, 1]], "shape_type": "polygon"}
    (tmp_path / "a.json").write_text(json.dumps({"imageWidth": 12, "imageHeight": 10, "shapes": [drawn]}))
    (found,) = find_sources(tmp_path, [], False, ["crack"]).values()
    assert found.read(Reading(), ["crack"])[1].sum() == 24
    (tmp_path / "a.json").write_text(json.dumps({"imageWidth": 13, "imageHeight": 10, "shapes": [drawn]}))
    with pytest.raises(UserError, match=r"a\.jpg is 12x10 pixels and its mask .*a\.json 13x10"):
        found.read(Reading(), [])


def test_a_folder_of_no_layout_is_refused_with_what_it_lacks(tmp_path: Path):
    (tmp_path / "stuff").mkdir()
    with pytest.raises(UserError, match=r"needs one folder named image or .*, or both side by side; it has 0 and 0"):
        find_sources(tmp_path, [], False, [])


def test_one_without_partner_is_named_side_by_side_too(tmp_path: Path):
    build(tmp_path, LAYOUTS["side by side"])
    photo(tmp_path / "c.jpg")
    with pytest.raises(UserError, match=r"c\.jpg must be there with a partner of the same stem"):
        find_sources(tmp_path, [], False, [])
    assert list(find_sources(tmp_path, [], True, [])) == ["a", "b"]


def test_labels_of_polygons_are_not_for_masks(tmp_path: Path):
    build(tmp_path, LAYOUTS["flat"])
    with pytest.raises(UserError, match="that is for polygons"):
        find_sources(tmp_path, [], False, ["crack"])


def test_labels_that_no_polygon_has_are_refused(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    drawn = {"label": "crack", "points": [[0, 0], [11, 0], [11, 1], [0, 1]], "shape_type": "polygon"}
    (tmp_path / "a.json").write_text(json.dumps({"imageWidth": 12, "imageHeight": 10, "shapes": [drawn]}))
    with pytest.raises(UserError, match=r"--label crakc: .* has no such label, but crack"):
        find_sources(tmp_path, [], False, ["crakc"])


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["train/images/1", "training/images/2"], "are both a train split"),
        (["train/images/1", "train/images/train-1", "val/images/1"], "would both be named train-1"),
    ],
)
def test_names_that_would_hide_each_other_are_refused(names: list[str], sentence: str, tmp_path: Path):
    pairs = [f"{name}.png {name.replace('images', 'masks')}.png" for name in names]
    with pytest.raises(UserError, match=sentence):
        find_sources(build(tmp_path, pairs), [], False, [])


def coco(*names: str) -> dict[str, object]:
    images = [{"id": number, "file_name": name, "width": 12, "height": 10} for number, name in enumerate(names)]
    shape = {"category_id": 1, "segmentation": [[0, 0, 11, 0, 11, 1, 0, 1]]}
    drawn = [{"id": number, "image_id": number} | shape for number, _ in enumerate(names)]
    return {"images": images, "categories": [{"id": 1, "name": "crack"}], "annotations": drawn}


def test_coco_names_photographs_from_the_root_too_and_those_that_it_leaves_out_are_missed(tmp_path: Path):
    photo(tmp_path / "images" / "a.jpg")
    (tmp_path / "result.json").write_text(json.dumps(coco("images/a.jpg")))
    assert list(find_sources(tmp_path, [], False, [])) == ["a"]
    photo(tmp_path / "images" / "b.jpg")
    with pytest.raises(UserError, match=r"images/b\.jpg must be there in the JSON and in the folder both"):
        find_sources(tmp_path, [], False, [])
    assert list(find_sources(tmp_path, [], True, [])) == ["a"]


def test_two_photographs_of_one_stem_in_coco_are_refused(tmp_path: Path):
    for name in ("a.jpg", "a.png"):
        photo(tmp_path / "images" / name)
    (tmp_path / "result.json").write_text(json.dumps(coco("a.jpg", "a.png")))
    with pytest.raises(UserError, match="would both be named a"):
        find_sources(tmp_path, [], False, [])


def test_polygons_are_turned_with_a_photograph_whose_pixels_lie_in_its_file(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "images").mkdir()
    Image.new("RGB", (12, 10)).save(tmp_path / "images" / "a.jpg", exif=exif)
    (tmp_path / "result.json").write_text(json.dumps(coco("a.jpg")))
    (found,) = find_sources(tmp_path, [], False, []).values()
    image, drawn = found.read(Reading(), [])
    assert image.shape[:2] == drawn.shape == (12, 10)
    assert drawn[:, -2:].all()  # the upper rows of the file are the right columns of the photograph
    assert drawn.sum() == 24


def test_a_name_that_is_no_text_is_refused(tmp_path: Path):
    build(tmp_path, LAYOUTS["flat"])
    (tmp_path / "images" / "a.jpg").rename(tmp_path / "images" / "a\udcdf.jpg")
    (tmp_path / "masks" / "a.png").rename(tmp_path / "masks" / "a\udcdf.png")
    with pytest.raises(UserError, match="the name is no text in UTF-8"):
        find_sources(tmp_path, [], False, [])


def test_polygons_beside_a_photograph_count_where_it_has_no_mask(tmp_path: Path):
    build(tmp_path, LAYOUTS["flat"])
    photo(tmp_path / "images" / "c.jpg")
    drawn = {"label": "crack", "points": [[0, 0], [11, 0], [11, 1], [0, 1]], "shape_type": "polygon"}
    (tmp_path / "images" / "c.json").write_text(json.dumps({"imageWidth": 12, "imageHeight": 10, "shapes": [drawn]}))
    found = find_sources(tmp_path, [], False, [])
    assert list(found) == ["a", "b", "c"]
    assert found["c"].read(Reading(), [])[1].sum() == 24
