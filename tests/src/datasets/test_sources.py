"""Data sets in the layouts they come in."""

from pathlib import Path

import pytest
from drawn import CORNERS, build, coco, labelme, mask, photo, shape, write_json

from src.data.reading import Reading
from src.datasets.drawings import ShapeRules
from src.datasets.sources import Selection, find_sources
from src.errors import UserError

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


LABELLED = Selection(rules=ShapeRules(("crack",)))


@pytest.mark.parametrize("wrapped", ["", "zip/Dataset v2"])
@pytest.mark.parametrize("layout", [*LAYOUTS, *SPLIT])
def test_photographs_and_masks_are_found_in_every_layout_and_in_a_folder_around_it(
    tmp_path: Path, layout: str, wrapped: str
):
    build(tmp_path / wrapped, (LAYOUTS | SPLIT)[layout])
    found, _ = find_sources(tmp_path)
    assert list(found) == ["a", "b"]
    for source in found.values():
        assert source.read(Reading())[1].sum() == 12
    assert [source.split for source in found.values()] == (["train", "test"] if layout in SPLIT else ["", ""])


def test_equal_names_in_different_splits_are_told_apart(tmp_path: Path):
    pairs = [f"{split}/images/a.jpg {split}/masks/a.png" for split in ("train", "val")]
    found, _ = find_sources(build(tmp_path, [*pairs, "train/images/b.jpg train/masks/b.png"]))
    assert list(found) == ["b", "train-a", "val-a"]


def test_folders_of_their_own_images_and_masks_are_put_together_and_told_apart(tmp_path: Path):
    roads = ("Asphalt_A", "Asphalt_B", "Concrete_A", "Concrete_B")
    build(tmp_path, [f"{road}/Raw_images/1.jpg {road}/Masks/1.png" for road in roads])
    build(tmp_path, ["Concrete_B/Raw_images/2.jpg Concrete_B/Masks/2.png"])
    found, notes = find_sources(tmp_path)
    assert list(found) == ["2", "Asphalt_A-1", "Asphalt_B-1", "Concrete_A-1", "Concrete_B-1"]
    assert notes == []


def test_photographs_in_folders_below_are_read_with_those_above(tmp_path: Path):
    build(tmp_path, ["images/a.jpg masks/a.png", "images/more/b.jpg masks/more/b.png"])
    build(tmp_path, ["images/more/a.jpg masks/more/a.png"])
    assert list(find_sources(tmp_path)[0]) == ["a", "b", "more-a"]


def test_all_that_was_guessed_or_left_out_is_told(tmp_path: Path):
    build(tmp_path, ["images/1_sat.jpg masks/1_mask.png", "images/2_sat.jpg masks/2_mask.png"])
    for name in ("previews/1.jpg", "previews/2.jpg", "images/small/1.png", "overview.png", "road.heic"):
        photo(tmp_path / name.replace("heic", "png")).rename(tmp_path / name)
    photo(tmp_path / "images" / "3.jpg")
    mask(tmp_path / "masks" / "4_mask.png")
    _, notes = find_sources(tmp_path, Selection(exclude=("4_mask",), allow_unpaired=True))
    assert notes == [
        f"Skipped: 1 files of {tmp_path} have no partner: images/3.jpg.",
        "2 pairs have unequal names, such as 1_sat.jpg and 1_mask.png.",
        f"4 image files were not used: 2 in previews/, 1 in images/small/, 1 in {tmp_path.name}/.",
        f"1 image files are of an unsupported kind (convert them to PNG or JPEG): 1 in {tmp_path.name}/.",
    ]


def test_labelmes_drawings_lie_beside_their_photographs(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    labelme(tmp_path / "a.json", shape())
    (found,) = find_sources(tmp_path, LABELLED)[0].values()
    assert found.read(Reading())[1].sum() == 30
    labelme(tmp_path / "a.json", shape(), size=(13, 10))
    (found,) = find_sources(tmp_path)[0].values()
    with pytest.raises(UserError, match=r"a\.jpg is 12x10 pixels and its mask .*a\.json 13x10"):
        found.read(Reading())


def test_a_photograph_without_drawing_is_free_of_cracks_where_the_user_says_so(tmp_path: Path):
    for name in "abc":
        photo(tmp_path / f"{name}.jpg")
    labelme(tmp_path / "a.json", shape())
    with pytest.raises(UserError, match=r"2 files .* b\.jpg, c\.jpg.*--unlabelled-is-crack-free"):
        find_sources(tmp_path)
    found, notes = find_sources(tmp_path, Selection(unlabelled_is_crack_free=True))
    assert [int(one.read(Reading())[1].sum()) for one in found.values()] == [30, 0, 0]
    assert notes == ["2 photographs without mask or drawing count as free of cracks."]
    labelme(tmp_path / "d.json", shape())
    with pytest.raises(UserError, match=r"1 files .* d\.json\. .*--allow-unpaired\.$"):
        find_sources(tmp_path, Selection(unlabelled_is_crack_free=True))


def test_a_folder_of_no_layout_is_refused_with_what_it_lacks(tmp_path: Path):
    (tmp_path / "stuff").mkdir()
    photo(tmp_path / "stuff" / "a.jpg")
    with pytest.raises(UserError, match=r"known layout.*: a folder for photographs \(image, .* for masks \("):
        find_sources(tmp_path)


def test_names_that_all_differ_are_refused_with_some_of_them(tmp_path: Path):
    build(tmp_path, ["images/a.jpg masks/x.png", "images/b.jpg masks/y.png"])
    with pytest.raises(UserError, match=r"4 files .*: images/a\.jpg, images/b\.jpg, masks/x\.png, masks/y\.png"):
        find_sources(tmp_path)


def test_one_without_partner_is_named_side_by_side_too(tmp_path: Path):
    build(tmp_path, LAYOUTS["side by side"])
    photo(tmp_path / "c.jpg")
    with pytest.raises(UserError, match=r"1 files .*have no partner: c\.jpg"):
        find_sources(tmp_path)
    assert list(find_sources(tmp_path, Selection(allow_unpaired=True))[0]) == ["a", "b"]


def test_labels_and_widths_are_not_for_masks(tmp_path: Path):
    build(tmp_path, LAYOUTS["flat"])
    with pytest.raises(UserError, match="is for drawings"):
        find_sources(tmp_path, LABELLED)
    with pytest.raises(UserError, match=r"--line-width 3: .* "):
        find_sources(tmp_path, Selection(rules=ShapeRules((), 3)))


def test_labels_that_no_drawing_has_are_refused_and_several_that_all_count_are_told(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    labelme(tmp_path / "a.json", shape(), shape(label="hole"))
    with pytest.raises(UserError, match=r"--label crakc: .*: crack, hole"):
        find_sources(tmp_path, Selection(rules=ShapeRules(("crakc",))))
    assert find_sources(tmp_path)[1] == ["All 2 labels count as crack: crack, hole. Choose some with --label."]
    assert find_sources(tmp_path, LABELLED)[1] == []


def test_two_folders_of_one_split_are_refused(tmp_path: Path):
    build(tmp_path, ["train/images/1.png train/masks/1.png", "training/images/2.png training/masks/2.png"])
    with pytest.raises(UserError, match="are both a train split"):
        find_sources(tmp_path)


def test_photographs_in_splits_beside_others_in_none_are_refused(tmp_path: Path):
    build(tmp_path, ["one/train/images/a.jpg one/train/masks/a.png", "two/images/b.jpg two/masks/b.png"])
    with pytest.raises(UserError, match=r"a\.jpg is in a split, but .*b\.jpg is not"):
        find_sources(tmp_path)


def test_files_are_left_out_by_stem_or_name_and_unknown_ones_are_refused(tmp_path: Path):
    build(tmp_path, [*LAYOUTS["flat"], "images/c.jpg masks/c_mask.png"])
    photo(tmp_path / "images" / "a.tif")
    with pytest.raises(UserError, match=r"a\.jpg and .*a\.tif have the same stem.*--exclude a\.tif"):
        find_sources(tmp_path)
    found, notes = find_sources(tmp_path, Selection(exclude=("a.tif", "c")))
    assert (list(found), notes) == (["a", "b"], [])
    with pytest.raises(UserError, match=r"--exclude: .* x\.jpg"):
        find_sources(tmp_path, Selection(exclude=("a.tif", "x.jpg")))
    (tmp_path / "notes.yaml").write_text("dry: road")
    with pytest.raises(UserError, match=r"--exclude: .* notes\.yaml"):
        find_sources(tmp_path, Selection(exclude=("a.tif", "notes.yaml")))


def test_where_all_photographs_are_left_out_that_is_said(tmp_path: Path):
    build(tmp_path, LAYOUTS["flat"])
    with pytest.raises(UserError, match="--exclude leaves no photograph"):
        find_sources(tmp_path, Selection(exclude=("a", "b")))


def test_what_links_lead_to_once_more_is_read_once(tmp_path: Path):
    build(tmp_path / "root" / "road", LAYOUTS["flat"])
    (tmp_path / "root" / "all").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "latest").symlink_to(tmp_path / "root" / "road")
    found, _ = find_sources(tmp_path / "root")
    assert list(found) == ["a", "b"]
    assert found["a"].image == tmp_path / "root" / "road" / "images" / "a.jpg"


def test_an_accent_is_the_same_however_it_is_stored(tmp_path: Path):
    build(tmp_path, ["images/e\u0301.jpg masks/e\u0301_mask.png", "images/b.jpg masks/b.png"])
    for word in ("\u00e9", "\u00e9.jpg", "images/\u00e9.jpg"):
        assert list(find_sources(tmp_path, Selection(exclude=(word,)))[0]) == ["b"]


def test_names_that_would_hide_each_other_get_all_their_folders_or_are_refused(tmp_path: Path):
    names = ["train/images/1", "train/images/train-1", "val/images/1"]
    build(tmp_path, [f"{name}.png {name.replace('images', 'masks')}.png" for name in names])
    assert list(find_sources(tmp_path)[0]) == ["train-1", "train-images-1", "val-images-1"]
    for name in ("a.jpg", "a.png"):
        photo(tmp_path / "two" / "images" / name)
    write_json(tmp_path / "two" / "result.json", coco("a.jpg", "a.png"))
    with pytest.raises(UserError, match=r"would both be named images-a: .*--exclude a\.png"):
        find_sources(tmp_path / "two")


def test_links_that_lead_out_and_names_that_are_no_text_are_refused(tmp_path: Path):
    root = build(tmp_path / "root", LAYOUTS["flat"])
    (root / "images" / "a.jpg").rename(tmp_path / "secret.jpg")
    (root / "images" / "a.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(UserError, match="leads out of"):
        find_sources(root)
    for kind, suffix in (("images", ".jpg"), ("masks", ".png")):
        (root / kind / f"a{suffix}").rename(root / kind / f"a\udcdf{suffix}")
    with pytest.raises(UserError, match="not valid UTF-8"):
        find_sources(root)


def test_drawings_that_lead_out_are_refused_before_they_are_read(tmp_path: Path):
    labelme(tmp_path / "secret.json", shape(points=CORNERS))
    photo(tmp_path / "root" / "a.jpg")
    (tmp_path / "root" / "a.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(UserError, match=r"a\.json leads out of"):
        find_sources(tmp_path / "root")


def test_whole_folders_may_be_links(tmp_path: Path):
    build(tmp_path / "disk", LAYOUTS["flat"])
    (tmp_path / "root").mkdir()
    for kind in ("images", "masks"):
        (tmp_path / "root" / kind).symlink_to(tmp_path / "disk" / kind)
    assert list(find_sources(tmp_path / "root")[0]) == ["a", "b"]
