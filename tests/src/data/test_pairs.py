"""Which image belongs to which mask: ``python -m pytest tests/src/data/test_pairs.py``."""

import os
import unicodedata
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from src.data.pairs import Pair, find_pairs, manifest_groups
from src.data.reading import Reading
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


@pytest.mark.parametrize("tag", range(1, 9))
def test_a_mask_is_turned_as_its_photograph_is(tmp_path: Path, tag: int) -> None:
    """Drawn on the picture as it is shown, or on the pixels as they lie in the file."""
    shown = np.zeros((24, 32), np.uint8)
    shown[3, 5:20] = shown[4:20, 5] = 255
    back = {6: 8, 8: 6}.get(tag, tag)  # the turn that undoes it
    stored = upright(shown, back)
    exif = Image.Exif()
    exif[0x0112] = tag
    Image.fromarray(stored).convert("RGB").save(tmp_path / "image.png", exif=exif)
    Image.fromarray(shown).save(tmp_path / "shown.png")
    image, mask = Pair(tmp_path / "image.png", tmp_path / "shown.png").read(Reading())
    np.testing.assert_array_equal(image[..., 0], shown)
    np.testing.assert_array_equal(mask * 255, shown)
    if tag > 4:  # else the sizes do not tell
        Image.fromarray(stored).save(tmp_path / "stored.png")
        _, mask = Pair(tmp_path / "image.png", tmp_path / "stored.png").read(Reading())
        np.testing.assert_array_equal(mask * 255, shown)


def upright(pixels: np.ndarray, tag: int) -> np.ndarray:
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = tag
    buffer = BytesIO()
    image.save(buffer, format="png", exif=exif)
    return np.array(ImageOps.exif_transpose(Image.open(buffer)))


def test_unequal_sizes_are_refused_with_both(tmp_path: Path) -> None:
    for name, shape in (("a.png", (8, 12)), ("m.png", (8, 10))):
        Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / name)
    with pytest.raises(UserError, match=r"a\.png is 12x8 pixels and its mask .*m\.png 10x8"):
        Pair(tmp_path / "a.png", tmp_path / "m.png").read(Reading())


def test_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    root = make(tmp_path / "root", ["a.png"], [])
    (tmp_path / "secret.png").touch()
    (root / "train" / "masks" / "a.png").symlink_to(tmp_path / "secret.png")
    assert "leads out of" in refusal(root)


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_what_is_no_file_is_refused_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    ways: dict[str, Callable[[Path], None]] = {
        "it is not a file": os.mkfifo,
        "it is not a file.": Path.mkdir,
        "No such file": lambda path: path.symlink_to("nowhere.png"),
        "No such file.": lambda path: path.symlink_to(path.name),
        "it is not a file..": lambda path: path.symlink_to("/dev/zero"),
    }
    for number, (sentence, put) in enumerate(ways.items()):
        root = tmp_path / str(number)
        make(root, ["a.png"], ["a.png"])
        path = root / "train" / kind / "a.png"
        path.unlink()
        put(path)
        with pytest.raises(UserError, match=rf"{kind}/a\.png: {sentence.rstrip('.')}"):
            find_pairs(root, "train")


def test_a_manifest_of_somebody_else_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("image,mask\na,b\n")
    assert manifest_groups(tmp_path) == {}


def test_a_photograph_in_which_no_crack_can_be_seen_is_refused(tmp_path: Path) -> None:
    for name in ("a.png", "m.png"):
        Image.fromarray(np.zeros((64, 7), np.uint8)).save(tmp_path / name)
    with pytest.raises(UserError, match=r"a\.png is 7x64 pixels.*8"):
        Pair(tmp_path / "a.png", tmp_path / "m.png").read(Reading())


def test_accents_that_look_the_same_are_the_same(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "Straße ä.png") for form in ("NFC", "NFD"))
    assert composed != apart
    root = make(tmp_path, [composed], [apart])
    ((image, mask),) = find_pairs(root, "train")
    assert (image.name, mask.name) == (composed, apart)


def test_a_partner_of_a_kind_that_is_not_read_is_named(tmp_path: Path) -> None:
    sentence = refusal(make(tmp_path, ["a.heic", "b.png"], ["a.png", "b.png"]))
    assert "1 mask without image of the same stem" in sentence
    assert "a.heic exists, but .heic is not supported" in sentence


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_images_in_folders_below_are_refused_and_not_left_out(tmp_path: Path, kind: str) -> None:
    root = make(tmp_path, ["a.jpg"], ["a.png"])
    (root / "train" / kind / "more").mkdir()
    assert len(find_pairs(root, "train")) == 1
    for number in range(10):
        (root / "train" / kind / "more" / f"{number}.png").touch()
    sentence = refusal(root)
    assert f"10 image files are in subfolders of {root / 'train' / kind}, such as more/0.png" in sentence
    assert "src.prepare" in sentence
    (root / "train" / "images" / "a.jpg").unlink()
    assert "holds no image" in refusal(root)


def test_a_file_in_two_groups_of_a_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,split,group\na,train,x\na,train,x\na,val,y\n")
    assert manifest_groups(tmp_path) == {"train/a": "x", "val/a": "y"}
    (tmp_path / "manifest.csv").write_text("file,split,group\na,train,x\na,train,y\n")
    with pytest.raises(UserError, match=r"manifest\.csv: train/a is in two groups, 'x' and 'y'"):
        manifest_groups(tmp_path)


OURS = "file,split,group,source\na_y0,train,Straße,a.png\n"


@pytest.mark.parametrize("saved", [OURS.encode(), OURS.encode("utf-8-sig"), OURS.replace("\n", "\r\n").encode()])
def test_the_groups_of_a_manifest_survive_a_spreadsheet(tmp_path: Path, saved: bytes):
    (tmp_path / "manifest.csv").write_bytes(saved)
    assert manifest_groups(tmp_path) == {"train/a_y0": "Straße"}


@pytest.mark.parametrize("saved", [OURS.replace(",", ";").encode(), OURS.encode("latin-1"), OURS.encode("utf-16")])
def test_a_manifest_whose_groups_a_spreadsheet_has_spoilt_is_named(tmp_path: Path, saved: bytes):
    (tmp_path / "manifest.csv").write_bytes(saved)
    with pytest.raises(UserError, match=r"manifest\.csv was saved by another program"):
        manifest_groups(tmp_path)


@pytest.mark.parametrize("saved", [b"", b"name,url\na,b\n", "größe,x\nü,1\n".encode("latin-1")])
def test_a_manifest_of_somebody_else_has_no_groups(tmp_path: Path, saved: bytes):
    (tmp_path / "manifest.csv").write_bytes(saved)
    assert manifest_groups(tmp_path) == {}
