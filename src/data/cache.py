"""Cache of decoded, resized images: uint8 arrays on disk that every process maps into memory instead of decoding.

A cache folder is named by its content (a hash of all files of the split, and the size), so changed data gets a new
folder. It is built under a lock, under another name, and then renamed, so it is never incomplete. One that was damaged
later, by a power failure or by a program that cleans up temporary files, is built again. For crops the photographs are
stored at their own sizes, one after the other.
"""

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt
from filelock import FileLock
from numpy.lib.format import open_memmap
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from src.atomic import new_folder, replace_text
from src.config.schema import Data
from src.cores import available_cores
from src.data.files import Float32Array, UInt8Array, upright_size
from src.data.pairs import Pair, all_photographs, find_pairs
from src.data.reading import Reading, choose_rules
from src.errors import UserError

log = logging.getLogger(__name__)

AT_ONCE = 2**27
"""Pixels of photographs that are decoded at the same time, at most; each takes about 8 bytes."""
RULES = 7  # raise it when decoding or resizing changes: other pixels must not look like the same data
FINGERPRINT = re.compile(r"[0-9a-f]{16}")

Int32Array = npt.NDArray[np.int32]


class CachedSplit:
    """One split, mapped into memory: for each pair an image (H, W, 3) uint8 RGB and a mask (H, W) uint8 in {0, 1}."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        about = cast(dict[str, object], json.loads((folder / "about.json").read_text()))
        self.stems = tuple(cast(list[str], about["stems"]))
        self.fingerprint = str(about["fingerprint"])
        """Hash of the content of all image and mask files; it does not depend on the size to which they are resized."""
        self.scale = cast(tuple[float, float], tuple(cast(list[float], about["scale"])))
        """Height and width of the cached images divided by those of the files; the median of all."""
        self.crack = cast(list[int] | None, about["crack"])
        """The colour of crack in the masks' files, if they have two values (``src.data.masks.MaskRule``)."""
        self.sizes = cast(list[tuple[int, int]], about["sizes"])
        """Height and width of each image in pixels."""
        self._starts = _starts([height * width for height, width in self.sizes])
        self._rows = _starts([height for height, _ in self.sizes])
        self._images: UInt8Array = np.load(folder / "images.npy", mmap_mode="r")
        self._masks: UInt8Array = np.load(folder / "masks.npy", mmap_mode="r")
        self._cracks: Int32Array = np.load(folder / "cracks.npy", mmap_mode="r")
        lengths = len(self._images), len(self._masks), len(self._cracks)
        if lengths != (self._starts[-1], self._starts[-1], self._rows[-1]) or len(self.sizes) != len(self.stems):
            raise ValueError(f"arrays of {lengths}, expected {self._starts[-1]} pixels in {self._rows[-1]} rows")

    def __len__(self) -> int:
        return len(self.stems)

    def image(self, index: int) -> UInt8Array:
        return self._images[self._starts[index] : self._starts[index + 1]].reshape(*self.sizes[index], 3)

    def mask(self, index: int) -> UInt8Array:
        return self._masks[self._starts[index] : self._starts[index + 1]].reshape(self.sizes[index])

    def crack_rows(self, index: int) -> Int32Array:
        """Crack pixels in each row of a mask, (H,)."""
        return self._cracks[self._rows[index] : self._rows[index + 1]]

    def sample(self, index: int, epoch: int = 0) -> tuple[UInt8Array, UInt8Array]:
        """Image and mask, the same in every epoch."""
        return self.image(index), self.mask(index)

    def __reduce__(self) -> tuple[type["CachedSplit"], tuple[Path]]:
        return CachedSplit, (self.folder,)  # a loader's worker maps the files again instead of copying the arrays


def open_split(data: Data, split: str) -> CachedSplit:
    """The split at ``data.image_size`` or, for crops, at the photographs' own sizes."""
    size = data.image_size if data.crop.name == "none" else None
    return load_split(data.root, split, size, data.cache_dir, data.bits)


def load_split(
    root: Path, split: str, image_size: tuple[int, int] | None, cache_dir: Path, bits: int | None = None
) -> CachedSplit:
    """The split at ``image_size`` (height, width) or at its own sizes, built on first use; ``bits`` is ``data.bits``.

    A bad file is a ``UserError`` that names it; so are masks that have no common rule.
    """
    pairs = find_pairs(root, split)
    with cache_errors(cache_dir):
        cache_dir.mkdir(parents=True, exist_ok=True)
    fingerprint = _fingerprint(pairs, cache_dir)
    size = f"{image_size[0]}x{image_size[1]}" if image_size else "whole"
    folder = cache_dir / f"{fingerprint}-{size}{f'-{bits}bit' if bits else ''}"
    if (found := _opened(folder)) is not None:
        return found
    with cache_errors(cache_dir), FileLock(f"{folder}.lock"):
        if (found := _opened(folder)) is not None:  # another process has built it since
            return found
        if folder.is_dir():
            log.warning("%s is damaged and is built again.", folder)
        reading = choose_rules([pair.mask for pair in pairs], all_photographs(root, pairs), bits)
        _build(pairs, reading, fingerprint, image_size, folder)
        return CachedSplit(folder)


@contextmanager
def cache_errors(cache_dir: Path) -> Generator[None]:
    """Turn an ``OSError`` within into a ``UserError`` that names ``data.cache_dir``: some disks lack locks or space."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot use {error.filename or cache_dir} for decoded images: {error.strerror}. Set "
            "data.cache_dir to another folder, best on a local disk."
        ) from error


def _opened(folder: Path) -> CachedSplit | None:
    """The content of a cache folder; None if it does not exist or is damaged."""
    try:
        return CachedSplit(folder)
    except (FileNotFoundError, EOFError, ValueError, KeyError, TypeError):
        return None


def data_fingerprint(data: Data) -> str:
    """Identifies the data of a training: the hashes of the training and the validation split."""
    return "-".join(open_split(data, split).fingerprint for split in ("train", "val"))


def resize_pair(image: UInt8Array, mask: UInt8Array, size: tuple[int, int]) -> tuple[UInt8Array, UInt8Array]:
    """Resize to ``size`` (height, width); the mask keeps its share of crack pixels.

    A crack thinner than half a new pixel would vanish if the averaged mask were thresholded at 0.5, and would swell at
    0. So as many pixels become crack as the crack covers, beginning with those that contain most of it. Among equal
    pixels, as along a straight crack, they are chosen evenly from top to bottom.
    """
    if image.shape[:2] == size:
        return image, mask
    width_height = size[::-1]
    shrinks = size[0] * size[1] < mask.size
    small = cv2.resize(image, width_height, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    cover = cv2.resize(
        mask.astype(np.float32), width_height, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    ).astype(np.float32, copy=False)
    count = round(float(mask.mean()) * cover.size)
    return small.astype(np.uint8, copy=False), _fullest(cover, count)


def _fullest(cover: Float32Array, count: int) -> UInt8Array:
    """1 for the ``count`` pixels with the largest cover, 0 for the others."""
    if not count:
        return np.zeros(cover.shape, np.uint8)
    levels = np.round(cover * 1024).ravel()  # values that differ only by rounding are equal
    lowest = np.partition(levels, -count)[-count]
    chosen = (levels > lowest).astype(np.uint8)
    ties = np.flatnonzero(levels == lowest)
    missing = count - int(chosen.sum())
    chosen[ties[((np.arange(missing) + 0.5) * len(ties) / missing).astype(int)]] = 1
    return chosen.reshape(cover.shape)


def _fingerprint(pairs: Sequence[Pair], cache_dir: Path) -> str:
    """Hash of the content of all files. It is stored under a hash of their names, sizes and times, to be fast later."""
    paths = [path for pair in pairs for path in pair]
    stamps = [_stamp(path) for path in paths]
    memory = cache_dir / f"{hashlib.sha256(json.dumps([RULES, stamps]).encode()).hexdigest()[:24]}.fingerprint"
    if memory.is_file() and FINGERPRINT.fullmatch(
        known := memory.read_text()
    ):  # a power failure can leave an empty one
        return known
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(lambda path: hashlib.sha256(path.read_bytes()).hexdigest(), paths))
    names = [(path.stem, digest) for path, digest in zip(paths, digests, strict=True)]
    fingerprint = hashlib.sha256(json.dumps([RULES, names]).encode()).hexdigest()[:16]
    with cache_errors(cache_dir):
        replace_text(memory, fingerprint)
    return fingerprint


def _stamp(path: Path) -> tuple[str, int, int, int]:
    """Path, size and times of a file.

    ``rsync -t`` and ``unzip`` can give new content the same size and modification time, but ctime cannot be set.
    """
    status = path.stat()
    return str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _build(
    pairs: Sequence[Pair], reading: Reading, fingerprint: str, size: tuple[int, int] | None, folder: Path
) -> None:
    try:
        with new_folder(folder) as partial:
            _fill(pairs, reading, fingerprint, size, partial)
            shutil.rmtree(folder, ignore_errors=True)  # a damaged one
    except OSError as error:
        raise UserError(f"Cannot write {folder}: {error.strerror}; data.cache_dir sets its place.") from error


def _fill(
    pairs: Sequence[Pair], reading: Reading, fingerprint: str, size: tuple[int, int] | None, partial: Path
) -> None:
    files = [upright_size(pair.image) for pair in pairs]
    sizes = [size or file for file in files]
    starts, rows = _starts([height * width for height, width in sizes]), _starts([height for height, _ in sizes])
    images = _new_array(partial / "images.npy", (starts[-1], 3))
    masks = _new_array(partial / "masks.npy", (starts[-1],))
    cracks = np.zeros(rows[-1], np.int32)

    def fill(index: int) -> None:
        image, mask = resize_pair(*pairs[index].read(reading), sizes[index])
        images[starts[index] : starts[index + 1]] = image.reshape(-1, 3)
        masks[starts[index] : starts[index + 1]] = mask.ravel()
        cracks[rows[index] : rows[index + 1]] = mask.sum(axis=1)

    fill_all(fill, [height * width for height, width in files], f"Decoding {pairs[0].image.parent}")
    if not cracks.any():
        raise UserError(
            f"The masks in {pairs[0].mask.parent} hold no crack pixel at all. Crack must be bright on dark; for other "
            "masks, use `python -m src.prepare` with --crack-colour or --crack-above."
        )
    images.flush()
    masks.flush()
    np.save(partial / "cracks.npy", cracks)
    about = {
        "fingerprint": fingerprint,
        "scale": np.median(np.divide(sizes, files), axis=0).tolist(),
        "sizes": sizes,
        "stems": [pair.image.stem for pair in pairs],
        "crack": reading.mask_rule.crack,
    }
    (partial / "about.json").write_text(json.dumps(about))


def _new_array(path: Path, shape: tuple[int, ...]) -> "np.memmap[Any, np.dtype[np.uint8]]":
    """A mapped array in a new file. Its space is allocated first: writing to a mapped file on a full disk is fatal."""
    array = open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def fill_all(fill: Callable[[int], None], pixels: Sequence[int], title: str) -> None:
    """Call ``fill(index)`` for each file on all cores, with a progress bar if stderr is a terminal.

    ``pixels`` holds the size of each file: of large photographs, fewer are decoded at once. Threads are enough, because
    decoding and resizing release the interpreter's lock.
    """
    at_once = min(available_cores(), max(1, AT_ONCE // max(pixels)))
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with (
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
        ThreadPoolExecutor(at_once) as pool,
    ):
        task = bar.add_task(title, total=len(pixels))
        for _ in pool.map(fill, range(len(pixels))):
            bar.advance(task)


def _starts(lengths: Sequence[int]) -> list[int]:
    """The start of each of several consecutive pieces, and the end of the last."""
    return [0, *accumulate(lengths)]
