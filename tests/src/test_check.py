"""What is wrong with a data set."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from checkout import SHARED
from PIL import Image

from src.check import IN_TWO, Findings, PairStats, check, check_alignment, main, quick_problems
from src.config.compose import load_config
from src.data.cache import open_split
from src.data.masks import read_mask
from src.errors import UserError
from src.synthetic import write_dataset


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "data", images=20, seed=1, size=64)
    return tmp_path / "data"


def image(root: Path, split: str, number: int = 0) -> Path:
    return sorted((root / split / "images").iterdir())[number]


def mask(root: Path, split: str, number: int = 0) -> Path:
    return root / split / "masks" / f"{image(root, split, number).stem}.png"


def quick(root: Path, tmp_path: Path) -> list[str]:
    words = [f"data.root={root}", f"data.cache_dir={tmp_path / 'cache'}", "data.image_size=[64,64]"]
    return quick_problems(load_config(words).data)


def test_a_sound_data_set_has_no_problems(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    main([str(root)])
    assert "20 pairs of" in capsys.readouterr().out
    assert quick(root, tmp_path) == []


def test_a_copy_in_another_split_is_a_problem_also_mirrored_and_cut(root: Path, tmp_path: Path):
    picture = cv2.imread(str(image(root, "train")))
    assert picture is not None
    cv2.imwrite(str(image(root, "test")), np.fliplr(picture))
    (line,) = [line for line in quick(root, tmp_path) if "copies in two splits" in line]
    assert f"train/{image(root, 'train').stem} and test/{image(root, 'test').stem}" in line
    found, _ = check(root)
    assert any("same picture" in pair for pair in found.problems[IN_TWO])
    assert "python -m src.prepare SOURCE --out NEW --find-groups" in line
    assert any("--find-groups" in said for said in found.lines() if IN_TWO in said)
    with pytest.raises(UserError, match="1 problems"):
        main([str(root)])


def test_a_group_of_the_manifest_in_two_splits_is_a_problem(root: Path):
    rows = ["file,split,group", *(f"{image(root, split).stem},{split},road7" for split in ("train", "val"))]
    (root / "manifest.csv").write_text("\n".join(rows))
    found, _ = check(root)
    assert found.problems["groups in several splits"] == ["road7 (train, val)"]


def test_full_inverted_and_constant_ones_are_problems_and_empty_ones_a_warning(root: Path, tmp_path: Path):
    cv2.imwrite(str(mask(root, "train", 0)), np.full((64, 64), 255, np.uint8))
    drawn = cv2.imread(str(mask(root, "train", 1)), cv2.IMREAD_GRAYSCALE)
    assert drawn is not None
    cv2.imwrite(str(mask(root, "train", 1)), 255 - drawn)
    cv2.imwrite(str(mask(root, "train", 2)), np.zeros((64, 64), np.uint8))
    cv2.imwrite(str(image(root, "train", 3)), np.full((64, 64, 3), 90, np.uint8))
    found, stats = check(root)
    full = found.problems["masks that are almost full or look inverted"]
    assert [one.partition(" ")[0] for one in full] == [stats[0].name, stats[1].name]
    assert found.problems["constant images"] == [stats[3].name]
    assert stats[2].name in found.warnings["masks without crack"]
    said = quick(root, tmp_path)
    assert any(line.startswith("problem: 2 masks that are almost full") for line in said)
    assert not any(line.startswith("warning") for line in said)


def test_every_file_that_cannot_be_used_is_named_and_not_only_the_first(root: Path):
    for number in (0, 1):
        image(root, "val", number).write_bytes(b"no picture")
    mask(root, "test").unlink()
    found, _ = check(root)
    assert len(found.problems["pairs that cannot be used"]) == 2
    (sentence,) = found.problems["missing folders or unpaired files"]
    assert image(root, "test").stem in sentence


def test_an_unusual_share_of_crack_and_a_mask_of_another_photograph_are_warnings(root: Path):
    thick = np.zeros((64, 64), np.uint8)
    thick[:, 10:40] = 255
    cv2.imwrite(str(mask(root, "train", 0)), thick)
    one, other = mask(root, "train", 1), mask(root, "train", 2)
    swapped = one.read_bytes(), other.read_bytes()
    one.write_bytes(swapped[1])
    other.write_bytes(swapped[0])
    found, stats = check(root)
    unusual = next(names for what, names in found.warnings.items() if what.startswith("unusual shares"))
    assert any(name.startswith(stats[0].name) for name in unusual)
    unfit = next(names for what, names in found.warnings.items() if what.startswith("masks that may not fit"))
    assert {stats[1].name, stats[2].name} & {name.partition(" ")[0] for name in unfit}


def test_a_root_that_is_not_there_is_said_for_what_it_is(tmp_path: Path):
    with pytest.raises(UserError, match=r"^No such folder: .*nowhere"):
        main([str(tmp_path / "nowhere")])


def test_crackforests_swapped_mask_is_the_one_that_fits_least(tmp_path: Path):
    shared = SHARED / "data" / "cfd"
    if not shared.is_dir():
        pytest.skip("shared/data/cfd is not beside this checkout")
    from src.datasets.crackforest import read_labels

    root = tmp_path / "data"
    for split, stems in (("train", range(30, 60)), ("val", [1]), ("test", [2])):
        for kind in ("images", "masks"):
            (root / split / kind).mkdir(parents=True)
        for stem in (f"{number:03d}" for number in stems):
            shutil.copy(shared / "image" / f"{stem}.jpg", root / split / "images")
            drawn = read_labels(shared / "groundTruth" / f"{stem}.mat") * 255
            cv2.imwrite(str(root / split / "masks" / f"{stem}.png"), drawn)
    found, _ = check(root)
    unfit = next(names for what, names in found.warnings.items() if what.startswith("masks that may not fit"))
    assert unfit[0].startswith("train/042 ")


def test_fine_texture_of_large_photographs_is_no_constant_image(tmp_path: Path):
    random = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for kind in ("images", "masks"):
            (tmp_path / "data" / split / kind).mkdir(parents=True)
        for number in range(2):
            noise = random.normal(120, 18, (512, 512, 3)).clip(0, 255).astype(np.uint8)
            crack = np.zeros((512, 512), np.uint8)
            crack[number * 200 : number * 250] = 255
            cv2.imwrite(str(tmp_path / "data" / split / "images" / f"{number}.png"), noise)
            cv2.imwrite(str(tmp_path / "data" / split / "masks" / f"{number}.png"), crack)
    words = [f"data.root={tmp_path / 'data'}", f"data.cache_dir={tmp_path / 'cache'}", "data.crop=random"]
    assert quick_problems(load_config(words).data) == []
    assert not check(tmp_path / "data")[0].problems


def test_a_split_without_any_crack_is_a_problem(root: Path, tmp_path: Path):
    for path in (root / "val" / "masks").iterdir():
        cv2.imwrite(str(path), np.zeros((64, 64), np.uint8))
    assert check(root)[0].problems["splits without any crack"] == ["val"]


def test_a_file_without_partner_does_not_keep_the_others_from_being_read(root: Path):
    mask(root, "train").unlink()
    cv2.imwrite(str(mask(root, "train", 1)), np.full((64, 64), 255, np.uint8))
    found, stats = check(root)
    assert len(stats) == 19
    assert "1 image without mask of the same stem" in found.problems["missing folders or unpaired files"][0]
    assert len(found.problems["masks that are almost full or look inverted"]) == 1


def test_masks_that_fit_least_come_first_also_where_some_have_too_little_crack_to_say():
    fits = [float("nan"), 1.5, float("nan"), -0.5, 9.0, float("nan"), 0.5]
    stats = [PairStats(str(fit), "train", np.zeros((4, 4), np.uint8), 0.1, 9.0, fit) for fit in fits]
    found = Findings()
    check_alignment(stats, found)
    assert list(found.warnings.values()) == [["-0.5 -0.5", "0.5 +0.5", "1.5 +1.5"]]


def test_a_mask_of_a_bright_crack_fits_and_one_of_neither_does_not():
    fits = {"dark": 9.0, "bright": -7.0, "a little bright": -1.0, "no": 0.2}
    stats = [PairStats(name, "train", np.zeros((4, 4), np.uint8), 0.1, 9.0, fit) for name, fit in fits.items()]
    found = Findings()
    check_alignment(stats, found)
    assert list(found.warnings.values()) == [["a little bright -1.0", "no +0.2"]]


def test_lines_that_meet_two_borders_at_one_height_are_no_place_in_two_splits(tmp_path: Path):
    random = np.random.default_rng(0)
    for number, split in enumerate(["train"] * 6 + ["val"] * 3 + ["test"] * 3):
        picture = np.clip(150 + random.normal(0, 8, (200, 260)), 0, 255)
        crack = np.zeros((200, 260), np.uint8)
        cv2.line(crack, (0, 100), (259, 100 if number % 2 else 60), 255, 9)
        picture[crack > 0] = 60
        for kind, pixels in (("images", picture.astype(np.uint8)), ("masks", crack)):
            (tmp_path / "data" / split / kind).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / "data" / split / kind / f"{number}.png"), pixels)
    assert not check(tmp_path / "data")[0].problems


def test_all_names_are_listed_on_request(root: Path, capsys: pytest.CaptureFixture[str]):
    paths = sorted((root / "train" / "masks").iterdir(), key=lambda path: read_mask(path).mean())
    for path in paths[:-1]:
        cv2.imwrite(str(path), np.zeros((64, 64), np.uint8))
    main([str(root)])
    assert " more (--all)" in capsys.readouterr().out
    main([str(root), "--all"])
    assert "more (--all)" not in capsys.readouterr().out


def write_values(root: Path, split: str, value: int) -> None:
    """Store the masks of a split with ``value`` for crack."""
    for path in (root / split / "masks").iterdir():
        cv2.imwrite(str(path), read_mask(path) * value)


def test_splits_whose_masks_have_other_values_for_crack_are_a_problem(root: Path, tmp_path: Path):
    write_values(root, "train", 1)
    (line,) = quick(root, tmp_path)
    assert "different values for crack: train 1, val 255, test 255" in line
    found, _ = check(root)
    (sentence,) = found.problems["masks that disagree on the value of crack"]
    assert "1 in" in sentence
    assert "255 in" in sentence


def test_a_training_refuses_masks_that_number_classes_apart(root: Path, tmp_path: Path):
    write_values(root, "train", 1)
    cracked = next(path for path in sorted((root / "train" / "masks").iterdir()) if read_mask(path).any())
    cv2.imwrite(str(cracked), read_mask(cracked) * 2)
    with pytest.raises(UserError, match=r"1 in \d+, 2 in 1"):
        quick(root, tmp_path)


def test_photographs_of_12_bits_are_told_and_refused_by_a_training_until_it_is_said(root: Path, tmp_path: Path):
    for path in root.glob("*/images/*"):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert grey is not None
        path.unlink()
        cv2.imwrite(str(path.with_suffix(".png")), grey.astype(np.uint16) * 16)
    found, _ = check(root)
    (said,) = found.warnings["data set of 16-bit photographs with fewer bits"]
    assert "data.bits=12" in said
    assert "constant images" not in found.problems
    with pytest.raises(UserError, match=r"data\.bits=12"):
        quick(root, tmp_path)
    words = [f"data.root={root}", f"data.cache_dir={tmp_path / 'cache'}", "data.image_size=[64,64]", "data.bits=12"]
    data = load_config(words).data
    assert quick_problems(data) == []
    assert open_split(data, "train").image(0).max() > 100


def test_further_pages_are_a_warning(root: Path):
    path = image(root, "train")
    picture = Image.open(path)
    picture.save(path.with_suffix(".tif"), save_all=True, append_images=[picture])
    path.unlink()
    found, _ = check(root)
    (named,) = found.warnings["files with more pages or frames, of which only the first is read"]
    assert named.endswith(".tif 1")
