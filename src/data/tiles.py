"""Predicts photographs of any size with a network of fixed input size: overlapping tiles, blended into one map.

The map is yielded in bands from top to bottom, so that a large photograph needs little more memory than itself.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from src.data.files import STRIP, Float32Array, UInt8Array

Predict = Callable[[UInt8Array], Float32Array]
"""Tiles (N, height, width, 3) uint8 to probabilities (N, height, width)."""
Size = tuple[int, int]
"""Height and width in pixels."""


class Rows(Protocol):
    """A photograph (H, W, 3) uint8 whose rows can be read: an array, or a file."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice, /) -> UInt8Array: ...


def predict_rows(image: Rows, predict: Predict, tile: Size, overlap: float, at_once: int = 1) -> Iterator[Float32Array]:
    """Probabilities of a photograph (H, W, 3), in bands (rows, W) of at most ``STRIP`` pixels.

    Tiles share ``overlap`` of their side; ``predict`` gets at most ``at_once`` of them. A smaller photograph is
    mirrored at its edges to the size of a tile. Where tiles overlap, a tile's weight grows with the distance of the
    pixel from the tile's edge; the weights of a pixel add up to 1.
    """
    height, width = image.shape[:2]
    enlarged = max(height, tile[0]), max(width, tile[1])
    rows = list(weighted_starts(enlarged[0], tile[0], overlap))
    columns = list(weighted_starts(enlarged[1], tile[1], overlap))
    strip = max(1, STRIP // width)
    ends = [*(top for top, _ in rows[1:]), enlarged[0]]
    band = np.zeros((tile[0], enlarged[1]), np.float32)  # the weighted sum of the tiles so far, from row ``top`` on
    for (top, down), end in zip(rows, ends, strict=True):
        seen = mirrored(image[top : top + tile[0]], tile)
        for begin in range(0, len(columns), at_once):
            some = columns[begin : begin + at_once]
            tiles = np.stack([seen[:, left : left + tile[1]] for left, _ in some])
            for (left, across), probs in zip(some, predict(tiles), strict=True):
                band[:, left : left + tile[1]] += probs * np.outer(down, across)
        done = band[: min(end, height) - top, :width]
        for begin in range(0, len(done), strip):
            yield done[begin : begin + strip]
        band = np.concatenate([band[end - top :], np.zeros((end - top, band.shape[1]), np.float32)])


def stretched(bands: Iterable[Float32Array], seen: Size, size: Size) -> Iterator[Float32Array]:
    """Resize a map from the size ``seen`` to ``size``, band by band: bilinear, equal to OpenCV's."""
    at = np.clip((np.arange(size[0]) + 0.5) * (seen[0] / size[0]) - 0.5, 0, seen[0] - 1)
    above = at.astype(int)
    below = np.minimum(above + 1, seen[0] - 1)
    share = (at - above).astype(np.float32)[:, None]
    chunk = max(1, STRIP // size[1])
    held, first, done = np.empty((0, size[1]), np.float32), 0, 0  # ``held`` begins with the row ``first`` of the map
    for band in bands:
        held = np.concatenate([held, cv2.resize(band, (size[1], len(band)), interpolation=cv2.INTER_LINEAR)])
        ready = int(np.searchsorted(below, first + len(held)))
        for begin in range(done, ready, chunk):
            rows = slice(begin, min(begin + chunk, ready))
            mixed = held[above[rows] - first] * (1 - share[rows]) + held[below[rows] - first] * share[rows]
            yield mixed.astype(np.float32, copy=False)
        done = ready
        needed = min(int(above[done]) if done < size[0] else seen[0], first + len(held))
        held, first = held[needed - first :], needed


def mirrored(image: UInt8Array, size: Size) -> UInt8Array:
    """Enlarge an image (H, W[, 3]) to at least ``size`` by mirroring it at the lower and the right edge."""
    below, right = max(size[0] - image.shape[0], 0), max(size[1] - image.shape[1], 0)
    if not below and not right:
        return image
    return cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REFLECT_101).astype(np.uint8, copy=False)


def weighted_starts(length: int, tile: int, overlap: float) -> Iterator[tuple[int, Float32Array]]:
    """The start and the weights of each tile along one side; at every pixel the weights add up to 1."""
    begins = starts(length, tile, max(1, round(tile * (1 - overlap))))
    ramp = np.minimum(np.arange(1, tile + 1), np.arange(tile, 0, -1)).astype(np.float64)
    total: npt.NDArray[np.float64] = np.zeros(length)
    for start in begins:
        total[start : start + tile] += ramp
    for start in begins:
        yield start, (ramp / total[start : start + tile]).astype(np.float32)


def starts(length: int, tile: int, step: int) -> list[int]:
    """The starts of tiles along a side, evenly spread and at most ``step`` pixels apart, to cover the whole side."""
    count = -(-(length - tile) // step) + 1
    return np.linspace(0, length - tile, count).round().astype(int).tolist()
