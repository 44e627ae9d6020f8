"""Decoded, resized images, once per machine: uint8 arrays on disk that every process maps instead of decoding.

A cache folder is named by what it holds (the bytes of all files of the split, and the size), so changed data gets a
new one. It is built beside and renamed, under a lock: it is there whole or not at all.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast
from uuid import uuid4

import cv2
import numpy as np
from filelock import FileLock

from src.data.files import Float32Array, UInt8Array
from src.data.pairs import Pair, find_pairs
from src.errors import UserError
from src.schema import Data

RULES = 4  # raise it when decoding or resizing changes: other pixels must not look like the same data


class CachedSplit:
    """One split, mapped into memory: ``images`` (N, H, W, 3) uint8 RGB and ``masks`` (N, H, W) uint8 in {0, 1}."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        about = cast(dict[str, object], json.loads((folder / "about.json").read_text()))
        self.stems = tuple(cast(list[str], about["stems"]))
        self.fingerprint = str(about["fingerprint"])
        """Hash of the content of all image and mask files, whatever the size they are resized to."""
        self.scale = cast(tuple[float, float], tuple(cast(list[float], about["scale"])))
        """Height and width of the cached images by those of the files, the median of all."""
        self.images: UInt8Array = np.load(folder / "images.npy", mmap_mode="r")
        self.masks: UInt8Array = np.load(folder / "masks.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self.stems)

    def __reduce__(self) -> tuple[type["CachedSplit"], tuple[Path]]:
        return CachedSplit, (self.folder,)  # a loader's worker maps the files again instead of copying the arrays


def load_split(root: Path, split: str, image_size: tuple[int, int], cache_dir: Path) -> CachedSplit:
    """The split at ``image_size`` (height, width), built on first use. A bad file is a ``UserError`` that names it."""
    pairs = find_pairs(root, split)
    cache_dir.mkdir(parents=True, exist_ok=True)
    fingerprint = _fingerprint(pairs, cache_dir)
    folder = cache_dir / f"{fingerprint}-{image_size[0]}x{image_size[1]}"
    if not folder.is_dir():
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                _build(pairs, fingerprint, image_size, folder)
    return CachedSplit(folder)


def data_fingerprint(data: Data) -> str:
    """Which data a network is trained on and chosen by: the hashes of the training and the validation split."""
    splits = (load_split(data.root, split, data.image_size, data.cache_dir) for split in ("train", "val"))
    return "-".join(split.fingerprint for split in splits)


def resize_pair(image: UInt8Array, mask: UInt8Array, size: tuple[int, int]) -> tuple[UInt8Array, UInt8Array]:
    """Resize to ``size`` (height, width); the mask keeps its share of crack pixels.

    A crack thinner than half a new pixel would vanish if the averaged mask were cut at 0.5, and would swell if it were
    cut above 0. So as many pixels become crack as the crack covers, those that hold most of it; of equal ones, which a
    straight crack has all along, evenly many from top to bottom.
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
    """The ``count`` pixels with the largest cover as 1, the others as 0."""
    if not count:
        return np.zeros(cover.shape, np.uint8)
    levels = np.round(cover * 1024).ravel()  # what differs by rounding alone is equal
    lowest = np.partition(levels, -count)[-count]
    chosen = (levels > lowest).astype(np.uint8)
    ties = np.flatnonzero(levels == lowest)
    missing = count - int(chosen.sum())
    chosen[ties[((np.arange(missing) + 0.5) * len(ties) / missing).astype(int)]] = 1
    return chosen.reshape(cover.shape)


def _fingerprint(pairs: Sequence[Pair], cache_dir: Path) -> str:
    """Hash of the content of all files; remembered by their names, sizes and times, so that a second look is cheap."""
    paths = [path for pair in pairs for path in pair]
    looks = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    memory = cache_dir / f"{hashlib.sha256(json.dumps([RULES, looks]).encode()).hexdigest()[:24]}.fingerprint"
    if memory.is_file():
        return memory.read_text()
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(lambda path: hashlib.sha256(path.read_bytes()).hexdigest(), paths))
    names = [(path.stem, digest) for path, digest in zip(paths, digests, strict=True)]
    fingerprint = hashlib.sha256(json.dumps([RULES, names]).encode()).hexdigest()[:16]
    beside = memory.with_suffix(f".{uuid4().hex[:8]}")
    beside.write_text(fingerprint)
    beside.replace(memory)
    return fingerprint


def _build(pairs: Sequence[Pair], fingerprint: str, size: tuple[int, int], folder: Path) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed; we hold the lock
    partial.mkdir()
    shape = (len(pairs), *size)
    images = np.lib.format.open_memmap(partial / "images.npy", mode="w+", dtype=np.uint8, shape=(*shape, 3))
    masks = np.lib.format.open_memmap(partial / "masks.npy", mode="w+", dtype=np.uint8, shape=shape)

    scales = np.empty((len(pairs), 2))

    def fill(index: int) -> None:
        image, mask = pairs[index].read()
        scales[index] = size[0] / mask.shape[0], size[1] / mask.shape[1]
        images[index], masks[index] = resize_pair(image, mask, size)

    with ThreadPoolExecutor() as pool:  # decoding and resizing release the interpreter's lock
        list(pool.map(fill, range(len(pairs))))
    if not masks.any():
        shutil.rmtree(partial)
        raise UserError(
            f"The masks in {pairs[0].mask.parent} hold no crack pixel at all. Crack is what is bright on dark; "
            "`python -m src.prepare` has --crack-colour for other masks."
        )
    images.flush()
    masks.flush()
    scale = [float(value) for value in np.median(scales, axis=0)]
    about = {"fingerprint": fingerprint, "scale": scale, "stems": [pair.image.stem for pair in pairs]}
    (partial / "about.json").write_text(json.dumps(about))
    partial.replace(folder)
