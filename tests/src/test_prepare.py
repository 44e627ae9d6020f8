"""Tests of ``src/prepare.py``: pairing, CrackForest's .mat masks, groups, the split, and what a killed run leaves."""

import csv
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from checkout import SHARED
from drawn import labelme, shape
from PIL import Image
from scipy.io import savemat

from src.atomic import partial_beside
from src.config.schema import SPLITS
from src.datasets import data_folder
from src.errors import UserError
from src.prepare import main

DATA = SHARED / "data"
REAL = [("cfd", 117), ("sut", 130), ("crack500_tiles", 300)]
DEFAULT = (0.7, 0.15, 0.15)


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


def photo(height: int = 8, width: int = 12) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def crack(value: int = 255) -> np.ndarray:
    mask = np.zeros((8, 12), np.uint8)
    mask[2] = value
    return mask


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """A source of ten pairs, two to a group."""
    for number in range(10):
        save(tmp_path / "source" / "images" / f"p{number}.png", photo())
        save(tmp_path / "source" / "masks" / f"p{number}.png", crack())
    rows = "".join(f"p{number}.png,x{number},{number // 2}\n" for number in range(10))
    (tmp_path / "source" / "groups.csv").write_text("file,photo,scene\n" + rows)
    return tmp_path / "source"


def run(source: Path, *words: str) -> Path:
    out = source.parent / "out"
    main([str(source), "--out", str(out), *words])
    return out


def manifest(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_flat_folder_becomes_three_splits_with_the_images_untouched(flat: Path):
    out = run(flat)
    rows = manifest(out)
    assert [row["file"] for row in rows] == [f"p{number}" for number in range(10)]
    assert list(rows[0]) == ["file", "split", "group", "source", "width", "height", "crack_share", "sha256"]
    assert list(rows[0].values())[2:-1] == ["0", "images/p0.png", "12", "8", "0.125000"]
    for row in rows:
        copied = out / row["split"] / "images" / f"{row['file']}.png"
        assert copied.read_bytes() == (flat / row["source"]).read_bytes()
        mask = cv2.imread(str(out / row["split"] / "masks" / f"{row['file']}.png"), cv2.IMREAD_UNCHANGED)
        assert mask is not None
        assert mask.dtype == np.uint8
        assert np.array_equal(mask, crack())
    assert len(list(out.rglob("images/*.png"))) == len(list(out.rglob("masks/*.png"))) == 10
    assert [path.name for path in flat.parent.iterdir() if "partial" in path.name] == []


@pytest.mark.parametrize("stored", [1, 127, 128])
def test_masks_of_two_values_are_written_as_0_and_255(flat: Path, stored: int):
    for number in range(10):
        mask = crack(stored) if number else crack(0)
        save(flat / "masks" / f"p{number}.png", np.dstack([mask] * 3) if number % 2 else mask)
    (path,) = run(flat).glob("*/masks/p3.png")
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    assert np.array_equal(found, crack(255))


def test_the_last_column_groups_unless_another_is_named(flat: Path, capsys: pytest.CaptureFixture[str]):
    rows = manifest(run(flat))
    assert "'scene'" in capsys.readouterr().out
    assert len({(row["split"], row["group"]) for row in rows}) == 5
    shutil.rmtree(flat.parent / "out")
    assert {row["group"] for row in manifest(run(flat, "--group-column", "photo"))} == {f"x{n}" for n in range(10)}


def test_a_group_file_elsewhere_may_name_files_by_stem(flat: Path, capsys: pytest.CaptureFixture[str]):
    table = flat.parent / "mine.csv"
    table.write_text("file, place\n" + "".join(f"p{number}, g{number % 3}\n" for number in range(10)), "utf-8-sig")
    assert {row["group"] for row in manifest(run(flat, "--groups", str(table)))} == {"g0", "g1", "g2"}
    assert str(table) in capsys.readouterr().out


def test_without_groups_each_file_stands_alone_and_a_warning_says_so(flat: Path, capsys: pytest.CaptureFixture[str]):
    (flat / "groups.csv").unlink()
    assert all(row["group"] == row["file"] for row in manifest(run(flat)))
    assert "may leak" in capsys.readouterr().out


def test_unpaired_files_are_named_or_skipped_on_request(flat: Path, capsys: pytest.CaptureFixture[str]):
    (flat / "masks" / "p4.png").unlink()
    (flat / "images" / "p7.png").unlink()
    with pytest.raises(UserError, match=r"images/p4\.png, masks/p7\.png"):
        run(flat)
    assert len(manifest(run(flat, "--allow-unpaired"))) == 8
    assert "Skipped: 2 files" in capsys.readouterr().out


def test_excluded_stems_are_left_out_and_unknown_ones_refused(flat: Path):
    assert len(manifest(run(flat, "--exclude", "p1", "p2"))) == 8
    with pytest.raises(UserError, match="p99"):
        main([str(flat), "--out", str(flat.parent / "other"), "--exclude", "p99"])


def add_twin(flat: Path) -> None:
    save(flat / "images" / "p1.jpg", photo())


def shrink_mask(flat: Path) -> None:
    save(flat / "masks" / "p5.png", crack()[:4])


def damage_image(flat: Path) -> None:
    (flat / "images" / "p6.png").write_bytes(b"no image")


def drop_group(flat: Path) -> None:
    table = flat / "groups.csv"
    table.write_text(table.read_text().replace("p8.png", "p88.png"))


def contradict_group(flat: Path) -> None:
    with (flat / "groups.csv").open("a") as stream:
        stream.write("p2.png,x2,4\n")


def add_mask_folder(flat: Path) -> None:
    save(flat / "labels" / "p0.png", crack())


@pytest.mark.parametrize(
    ("spoil", "words", "sentence"),
    [
        (add_twin, "", r"p1\.jpg and .*p1\.png have the same stem"),
        (shrink_mask, "", r"p5\.png is 12x8 pixels and its mask .*p5\.png 12x4"),
        (damage_image, "", r"p6\.png"),
        (drop_group, "", r"no group for images/p8\.png"),
        (contradict_group, "", r"p2\.png is in two groups, '1' and '4'"),
        (add_mask_folder, "", "several folders of photographs or masks, images, labels, masks"),
        (None, "--group-column scenes", "Did you mean 'scene'"),
        (None, "--groups nowhere.csv", "nowhere.csv"),
        (None, "--split .7 .2 .2", "sum 1.1"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused_with_the_place(
    flat: Path, spoil: Callable[[Path], None] | None, words: str, sentence: str
):
    if spoil:
        spoil(flat)
    with pytest.raises(UserError, match=sentence):
        run(flat, *words.split())
    assert not (flat.parent / "out").exists()


def test_a_source_that_does_not_exist_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="nowhere is not a folder"):
        run(tmp_path / "nowhere")


def test_too_few_groups_are_refused_with_their_number(flat: Path):
    table = flat.parent / "two.csv"
    table.write_text("file,place\n" + "".join(f"p{number},{number % 2}\n" for number in range(10)))
    with pytest.raises(UserError, match="2 groups cannot fill 3 splits"):
        run(flat, "--groups", str(table))
    assert {row["split"] for row in manifest(run(flat, "--groups", str(table), "--split", "0.5", "0.5", "0"))} == {
        "train",
        "val",
    }


def test_an_output_folder_with_files_is_refused_and_an_empty_one_filled(flat: Path):
    (flat.parent / "out").mkdir()
    out = run(flat)
    with pytest.raises(UserError, match="choose another --out"):
        run(flat)
    assert len(manifest(out)) == 10


def test_a_killed_run_leaves_nothing_and_the_next_one_succeeds(flat: Path, monkeypatch: pytest.MonkeyPatch):
    copied: list[Path] = []

    def copy_three(source: Path, target: Path) -> None:
        copied.append(source)
        if len(copied) > 3:
            raise KeyboardInterrupt

    dead = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    own = partial_beside(flat.parent / "out")
    left = own.with_name(own.name.replace(f".{os.getpid()}.", f".{dead}."))  # of a run that could not tidy up
    leftover = left / "train" / "images" / "old.png"
    leftover.parent.mkdir(parents=True)
    leftover.touch()
    with monkeypatch.context() as patched:
        patched.setattr(data_folder.shutil, "copyfile", copy_three)
        with pytest.raises(KeyboardInterrupt):
            run(flat)
    assert sorted(path.name for path in flat.parent.iterdir()) == ["source"]
    assert len(list(run(flat).rglob("images/*.png"))) == 10


def save_labels(path: Path, labels: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"groundTruth": {"Segmentation": labels}})
    return path


def test_crackforest_skips_bare_images_and_the_swapped_mask(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = tmp_path / "source"
    for stem in ("001", "002", "003", "042", "200", "300"):
        save(source / "image" / f"{stem}.jpg", photo())
    for stem in ("001", "002", "003", "042"):
        save_labels(source / "groundTruth" / f"{stem}.mat", np.where(crack() > 0, 2, 1).astype(np.uint8))
    rows = manifest(run(source))
    assert [row["file"] for row in rows] == ["001", "002", "003"]
    assert {row["crack_share"] for row in rows} == {"0.125000"}
    said = capsys.readouterr().out
    assert "skipped 2 images" in said
    assert "skipped 042" in said


def test_a_flat_folder_keeps_its_042(flat: Path):
    save(flat / "images" / "042.png", photo())
    save(flat / "masks" / "042.png", crack())
    (flat / "groups.csv").unlink()
    assert "042" in {row["file"] for row in manifest(run(flat))}


@pytest.mark.parametrize(("name", "pairs"), REAL)
def test_a_real_set_splits_by_its_groups(name: str, pairs: int, tmp_path: Path):
    if not (DATA / name).is_dir():
        pytest.skip(f"shared/data/{name} is not beside this checkout")
    main([str(DATA / name), "--out", str(tmp_path / name)])
    rows = manifest(tmp_path / name)
    assert len(rows) == pairs
    split_of = {row["group"]: row["split"] for row in rows}
    assert all(split_of[row["group"]] == row["split"] for row in rows)
    counts = Counter(row["split"] for row in rows)
    most = max(Counter(row["group"] for row in rows).values())  # a count may miss its share by the largest group
    assert all(abs(counts[split] - share * pairs) <= most for split, share in zip(SPLITS, DEFAULT, strict=True))
    assert name != "cfd" or "042" not in {row["file"] for row in rows}


def test_photographs_are_cut_into_tiles_that_stay_together(flat: Path):
    (flat / "groups.csv").unlink()
    large = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    drawn = np.zeros((50, 70), np.uint8)
    drawn[20:30] = 255
    save(flat / "images" / "p0.png", large)
    save(flat / "masks" / "p0.png", drawn)
    out = run(flat, "--tile", "32", "--overlap", "8")
    rows = [row for row in manifest(out) if row["file"].startswith("p0")]
    assert [row["file"] for row in rows] == [f"p0_y{y}_x{x}" for y in (0, 18) for x in (0, 19, 38)]
    assert {(row["group"], row["source"], row["width"]) for row in rows} == {("p0", "images/p0.png", "32")}
    assert len({row["split"] for row in rows}) == 1
    tile = cv2.imread(str(out / rows[0]["split"] / "images" / "p0_y18_x38.png"))
    np.testing.assert_array_equal(tile, large[18:50, 38:70])
    mask = cv2.imread(str(out / rows[0]["split"] / "masks" / "p0_y18_x38.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, drawn[18:50, 38:70])
    assert "p1" in {row["file"] for row in manifest(out)}  # smaller than a tile: as it is
    shutil.rmtree(out)
    with pytest.raises(UserError, match="--overlap=32: must be from 0 to less than --tile=32"):
        run(flat, "--tile", "32", "--overlap", "32")
    with pytest.raises(UserError, match=r"--overlap=8 .*--tile"):
        run(flat, "--overlap", "8")
    with pytest.raises(UserError, match=r"--tile=7: .*8"):
        run(flat, "--tile", "7")


def test_the_crack_colour_and_labels_of_polygons_are_asked_for(flat: Path):
    coloured = np.where(crack()[..., None] > 0, (20, 20, 200), (40, 160, 30)).astype(np.uint8)  # blue first
    for number in range(10):
        save(flat / "masks" / f"p{number}.png", coloured)
    with pytest.raises(UserError, match=r"several colours, such as .*--crack-colour"):
        run(flat)
    assert {row["crack_share"] for row in manifest(run(flat, "--crack-colour", "200,20,20"))} == {"0.125000"}


def save_classes(flat: Path) -> None:
    """0 ground, 1 crack, 2 pothole; one photograph shows no crack, one nothing."""
    for number in range(10):
        mask = crack(1 if number not in (3, 4) else 0)
        mask[6] = 2 if number != 4 else 0
        save(flat / "masks" / f"p{number}.png", mask)


@pytest.mark.parametrize("words", ["--crack-colour 1", "--crack-color 1,1,1"])
def test_numbers_of_classes_with_photographs_without_crack_are_prepared(
    flat: Path, words: str, capsys: pytest.CaptureFixture[str]
):
    save_classes(flat)
    rows = manifest(run(flat, *words.split()))
    assert [row["crack_share"] for row in rows] == ["0.125000"] * 3 + ["0.000000"] * 2 + ["0.125000"] * 5
    assert "2 of 10 masks hold no 1 and so no crack: p3.png, p4.png" in capsys.readouterr().out


def test_several_values_or_all_above_one_may_be_crack(flat: Path):
    save_classes(flat)
    one = [row["crack_share"] for row in manifest(run(flat, "--crack-colour", "1", "--crack-colour", "2"))]
    shutil.rmtree(flat.parent / "out")
    assert one == [row["crack_share"] for row in manifest(run(flat, "--crack-above", "0"))]
    assert one[0] == "0.250000"


def test_numbers_of_classes_are_refused_until_one_is_named(flat: Path):
    save_classes(flat)
    with pytest.raises(UserError, match=r"values 0, 1, 2.*--crack-colour N .* 7 more .*hold 0 \(10 masks\)"):
        run(flat)
    with pytest.raises(UserError, match="none has 7; they hold 0 "):
        run(flat, "--crack-colour", "7")
    with pytest.raises(UserError, match="--crack-colour and --crack-above"):
        run(flat, "--crack-colour", "1", "--crack-above", "0")


def test_photographs_of_12_bits_are_told(flat: Path, capsys: pytest.CaptureFixture[str]):
    for number in range(10):
        save(flat / "images" / f"p{number}.png", photo().astype(np.uint16) * (16 if number else 2))
    out = run(flat)
    assert "data.bits=12" in capsys.readouterr().out
    assert "data.bits=12" in (out / "summary.md").read_text()
    main([str(flat), "--out", str(flat.parent / "tiles"), "--tile", "8"])  # which have 8 bits
    assert "data.bits" not in (flat.parent / "tiles" / "summary.md").read_text()


@pytest.mark.parametrize("words", ["--crack-colour 1,2", "--crack-colour 1,2,300", "--crack-colour red"])
def test_a_colour_that_is_none_is_refused(flat: Path, words: str):
    with pytest.raises(UserError, match=r"--crack-colour.* must be R,G,B"):
        run(flat, *words.split())


def test_jpeg_masks_are_read_with_a_warning(flat: Path, capsys: pytest.CaptureFixture[str]):
    (flat / "masks" / "p0.png").unlink()
    save(flat / "masks" / "p0.jpg", np.repeat(np.repeat(crack(), 1, 0), 1, 1))
    run(flat)
    assert "1 masks are JPEG" in capsys.readouterr().out


def test_ways_to_make_groups_exclude_each_other(flat: Path):
    with pytest.raises(UserError, match="--groups and --group-pattern"):
        run(flat, "--group-pattern", "p", "--groups", "x.csv")
    with pytest.raises(UserError, match="--group-column and --group-pattern"):
        run(flat, "--group-pattern", "p", "--group-column", "photo")
    same = run(flat, "--find-groups", "--split", "1", "0", "0")  # all the same picture
    assert len({row["group"] for row in manifest(same)}) == 1


def test_a_pattern_and_the_pixels_may_both_say_what_belongs_together(flat: Path):
    random = np.random.default_rng(0)
    for path in sorted((flat / "images").iterdir()):
        save(path, random.integers(0, 256, (8, 12, 3), dtype=np.uint8))
    shutil.copyfile(flat / "images" / "p1.png", flat / "images" / "p8.png")
    rows = manifest(run(flat, "--find-groups", "--group-pattern", "[0-4]$|[5-9]$"))
    groups = {row["file"]: row["group"] for row in rows}
    assert groups["p1"] == groups["p8"] == "1"
    assert len(set(groups.values())) == 9


def test_tiles_of_a_data_folder_that_is_prepared_again_stay_together(flat: Path):
    first = run(flat, "--tile", "8")
    groups = {row["file"]: row["group"] for row in manifest(first)}
    main([str(first), "--out", str(flat.parent / "again"), "--resplit", "--seed", "3"])
    rows = manifest(flat.parent / "again")
    assert {row["file"]: row["group"] for row in rows} == groups
    assert len({(row["group"], row["split"]) for row in rows}) == len(set(groups.values())) == 5


def test_a_photograph_that_is_named_as_a_tile_is_not_written_over(flat: Path):
    (flat / "groups.csv").unlink()
    save(flat / "images" / "p1_y0_x0.png", photo(8, 8))
    save(flat / "masks" / "p1_y0_x0.png", crack()[:, :8])
    with pytest.raises(UserError, match="p1_y0_x0 is the name both of a photograph and of a tile"):
        run(flat, "--tile", "8", "--split", "1", "0", "0")
    assert not (flat.parent / "out").exists()


def test_stems_with_points_are_told_apart_on_the_contact_sheet(flat: Path):
    for kind in ("images", "masks"):
        (flat / kind / "p1.png").rename(flat / kind / "p0.1.png")
    (flat / "groups.csv").unlink()
    assert len(list(run(flat).rglob("images/*.png"))) == 10


def test_masks_without_any_crack_are_refused(flat: Path):
    for path in (flat / "masks").iterdir():
        save(path, crack(0))
    with pytest.raises(UserError, match=r"No mask of .*source holds any crack"):
        run(flat)
    assert not (flat.parent / "out").exists()


def test_a_split_of_nothing_is_a_warning(flat: Path, capsys: pytest.CaptureFixture[str]):
    run(flat, "--split", "0.6", "0.4", "0")
    assert "Note: There is no photograph in test" in capsys.readouterr().out


def test_photographs_that_are_turned_unseen_are_named(flat: Path, capsys: pytest.CaptureFixture[str]):
    exif = Image.Exif()
    exif[0x0112] = 3
    for path in (flat / "images").glob("p1.*"):
        Image.fromarray(photo()).save(path, exif=exif)
    run(flat)
    assert "Note: 1 photographs are turned by EXIF without a change of their size, p1.png" in capsys.readouterr().out


def test_a_summary_and_a_sheet_of_photographs_are_written(flat: Path, capsys: pytest.CaptureFixture[str]):
    out = run(flat)
    text = (out / "summary.md").read_text()
    assert "| train | 6 | 3 | 12.50% |" in text
    assert "10 images of 12x8 pixels; without any crack: 0" in text
    sheet = cv2.imread(str(out / "contact_sheet.png"))
    assert sheet is not None
    assert (sheet.reshape(-1, 3) == (233, 180, 86)).all(axis=1).any()  # crack in blue
    said = capsys.readouterr().out
    assert "contact_sheet.png" in said
    assert f"Check it with: python -m src.check {out}" in said


def test_masks_that_are_inverted_are_refused_until_black_is_said_to_be_crack(flat: Path):
    for path in (flat / "masks").iterdir():
        save(path, 255 - crack())
    with pytest.raises(UserError, match="--crack-colour 0,0,0"):
        run(flat)
    rows = manifest(run(flat, "--crack-colour", "0,0,0"))
    assert {row["crack_share"] for row in rows} == {"0.125000"}


def test_what_was_left_out_stands_in_the_last_lines_and_in_the_summary(flat: Path, capsys: pytest.CaptureFixture[str]):
    save(flat / "previews" / "p0.png", photo())
    out = run(flat)
    said = "1 image files were not used: 1 in previews/."
    assert capsys.readouterr().out.splitlines()[-3] == f"Note: {said}"
    assert f"- {said}" in (out / "summary.md").read_text()


def test_photographs_without_mask_get_an_empty_one_where_the_user_says_so(flat: Path):
    for name in ("p2", "p3"):
        (flat / "masks" / f"{name}.png").unlink()
    with pytest.raises(UserError, match="--unlabelled-is-crack-free"):
        run(flat)
    out = run(flat, "--unlabelled-is-crack-free")
    rows = {row["file"]: row for row in manifest(out)}
    assert len(rows) == 10
    for name in ("p2", "p3"):
        mask = cv2.imread(str(out / rows[name]["split"] / "masks" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        assert mask is not None
        assert mask.shape == (8, 12)
        assert not mask.any()


def test_lines_get_the_width_that_the_user_says(tmp_path: Path):
    for number in range(3):
        save(tmp_path / "source" / f"{number}.png", photo())
        labelme(tmp_path / "source" / f"{number}.json", shape("linestrip", points=[[0, 4], [11, 4]]), size=(12, 8))
    with pytest.raises(UserError, match="--line-width PIXELS"):
        run(tmp_path / "source")
    rows = manifest(run(tmp_path / "source", "--line-width", "2"))
    assert {row["crack_share"] for row in rows} == {"0.250000"}


@pytest.mark.parametrize("width", ["0", "-1", "thick"])
def test_a_width_that_is_none_is_refused(flat: Path, width: str):
    with pytest.raises(UserError, match=f"--line-width: {width} must be"):
        run(flat, "--line-width", width)


def test_the_folder_that_one_is_in_is_not_taken_away(flat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UserError, match=r"--out=\.:"):
        main([str(flat), "--out", "."])
    assert not any(Path().iterdir())
