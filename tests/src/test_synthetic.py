"""The synthetic data set: ``python -m pytest tests/src/test_synthetic.py``."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from src import synthetic
from src.errors import UserError
from src.synthetic import main, render, write_dataset

Bytes = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def scenes() -> tuple[Bytes, Bytes]:
    """Sixty scenes as sweeps see them: images uint8 (60, 128, 128, 3) and masks uint8 (60, 128, 128)."""
    pairs = [render(0, index, 128) for index in range(60)]
    return np.stack([image for image, _ in pairs]), np.stack([mask for _, mask in pairs])


def fingerprints(folder: Path) -> dict[str, str]:
    """The digest of every picture below ``folder`` by its relative path."""
    paths = sorted(folder.rglob("*.png"))
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_same_seed_gives_byte_identical_files(tmp_path: Path) -> None:
    write_dataset(tmp_path / "one", images=6, seed=3, size=48)
    write_dataset(tmp_path / "two", images=6, seed=3, size=48)
    assert len(fingerprints(tmp_path / "one")) == 12
    assert fingerprints(tmp_path / "one") == fingerprints(tmp_path / "two")


def test_another_seed_gives_other_images(tmp_path: Path) -> None:
    write_dataset(tmp_path / "one", images=4, seed=3, size=48)
    write_dataset(tmp_path / "two", images=4, seed=4, size=48)
    one, two = fingerprints(tmp_path / "one"), fingerprints(tmp_path / "two")
    assert one.keys() == two.keys()
    assert all(one[name] != two[name] for name in one if "/images/" in name)


def test_a_larger_data_set_only_adds_files_to_a_smaller_one(tmp_path: Path) -> None:
    write_dataset(tmp_path / "small", images=5, seed=1, size=48)
    write_dataset(tmp_path / "large", images=11, seed=1, size=48)
    assert fingerprints(tmp_path / "small").items() <= fingerprints(tmp_path / "large").items()


def test_layout_is_70_15_15_with_one_mask_per_image(tmp_path: Path) -> None:
    write_dataset(tmp_path / "out", images=40, seed=0, size=32)
    for split, count in {"train": 28, "val": 6, "test": 6}.items():
        images = sorted(path.name for path in (tmp_path / "out" / split / "images").iterdir())
        assert len(images) == count
        assert images == sorted(path.name for path in (tmp_path / "out" / split / "masks").iterdir())


def test_three_images_fill_all_three_splits(tmp_path: Path) -> None:
    write_dataset(tmp_path / "out", images=3, size=32)
    assert {name.split("/")[0] for name in fingerprints(tmp_path / "out")} == {"train", "val", "test"}


def test_files_hold_the_rendered_rgb_image_and_a_grey_mask_of_0_and_255(tmp_path: Path) -> None:
    write_dataset(tmp_path / "out", images=3, seed=7, size=64)
    image, mask = render(7, 0, 64)
    stored = cv2.imread(str(tmp_path / "out/train/images/00000.png"), cv2.IMREAD_UNCHANGED)
    stored_mask = cv2.imread(str(tmp_path / "out/train/masks/00000.png"), cv2.IMREAD_UNCHANGED)
    assert stored is not None
    assert stored_mask is not None
    assert stored.shape == (64, 64, 3)
    assert stored_mask.shape == (64, 64)
    assert stored_mask.dtype == np.uint8
    assert np.array_equal(stored[..., ::-1], image)
    assert np.array_equal(stored_mask, mask)


@pytest.mark.parametrize("size", [32, 100, 256])
def test_any_legal_size_gives_cracks_of_a_like_share(size: int) -> None:
    masks = [render(0, index, size)[1] for index in range(8)]
    assert all(mask.shape == (size, size) for mask in masks)
    assert 0.01 < np.mean([mask > 0 for mask in masks]) < 0.12


def test_masks_are_0_or_255_and_cracks_cover_a_sane_share(scenes: tuple[Bytes, Bytes]) -> None:
    _, masks = scenes
    assert set(np.unique(masks).tolist()) == {0, 255}
    assert 0.03 < (masks > 0).mean() < 0.08


def test_some_images_are_crack_free_but_most_are_not(scenes: tuple[Bytes, Bytes]) -> None:
    _, masks = scenes
    assert 0.03 < (masks.max(axis=(1, 2)) == 0).mean() < 0.25


def test_cracks_are_darker_than_the_pavement_beside_them(scenes: tuple[Bytes, Bytes]) -> None:
    for image, mask in zip(*scenes, strict=True):
        ring = (cv2.dilate(mask, np.ones((9, 9), np.uint8)) > 0) & (cv2.dilate(mask, np.ones((5, 5), np.uint8)) == 0)
        if (mask > 0).sum() > 100:
            assert image[mask > 0].mean() < image[ring].mean() - 4


def test_no_global_darkness_threshold_finds_the_cracks(scenes: tuple[Bytes, Bytes]) -> None:
    images, masks = scenes
    grey, crack = images.mean(axis=3), masks > 0
    ious = [((grey < level) & crack).sum() / ((grey < level) | crack).sum() for level in range(5, 250, 5)]
    assert 0.05 < max(ious) < 0.3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--images", "2"], "--images=2: .*3"),
        (["--size", "31"], "--size=31: .*32"),
        (["--seed", "-1"], "--seed=-1: .*0"),
    ],
)
def test_a_bad_number_is_refused_with_the_legal_ones(tmp_path: Path, words: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        main(["--out", str(tmp_path / "out"), *words])
    assert not any(tmp_path.iterdir())


def test_a_folder_that_is_not_ours_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"was not written by src\.synthetic"):
        write_dataset(tmp_path, images=3, size=32)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_the_folder_that_one_is_in_is_not_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"--out=\.: "):
        write_dataset(Path(), images=3, size=32)
    assert tmp_path.is_dir()
    assert not any(tmp_path.iterdir())


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_dataset(tmp_path / "out", images=3, size=32)
    assert len(fingerprints(tmp_path / "out")) == 6


def test_the_same_parameters_keep_the_folder_and_others_replace_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_dataset(out, images=3, size=32)
    first = out.stat().st_ino, (out / "synthetic.json").stat().st_mtime_ns
    write_dataset(out, images=3, size=32)
    assert (out.stat().st_ino, (out / "synthetic.json").stat().st_mtime_ns) == first
    write_dataset(out, images=4, size=32)
    assert len(fingerprints(out)) == 8


def test_a_run_that_breaks_off_leaves_no_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(seed: int, index: int, size: int) -> tuple[Bytes, Bytes]:
        if index == 2:
            raise KeyboardInterrupt
        return render(seed, index, size)

    monkeypatch.setattr(synthetic, "render", broken)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "out", images=3, size=32)
    assert not any(tmp_path.iterdir())


def test_the_command_says_what_it_wrote_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--out", str(tmp_path / "out"), "--images", "20", "--size", "32"])
    said = capsys.readouterr().out
    assert "train 14, val 3, test 3; " in said
    assert "% of the pixels are crack" in said
    assert said.count("\n") == 1
