"""Which photographs are the same picture, also turned, mirrored, resized or stored again.

Small versions without their slow changes correlate in one of the eight positions, and then the pictures themselves
agree everywhere (``alike``): a vignette, a frame or a smooth wall that looks like the next one makes no copy.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TypeVar

import cv2
import numpy as np

from src.data.files import Float32Array, UInt8Array
from src.datasets.alike import alike

SIDE, SLOW, LOUDEST = 64, 4.0, 2.5
"""Of the small versions: pixels, standard deviation of the blur that is taken off, and where a pixel is cut."""
FLAT = 0.1
"""Grey levels, the standard deviation below which a small version is constant."""
COPY, SURE = 0.7, 6.0
"""Correlation of small versions, and standard deviations beyond chance, from which two pictures are the same."""
ENOUGH = 12
"""Pictures from which on most of them tell what all have in common."""
ROWS = 512
"""Pictures that are compared with all others at a time."""
EVERYWHERE = 0.2
"""Share of blocks that may agree less, as under a date that one of them bears."""
STILL = np.eye(2, 3, dtype=np.float32)

Picture = TypeVar("Picture", Float32Array, UInt8Array)


def copies(greys: Sequence[UInt8Array]) -> Iterator[tuple[int, int]]:
    """Pairs of grey pictures that are the same in one of eight positions."""
    first: dict[tuple[tuple[int, ...], bytes], int] = {}
    for index, grey in enumerate(greys):
        if grey.any() and grey.min() < grey.max():  # constant ones are the same as nothing
            one = first.setdefault(content(grey), index)
            if one != index:
                yield one, index
    alone = list(first.values())
    yield from ((alone[one], alone[other]) for one, other in near([greys[index] for index in alone]))


def content(grey: UInt8Array) -> tuple[tuple[int, ...], bytes]:
    """The same for the same pixels; pictures can be put in order by it, whatever their files are called."""
    return grey.shape, hashlib.sha256(np.ascontiguousarray(grey).data).digest()


def near(greys: Sequence[UInt8Array]) -> Iterator[tuple[int, int]]:
    """Pairs of different pixels that are the same picture."""
    if not greys:
        return
    found: set[tuple[int, int]] = set()
    small = thumbnails(greys)
    own = small.reshape(len(small), -1)
    for position in range(8):
        turned = np.stack([in_position(one, position) for one in small]).reshape(len(small), -1)
        for begin in range(0, len(own), ROWS):
            likeness = own[begin : begin + ROWS] @ turned.T
            for row, other in np.argwhere(likeness >= COPY).tolist():
                pair = (begin + row, other)
                if pair[0] < other and pair not in found and is_same(greys[pair[0]], greys[other], position):
                    found.add(pair)
                    yield pair


def thumbnails(greys: Sequence[UInt8Array]) -> Float32Array:
    """(N, SIDE, SIDE) of length 1, without what most of them have in common, as a frame; 0 where nothing is left."""
    found = np.stack([thumbnail(grey) for grey in greys])
    if len(found) >= ENOUGH:
        found = found - np.median(found, axis=0)
    found = found - found.mean(axis=(1, 2), keepdims=True)
    lengths = np.linalg.norm(found, axis=(1, 2), keepdims=True)
    return (found / np.maximum(lengths, 1.0)).astype(np.float32)


def thumbnail(grey: UInt8Array) -> Float32Array:
    """(SIDE, SIDE) without slow changes, in robust standard deviations; 0 if it is constant."""
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= cv2.GaussianBlur(small, (0, 0), SLOW)
    if small.std() < FLAT:
        return np.zeros_like(small)
    spread = 1.4826 * float(np.median(np.abs(small))) + 0.1
    return np.clip(small / spread, -LOUDEST, LOUDEST).astype(np.float32)


def in_position(picture: Picture, position: int) -> Picture:
    """One of the eight: mirrored or not, and turned by quarters."""
    return np.rot90(picture[:, ::-1] if position >= 4 else picture, position % 4)


def is_same(one: UInt8Array, other: UInt8Array, position: int) -> bool:
    """Whether the pictures themselves agree, when ``other`` is turned and both are as large as the smaller."""
    other = np.ascontiguousarray(in_position(other, position))
    size = min((one.shape, other.shape), key=lambda shape: shape[0] * shape[1])[::-1]
    one, other = (cv2.resize(each, size, interpolation=cv2.INTER_AREA).astype(np.uint8) for each in (one, other))
    return alike(one, other, STILL, EVERYWHERE) >= SURE
