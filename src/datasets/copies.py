"""Finds copies: photographs of the same content, also turned, mirrored, resized or saved again.

Two pictures are copies if their thumbnails, without slow changes of brightness, correlate in one of the eight
orientations, and if the pictures themselves then agree everywhere (``agreement_z``). A vignette, a frame or similar
smooth walls are therefore no copies.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TypeVar

import cv2
import numpy as np

from src.data.files import Float32Array, UInt8Array
from src.datasets.alike import agreement_z

SIDE = 64
"""Pixels of a thumbnail's side."""
SLOW = 4.0
"""Standard deviation, in pixels of the thumbnail, of the blur that is subtracted."""
LOUDEST = 2.5
"""Robust standard deviations at which a pixel of the thumbnail is clipped."""
FLAT = 0.1
"""Standard deviation in grey levels below which a thumbnail is constant."""
COPY = 0.7
"""Correlation of thumbnails from which two pictures are compared themselves."""
SURE = 6.0
"""Standard deviations beyond chance from which two pictures are copies."""
ENOUGH = 12
"""Pictures that are needed to find what all of them have in common."""
ROWS = 512
"""Pictures that are compared with all others at a time."""
EVERYWHERE = 0.2
"""Share of blocks that may agree less, as under a date that is printed on one of them."""
STILL = np.eye(2, 3, dtype=np.float32)

Picture = TypeVar("Picture", Float32Array, UInt8Array)


def copies(greys: Sequence[UInt8Array]) -> Iterator[tuple[int, int]]:
    """Pairs of grey pictures that are the same in one of the eight orientations."""
    first: dict[tuple[tuple[int, ...], bytes], int] = {}
    for index, grey in enumerate(greys):
        if grey.any() and grey.min() < grey.max():  # constant pictures have no copies
            one = first.setdefault(content(grey), index)
            if one != index:
                yield one, index
    alone = list(first.values())
    yield from ((alone[one], alone[other]) for one, other in near_copies([greys[index] for index in alone]))


def content(grey: UInt8Array) -> tuple[tuple[int, ...], bytes]:
    """A key that is equal for equal pixels. Pictures are sorted by it, so that file names do not matter."""
    return grey.shape, hashlib.sha256(np.ascontiguousarray(grey).data).digest()


def near_copies(greys: Sequence[UInt8Array]) -> Iterator[tuple[int, int]]:
    """Pairs of pictures that have different pixels but the same content."""
    if not greys:
        return
    found: set[tuple[int, int]] = set()
    small = thumbnails(greys)
    own = small.reshape(len(small), -1)
    for orientation in range(8):
        turned = np.stack([oriented(one, orientation) for one in small]).reshape(len(small), -1)
        for begin in range(0, len(own), ROWS):
            likeness = own[begin : begin + ROWS] @ turned.T
            for row, other in np.argwhere(likeness >= COPY).tolist():
                pair = (begin + row, other)
                if pair[0] < other and pair not in found and is_same(greys[pair[0]], greys[other], orientation):
                    found.add(pair)
                    yield pair


def thumbnails(greys: Sequence[UInt8Array]) -> Float32Array:
    """(N, SIDE, SIDE) of norm 1, without what most pictures have in common, such as a frame; 0 if nothing is left."""
    found = np.stack([thumbnail(grey) for grey in greys])
    if len(found) >= ENOUGH:
        found = found - np.median(found, axis=0)
    found = found - found.mean(axis=(1, 2), keepdims=True)
    lengths = np.linalg.norm(found, axis=(1, 2), keepdims=True)
    return (found / np.maximum(lengths, 1.0)).astype(np.float32)


def thumbnail(grey: UInt8Array) -> Float32Array:
    """(SIDE, SIDE) without slow changes, in robust standard deviations; 0 if the picture is constant."""
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= cv2.GaussianBlur(small, (0, 0), SLOW)
    if small.std() < FLAT:
        return np.zeros_like(small)
    spread = 1.4826 * float(np.median(np.abs(small))) + 0.1
    return np.clip(small / spread, -LOUDEST, LOUDEST).astype(np.float32)


def oriented(picture: Picture, orientation: int) -> Picture:
    """The picture in one of the eight orientations: mirrored or not, and turned by quarters."""
    return np.rot90(picture[:, ::-1] if orientation >= 4 else picture, orientation % 4)


def is_same(one: UInt8Array, other: UInt8Array, orientation: int) -> bool:
    """Whether two pictures agree after ``other`` is turned and both are resized to the smaller size."""
    other = np.ascontiguousarray(oriented(other, orientation))
    size = min((one.shape, other.shape), key=lambda shape: shape[0] * shape[1])[::-1]
    one, other = (cv2.resize(each, size, interpolation=cv2.INTER_AREA).astype(np.uint8) for each in (one, other))
    return agreement_z(one, other, STILL, EVERYWHERE) >= SURE
