"""Which mask belongs to which photograph, by names alone."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.datasets.names import (
    IMAGE_WORDS,
    MASK_WORDS,
    Exclusion,
    has_pairs,
    locate,
    pair_by_name,
    split_images_and_masks,
)
from src.errors import UserError

IMAGES, MASKS = Path("images"), Path("masks")


def pairs(images: list[str], masks: list[str]) -> dict[str, str]:
    found, _ = pair_by_name(
        locate([IMAGES / one for one in images], IMAGES), locate([MASKS / one for one in masks], MASKS)
    )
    return {str(one.relative_to(IMAGES)): str(other.relative_to(MASKS)) for one, other in found.items()}


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("1.jpg", "1.png"),
        ("1.jpg", "1_mask.png"),
        ("1.jpg", "1-GT.png"),
        ("1.jpg", "1 label.png"),
        ("1.jpg", "1_crack.png"),
        ("1.jpg", "mask_1.png"),
        ("1_sat.jpg", "1_mask.png"),
        ("1_rgb.jpg", "1_segmentation.png"),
        ("img_1.jpg", "mask_1.png"),
        ("Im_AIGLE_C18.jpg", "GT_AIGLE_C18.png"),
        ("img_1.jpg", "1_mask.png"),
        ("1_image.jpg", "1.png"),
        ("IMG_1.JPG", "img_1.png"),
        ("A_Sat.jpg", "a_MASK.png"),
        ("crack_label.jpg", "crack_label.png"),
        ("more/1.jpg", "more/1.png"),
        ("more/1.jpg", "1_mask.png"),
        ("1.jpg", "more/1.png"),
        (unicodedata.normalize("NFC", "ä.jpg"), unicodedata.normalize("NFD", "ä.png")),
    ],
)
def test_names_that_differ_by_what_the_files_are_belong_together(image: str, mask: str):
    assert pairs([image], [mask]) == {image: mask}
    other = {"2_x.jpg": "2_x.png"}
    assert pairs([image, *other], [mask, *other.values()]) == {image: mask} | other


@pytest.mark.parametrize(("image", "mask"), [("1.jpg", "2.png"), ("1.jpg", "1mask.png"), ("crack_1.jpg", "1.png")])
def test_other_names_do_not(image: str, mask: str):
    assert pairs([image], [mask]) == {}


def test_an_ending_is_taken_off_only_where_that_makes_the_pair():
    assert pairs(["1.jpg", "1_image.jpg"], ["1.png", "1_image.png"]) == {"1.jpg": "1.png", "1_image.jpg": "1_image.png"}
    assert pairs(["1.jpg", "1_img.jpg"], ["1_gt.png", "1_img.png"]) == {"1.jpg": "1_gt.png", "1_img.jpg": "1_img.png"}


@pytest.mark.parametrize(
    ("images", "masks", "named"),
    [
        (["1.jpg", "1.tif"], ["1.png"], ["1.jpg", "1.tif", "--exclude"]),
        (["1.jpg"], ["1.png", "1.bmp"], ["1.png", "1.bmp"]),
        (["1.jpg"], ["1_mask.png", "1_gt.png"], ["1_mask.png", "1_gt.png"]),
        (["1.jpg"], ["1.png", "1_mask.png"], ["1.png", "1_mask.png", "1.jpg"]),
        (["1.jpg", "1_sat.jpg"], ["1.png"], ["1.jpg", "1_sat.jpg", "1.png"]),
        (["a.jpg", "A.jpg"], ["a.png"], ["a.jpg", "A.jpg", "a.png"]),
        (["a.jpg", "A.jpg"], ["Ä.png", "a_mask.png", "A_MASK.png", "a_gt.png"], ["a_gt.png", "a_mask.png"]),
        (["x/1.jpg", "y/1.jpg"], ["1.png"], ["x/1.jpg", "y/1.jpg"]),
    ],
)
def test_what_could_mean_two_things_is_refused_with_all_names(images: list[str], masks: list[str], named: list[str]):
    with pytest.raises(UserError) as caught:
        pairs(images, masks)
    assert all(name in str(caught.value) for name in named)


def test_equal_names_in_different_folders_belong_to_those_of_the_same_folder():
    found = pairs(["x/1.jpg", "y/1.jpg", "1.jpg"], ["y/1.png", "x/1.png", "1.png"])
    assert found == {"x/1.jpg": "x/1.png", "y/1.jpg": "y/1.png", "1.jpg": "1.png"}
    assert pairs(["1.jpg"], ["1.png", "pictures/1.png"]) == {"1.jpg": "1.png"}


stems = st.lists(st.text("ab1_ImMk", min_size=1, max_size=6), min_size=1, max_size=8, unique=True)


@given(stems, st.sampled_from(IMAGE_WORDS.split("|")), st.sampled_from(MASK_WORDS.split("|")), st.randoms())
def test_whatever_the_stems_each_photograph_gets_its_own_mask_or_a_refusal(stems: list[str], ours, theirs, random):
    images = [f"{stem}_{ours}.jpg" for stem in stems]
    masks = [f"{stem}_{theirs}.png" for stem in stems]
    random.shuffle(masks)
    try:
        found = pairs(images, masks)
    except UserError:
        return
    assert found == {f"{stem}_{ours}.jpg": f"{stem}_{theirs}.png" for stem in stems}


def test_the_names_that_are_not_equal_are_told():
    images, masks = [IMAGES / "1.jpg", IMAGES / "2_sat.jpg"], [MASKS / "1.png", MASKS / "2_mask.png"]
    _, renamed = pair_by_name(locate(images, IMAGES), locate(masks, MASKS))
    assert renamed == [(images[1], masks[1])]


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["a.jpg"], ["a.png"]),
        (["A.JPG"], ["a.png"]),
        (["a.png", "b.png"], ["a_mask.png", "b_mask.png"]),
        (["1_sat.jpg", "2_sat.jpg"], ["1_mask.jpg", "2_mask.jpg", "3_mask.jpg"]),
        (["img_1.png"], ["mask_1.png"]),
        (["road_label.jpg"], ["road_label.png"]),
        (["label_1.png", "label_2.png"], []),
    ],
)
def test_photographs_and_masks_side_by_side_are_told_apart(images: list[str], masks: list[str]):
    found = split_images_and_masks([Path(name) for name in (*images, *masks)])
    assert [names(some) for some in found] == [images, masks]
    assert has_pairs([Path(name) for name in (*images, *masks)], []) is bool(masks)
    assert has_pairs([Path(name) for name in images], [Path(images[0]).with_suffix(".json")])


def test_files_are_left_out_by_stem_name_or_path():
    path = Path("root/more/a.b.jpg")
    for word in ("a.b", "a.b.jpg", "more/a.b", "more/a.b.jpg"):
        assert Exclusion(Path("root"), frozenset({word})).has(path)
    for word in ("a", "jpg", "root/more/a.b.jpg"):
        assert not Exclusion(Path("root"), frozenset({word})).has(path)
    assert Exclusion(Path("root"), frozenset({"a"})).has_partner_of(Path("root/a_mask.png"))
