"""The cache of decoded images: ``python -m pytest tests/src/data/test_cache.py``."""

import errno
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from checkout import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from src.atomic import partial_beside
from src.data import cache
from src.data.cache import CachedSplit, load_split, resize_pair
from src.data.files import UInt8Array, read_image
from src.data.masks import read_mask
from src.data.pairs import Pair, find_pairs
from src.data.reading import Reading
from src.errors import UserError
from src.synthetic import write_dataset

SIZE = (32, 32)
BUILD_SLOWLY = """
import sys, time
from pathlib import Path
from src.data import cache

resize = cache.resize_pair
cache.resize_pair = lambda *pair: (time.sleep(0.05), resize(*pair))[1]
cache.load_split(Path(sys.argv[1]), "train", (64, 64), Path(sys.argv[2]))
"""


@pytest.fixture
def data(tiny_data: Path, tmp_path: Path) -> Path:
    """A copy of the tiny data set, to write into."""
    return shutil.copytree(tiny_data, tmp_path / "data")


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that are built from now on."""
    folders: list[Path] = []
    build = cache._build

    def record(*arguments: object) -> None:
        folders.append(arguments[-1])  # type: ignore[arg-type]
        build(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(cache, "_build", record)
    return folders


def folders(cache_dir: Path) -> list[str]:
    """What a cache holds besides its locks and fingerprints."""
    return sorted(path.name for path in cache_dir.iterdir() if path.is_dir())


def pixels(split: CachedSplit) -> tuple[UInt8Array, UInt8Array]:
    """All images (N, H, W, 3) and masks (N, H, W) of a split of one size."""
    pairs = [split.sample(index) for index in range(len(split))]
    return np.stack([image for image, _ in pairs]), np.stack([mask for _, mask in pairs])


def test_without_resizing_the_cache_holds_the_pixels_of_the_files(data: Path, tmp_path: Path) -> None:
    split, pairs = load_split(data, "train", SIZE, tmp_path / "cache"), find_pairs(data, "train")
    assert len(split) == len(pairs) == 14
    assert split.stems == tuple(pair.image.stem for pair in pairs)
    assert split.sizes == [[32, 32]] * 14
    for index, pair in enumerate(pairs):
        assert np.array_equal(split.image(index), read_image(pair.image))
        assert np.array_equal(split.mask(index), read_mask(pair.mask))
    assert pixels(split)[1].max() == 1


def test_images_are_resized_to_height_and_width_in_this_order(data: Path, tmp_path: Path) -> None:
    split = load_split(data, "train", (16, 24), tmp_path / "cache")
    images, masks = pixels(split)
    assert (images.shape, masks.shape) == ((14, 16, 24, 3), (14, 16, 24))
    assert set(np.unique(masks).tolist()) == {0, 1}


def test_the_cache_cannot_be_written_through_a_split(data: Path, tmp_path: Path) -> None:
    split = load_split(data, "val", SIZE, tmp_path / "cache")
    with pytest.raises(ValueError, match="read-only"):
        split.image(0)[:] = 0


def test_a_split_is_decoded_once(data: Path, tmp_path: Path, built: list[Path]) -> None:
    first = load_split(data, "train", SIZE, tmp_path / "cache")
    second = load_split(data, "train", SIZE, tmp_path / "cache")
    assert built == [first.folder]
    assert first.folder == second.folder
    assert first.fingerprint == second.fingerprint


def test_each_size_and_each_split_has_its_own_folder(data: Path, tmp_path: Path) -> None:
    sizes = [(32, 32), (16, 32), (32, 16)]
    found = {load_split(data, name, size, tmp_path / "cache").folder for name in ("val", "test") for size in sizes}
    assert len(found) == 6


def test_the_fingerprint_does_not_depend_on_the_size(data: Path, tmp_path: Path) -> None:
    splits = [load_split(data, "val", size, tmp_path / "cache") for size in (SIZE, (16, 16))]
    assert splits[0].fingerprint == splits[1].fingerprint


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_changed_bytes_of_a_file_make_a_new_folder(data: Path, tmp_path: Path, kind: str) -> None:
    before = load_split(data, "val", SIZE, tmp_path / "cache")
    path = sorted((data / "val" / kind).iterdir())[0]
    path.write_bytes(cv2.imencode(".png", 255 - np.asarray(cv2.imread(str(path))))[1].tobytes())
    after = load_split(data, "val", SIZE, tmp_path / "cache")
    assert before.folder != after.folder
    assert before.fingerprint != after.fingerprint
    changed = pixels(after)[0 if kind == "images" else 1]
    assert not np.array_equal(changed[0], before.image(0) if kind == "images" else before.mask(0))


def test_the_same_bytes_elsewhere_and_later_share_a_folder(data: Path, tmp_path: Path, built: list[Path]) -> None:
    before = load_split(data, "val", SIZE, tmp_path / "cache")
    for path in (data / "val" / "images").iterdir():
        os.utime(path, (1, 1))
    moved = data.rename(tmp_path / "moved")
    assert load_split(moved, "val", SIZE, tmp_path / "cache").folder == before.folder
    assert len(built) == 1


def test_a_renamed_pair_is_other_data(data: Path, tmp_path: Path) -> None:
    before = load_split(data, "val", SIZE, tmp_path / "cache")
    for kind in ("images", "masks"):
        path = sorted((data / "val" / kind).iterdir())[0]
        path.rename(path.with_stem("zzz"))
    assert load_split(data, "val", SIZE, tmp_path / "cache").stems != before.stems


def test_an_image_and_a_mask_of_unequal_size_are_both_named(data: Path, tmp_path: Path) -> None:
    path = sorted((data / "val" / "masks").iterdir())[1]
    path.write_bytes(cv2.imencode(".png", np.zeros((16, 20), np.uint8))[1].tobytes())
    with pytest.raises(UserError) as caught:
        load_split(data, "val", SIZE, tmp_path / "cache")
    sentence = str(caught.value)
    assert str(path) in sentence
    assert str(data / "val" / "images" / path.name) in sentence
    assert "32x32 pixels" in sentence
    assert "20x16" in sentence


def test_after_a_bad_file_is_mended_the_cache_is_whole(data: Path, tmp_path: Path) -> None:
    path = sorted((data / "val" / "images").iterdir())[2]
    good = path.read_bytes()
    path.write_bytes(b"no image")
    with pytest.raises(UserError, match=path.name):
        load_split(data, "val", SIZE, tmp_path / "cache")
    path.write_bytes(good)
    assert np.array_equal(load_split(data, "val", SIZE, tmp_path / "cache").image(2), read_image(path))


def test_what_a_killed_process_left_is_not_used(data: Path, tmp_path: Path) -> None:
    good = load_split(data, "val", SIZE, tmp_path / "cache")
    dead = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    own = partial_beside(good.folder)
    partial = own.with_name(own.name.replace(f".{os.getpid()}.", f".{dead}."))
    good.folder.rename(partial)
    (partial / "images.npy").write_bytes(b"half")
    (partial / "about.json").unlink()
    again = load_split(data, "val", SIZE, tmp_path / "cache")
    assert folders(tmp_path / "cache") == [again.folder.name]
    assert len(pixels(again)[0]) == 3


def test_a_build_that_is_killed_half_way_is_built_anew(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", images=100, seed=1, size=128)  # 70 of them train
    cache_dir = tmp_path / "cache"
    process = subprocess.Popen([sys.executable, "-c", BUILD_SLOWLY, tmp_path / "data", cache_dir], cwd=ROOT)
    while not list(cache_dir.glob(".*.partial*/images.npy")):
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)
    assert process.poll() is None
    process.kill()
    process.wait()
    (partial,) = folders(cache_dir)
    assert ".partial" in partial
    split = load_split(tmp_path / "data", "train", (64, 64), cache_dir)
    assert folders(cache_dir) == [split.folder.name]
    for index in (0, len(split) - 1):
        pair = find_pairs(tmp_path / "data", "train")[index]
        image, mask = resize_pair(*pair.read(Reading()), (64, 64))
        assert np.array_equal(split.image(index), image)
        assert np.array_equal(split.mask(index), mask)


def test_a_build_that_breaks_off_leaves_no_folder_that_looks_whole(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Pair, "read", broken)
        with pytest.raises(KeyboardInterrupt):
            load_split(data, "val", SIZE, tmp_path / "cache")
    assert folders(tmp_path / "cache") == []
    assert load_split(data, "val", SIZE, tmp_path / "cache").image(0).any()


def test_two_threads_at_once_build_one_good_cache(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: list[Path]
) -> None:
    together, one_at_a_time = threading.Barrier(2), threading.Lock()
    fingerprint = cache._fingerprint

    def meet(pairs: list[Pair], cache_dir: Path) -> str:
        with one_at_a_time:
            found = fingerprint(pairs, cache_dir)
        together.wait(timeout=60)  # neither has built yet
        return found

    monkeypatch.setattr(cache, "_fingerprint", meet)
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(load_split, data, "train", SIZE, tmp_path / "cache") for _ in range(2)]
        splits = [job.result() for job in jobs]
    assert len(built) == 1
    assert np.array_equal(pixels(splits[0])[0], pixels(splits[1])[0])
    assert folders(tmp_path / "cache") == [splits[0].folder.name]


def test_two_threads_may_take_a_fingerprint_at_once(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, replace = threading.Barrier(2), Path.replace

    def meet(self: Path, target: Path) -> Path:
        with suppress(threading.BrokenBarrierError):  # of a lock, if one is held: then they cannot meet
            together.wait(timeout=1)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", meet)
    pairs = find_pairs(data, "train")
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(cache._fingerprint, pairs, tmp_path) for _ in range(2)]
        assert jobs[0].result() == jobs[1].result()


def test_two_processes_at_once_build_one_good_cache(data: Path, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        jobs = [pool.submit(load_split, data, "train", SIZE, tmp_path / "cache") for _ in range(2)]
        splits = [job.result(timeout=60) for job in jobs]
    assert splits[0].folder == splits[1].folder
    assert folders(tmp_path / "cache") == [splits[0].folder.name]
    assert np.array_equal(splits[0].image(0), read_image(find_pairs(data, "train")[0].image))


def test_a_pickled_split_carries_its_path_and_not_the_arrays(data: Path, tmp_path: Path) -> None:
    split = load_split(data, "train", SIZE, tmp_path / "cache")
    pickled = pickle.dumps(split)
    assert len(pickled) < 1000 < pixels(split)[0].nbytes
    again = pickle.loads(pickled)
    assert isinstance(again, CachedSplit)
    assert isinstance(again.image(0), np.memmap)
    assert np.array_equal(pixels(again)[0], pixels(split)[0])
    assert (again.stems, again.fingerprint) == (split.stems, split.fingerprint)


def thin_crack(height: int, width: int) -> UInt8Array:
    """A mask with a crack one pixel wide from corner to corner."""
    mask = np.zeros((height, width), np.uint8)
    cv2.line(mask, (0, 0), (width - 1, height - 1), 1)
    return mask


@st.composite
def masks(draw: Callable[[st.SearchStrategy[int]], int]) -> UInt8Array:
    """Masks of any size with any share of crack pixels, none and all included."""
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    share, seed = draw(st.integers(0, 10)), draw(st.integers(0, 2**32 - 1))
    return (np.random.default_rng(seed).random((height, width)) < share / 10).astype(np.uint8)


@settings(deadline=None)
@given(mask=masks(), height=st.integers(1, 60), width=st.integers(1, 60))
def test_resizing_keeps_the_share_of_crack_pixels(mask: UInt8Array, height: int, width: int) -> None:
    image = np.zeros((*mask.shape, 3), np.uint8)
    small, resized = resize_pair(image, mask, (height, width))
    assert (small.shape, resized.shape) == ((height, width, 3), (height, width))
    assert small.dtype == resized.dtype == np.uint8
    assert set(np.unique(resized).tolist()) <= {0, 1}
    assert abs(int(resized.sum()) - float(mask.mean()) * height * width) <= 0.5 + 1e-6


def test_a_thin_crack_does_not_vanish_and_stays_where_it_is() -> None:
    mask = thin_crack(512, 512)
    _, small = resize_pair(np.zeros((512, 512, 3), np.uint8), mask, (64, 64))
    assert small.sum() == round(512 / 64)
    rows, columns = np.nonzero(small)
    assert (np.abs(rows - columns) <= 1).all()


def test_a_mask_of_the_right_size_is_not_touched() -> None:
    mask = thin_crack(20, 30)
    assert np.array_equal(resize_pair(np.zeros((20, 30, 3), np.uint8), mask, (20, 30))[1], mask)


def test_image_and_mask_stay_aligned_when_they_are_resized() -> None:
    mask = np.zeros((90, 120), np.uint8)
    mask[:45, 60:] = 1
    image = np.repeat(mask[..., None] * 255, 3, axis=2)
    small, resized = resize_pair(image, mask, (30, 40))
    assert np.array_equal(small[..., 0] > 127, resized > 0)


@pytest.mark.parametrize("size", [(32, 32), (20, 44)])
@pytest.mark.parametrize("width", [1, 3])
def test_a_straight_crack_is_thinned_evenly_along_its_length(size: tuple[int, int], width: int) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[:, 20 : 20 + width] = 1
    for turned in (mask, mask.T):
        _, small = resize_pair(np.zeros((64, 64, 3), np.uint8), np.ascontiguousarray(turned), size)
        height, length = size[0] // 2, size[1] // 2
        halves = ((small[:height], small[height:]), (small[:, :length], small[:, length:]))
        first, second = (int(half.sum()) for half in halves[turned is not mask])
        assert abs(first - second) <= 1


def test_masks_without_any_crack_are_refused_with_their_folder(data: Path, tmp_path: Path) -> None:
    for path in (data / "val" / "masks").iterdir():
        path.write_bytes(cv2.imencode(".png", read_mask(path) * 0)[1].tobytes())
    with pytest.raises(UserError, match=r"val/masks hold no crack pixel at all\."):
        load_split(data, "val", SIZE, tmp_path / "cache")
    assert folders(tmp_path / "cache") == []


def test_a_disk_without_room_for_the_arrays_is_one_sentence_and_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("src.data.cache.os.posix_fallocate", full)
    with pytest.raises(UserError, match=r"Cannot write .*: No space left on device; data\.cache_dir"):
        load_split(data, "train", SIZE, tmp_path / "cache")
    assert not folders(tmp_path / "cache")


@pytest.mark.parametrize("spoiled", ["about.json", "images.npy", "masks.npy", "cracks.npy"])
@pytest.mark.parametrize("how", ["empty", "cut", "zeros", "gone"])
def test_a_damaged_cache_is_built_again_with_a_word(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, spoiled: str, how: str
) -> None:
    good = pixels(load_split(data, "val", SIZE, tmp_path / "cache"))
    (folder,) = (tmp_path / "cache").glob("*-32x32")
    content = (folder / spoiled).read_bytes()
    damaged = {"empty": b"", "cut": content[: len(content) * 3 // 4], "zeros": bytes(len(content)), "gone": b""}[how]
    (folder / spoiled).write_bytes(damaged)
    if how == "gone":
        (folder / spoiled).unlink()
    again = pixels(load_split(data, "val", SIZE, tmp_path / "cache"))
    assert all(np.array_equal(one, other) for one, other in zip(good, again, strict=True))
    assert caplog.text.count(f"{folder} is damaged") == 1
    assert folders(tmp_path / "cache") == [folder.name]


def test_a_fingerprint_that_was_lost_in_a_power_cut_does_not_make_two_splits_one(data: Path, tmp_path: Path) -> None:
    for split in ("train", "val"):
        load_split(data, split, SIZE, tmp_path / "cache")
    for path in (tmp_path / "cache").glob("*.fingerprint"):
        path.write_text("")
    train, val = (load_split(data, split, SIZE, tmp_path / "cache") for split in ("train", "val"))
    assert train.folder != val.folder
    assert len(train) != len(val)


def test_another_content_of_the_same_size_and_time_is_other_data(data: Path, tmp_path: Path) -> None:
    path = sorted((data / "val" / "masks").iterdir())[0]
    path.write_bytes(cv2.imencode(".bmp", read_mask(path) * 255)[1].tobytes())
    before, status = load_split(data, "val", SIZE, tmp_path / "cache"), path.stat()
    path.write_bytes(cv2.imencode(".bmp", 255 - read_mask(path) * 255)[1].tobytes())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as rsync -t and unzip do
    assert path.stat().st_size == status.st_size
    after = load_split(data, "val", SIZE, tmp_path / "cache")
    assert after.fingerprint != before.fingerprint
    assert np.array_equal(after.mask(0), 1 - before.mask(0))


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EROFS])
def test_a_drive_without_locks_or_that_is_read_only_is_told_with_the_setting(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(cache.FileLock, "__enter__", refuse)
    with pytest.raises(UserError, match=r"data\.cache_dir to another") as caught:
        load_split(data, "val", SIZE, tmp_path / "cache")
    assert os.strerror(number) in str(caught.value)
