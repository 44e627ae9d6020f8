"""Photographs of any size by a network of one: overlapping tiles, blended into one map of probabilities."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from src.data.files import Float32Array, UInt8Array

Predict = Callable[[UInt8Array], Float32Array]
"""(tile height, tile width, 3) uint8 to the same height and width of probabilities."""


def predict_tiled(image: UInt8Array, predict: Predict, tile: tuple[int, int], overlap: float) -> Float32Array:
    """Probabilities (H, W) of a photograph (H, W, 3), by tiles (height, width) that share ``overlap`` of their side.

    A smaller photograph is mirrored at its edges to the size of a tile. Where tiles overlap, each counts the more the
    farther the pixel is from the tile's edge; the weights of a pixel add up to 1.
    """
    height, width = image.shape[:2]
    below, right = max(tile[0] - height, 0), max(tile[1] - width, 0)
    if below or right:
        image = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REFLECT_101).astype(np.uint8, copy=False)
    probs = np.zeros(image.shape[:2], np.float32)
    for top, down in weighted_starts(image.shape[0], tile[0], overlap):
        for left, across in weighted_starts(image.shape[1], tile[1], overlap):
            place = slice(top, top + tile[0]), slice(left, left + tile[1])
            probs[place] += predict(np.ascontiguousarray(image[place])) * np.outer(down, across)
    return probs[:height, :width]


def weighted_starts(length: int, tile: int, overlap: float) -> Iterator[tuple[int, Float32Array]]:
    """Where tiles begin along one side, evenly spread, and each one's weights; at every pixel these add up to 1."""
    begins = starts(length, tile, max(1, round(tile * (1 - overlap))))
    ramp = np.minimum(np.arange(1, tile + 1), np.arange(tile, 0, -1)).astype(np.float64)
    total: npt.NDArray[np.float64] = np.zeros(length)
    for start in begins:
        total[start : start + tile] += ramp
    for start in begins:
        yield start, (ramp / total[start : start + tile]).astype(np.float32)


def starts(length: int, tile: int, step: int) -> list[int]:
    """Where tiles begin along a side, evenly spread and at most ``step`` pixels apart; the last one ends at its end."""
    count = -(-(length - tile) // step) + 1
    return np.linspace(0, length - tile, count).round().astype(int).tolist()
