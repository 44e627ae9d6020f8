"""Tests whether two pictures show the same surface where one is laid on the other.

A few features or a dark line may agree by chance, or since both pictures hold the same logo or the same frame. Road of
one place agrees everywhere: stone by stone, over the whole piece that both show, and nowhere else than where it lies.
So the piece is cut into blocks, the middle one of their correlations is taken (a logo or a crack lies in a few of
them), and that is measured by what the same blocks say when the one picture is moved a little.
"""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
from scipy.fft import irfft2, rfft2

from src.data.files import Float32Array, UInt8Array

FINE, COARSE = 1.5, 10.0
"""Pixels, standard deviations of blurs: grain of the camera is below the one, shadows and vignettes above the other."""
LOUDEST = 2.5
"""Robust standard deviations at which a pixel is cut, so that no stone outweighs the rest."""
GLARING = 12.0
"""Robust standard deviations beyond which a pixel, and what a blur spreads it over, does not count: that is the edge of
a frame, letters, lines or a dark crack.
"""
BLOCKS = (12, 32)
"""Least and most pixels of a block's side."""
MANY, COVERED, FEWEST = 24, 0.6, 8
"""About so many blocks a piece has at least, the share of one that both pictures must show, and blocks below which
nothing can be said."""
LEAST = 3.0
"""Standard deviations beyond chance, below which nobody asks how many exactly."""
ELSEWHERE = 1.3
"""So many times as much as at any other place must pictures agree where they are laid: paving repeats itself."""


def rough(picture: UInt8Array, scale: float = 1.0) -> tuple[Float32Array, npt.NDArray[np.bool_]]:
    """A picture without its finest and its slow changes, cut at ``LOUDEST``, and where it is plain: not near to what
    is ``GLARING``. ``scale`` widens the blurs.
    """
    edge = min(round(3 * COARSE * scale), min(picture.shape) - 1)
    grey = np.pad(picture.astype(np.float32), edge, mode="reflect", reflect_type="odd")  # a slope goes on as it is
    found = cv2.GaussianBlur(grey, (0, 0), FINE * scale) - cv2.GaussianBlur(grey, (0, 0), COARSE * scale)
    found = found[edge : len(found) - edge, edge : found.shape[1] - edge]
    spread = 1.4826 * float(np.median(np.abs(found))) + 0.1  # half a grey level is what rounding makes
    around = np.ones((2 * round(COARSE * scale) + 1,) * 2, np.uint8)
    glaring = cv2.dilate((np.abs(found) > GLARING * spread).astype(np.uint8), around)
    return np.clip(found / spread, -LOUDEST, LOUDEST).astype(np.float32), glaring == 0


def alike(one: UInt8Array, other: UInt8Array, matrix: Float32Array, share: float = 0.5) -> float:
    """How many standard deviations beyond chance ``one``, moved by ``matrix`` (2, 3), agrees with ``other``; or 0.

    All but a ``share`` of the blocks agree so well: half of those of two photographs, which no shift lays on each other
    exactly.
    """
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale > 1:  # the larger is shrunk: enlarging makes no detail
        return alike(other, one, cv2.invertAffineTransform(matrix).astype(np.float32), share)
    size = (other.shape[1], other.shape[0])
    (mine, plain), (its, also_plain) = rough(one, 1 / scale), rough(other)
    moved = cv2.warpAffine(mine, matrix, size)
    covered = (cv2.warpAffine(plain.astype(np.float32), matrix, size) > 0.99) & also_plain
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    if not len(rows):
        return 0.0
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return beyond_chance(moved[box].astype(np.float32), its[box], covered[box].astype(np.float32), share)


def beyond_chance(moved: Float32Array, fixed: Float32Array, covered: Float32Array, share: float) -> float:
    """What all but a ``share`` of the blocks correlate by, in standard deviations of a median at other places of
    ``moved``; 0 if it is not far above what is there.
    """
    side = int(np.clip(np.sqrt(covered.sum() / MANY), *BLOCKS))
    own = correlations(moved, fixed, covered, side)
    if len(own) < FEWEST:
        return 0.0
    agreed, others = float(np.quantile(own, share)), [0.0]
    of_a_median = 1.2533 / float(np.sqrt(len(own)))
    spreads = [float(np.sqrt(4 * np.pi) * FINE / side)]  # at least: what blocks of noise have that is as smooth
    if agreed < LEAST * spreads[0] * of_a_median:
        return 0.0
    for move in (*places(side), next_best(moved * covered, fixed * covered, side // 2)):
        shown = covered * np.roll(covered, move, axis=(0, 1))
        blocks = correlations(np.roll(moved, move, axis=(0, 1)), fixed, shown, side)
        if len(blocks) >= FEWEST:
            others.append(float(np.median(blocks)))
            spreads.append(float(blocks.std()))
    if agreed < ELSEWHERE * max(others):
        return 0.0
    return agreed / (of_a_median * max(spreads[0], float(np.mean(spreads))))


def places(side: int) -> Iterator[tuple[int, int]]:
    """Sixteen moves, about half a block and a whole one to all sides."""
    for step in (side // 2 + 1, side - 3):
        yield from ((step * down, step * right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right)


def next_best(moved: Float32Array, fixed: Float32Array, away: int) -> tuple[int, int]:
    """The move by more than ``away`` pixels after which they agree most: paving, moved by a stone, agrees again."""
    spectra = np.asarray(rfft2(fixed)) * np.asarray(rfft2(moved)).conj()
    likeness = np.asarray(irfft2(spectra, s=fixed.shape))
    near = [np.minimum(steps, length - steps) <= away for length in fixed.shape for steps in [np.arange(length)]]
    likeness[np.ix_(*near)] = -np.inf
    down, right = np.unravel_index(np.argmax(likeness), likeness.shape)
    return int(down), int(right)


def correlations(one: Float32Array, other: Float32Array, covered: Float32Array, side: int) -> Float32Array:
    """Of each block that is ``covered`` well enough."""

    def mean(values: Float32Array) -> Float32Array:
        return (block_sums(values * covered, side) / count).astype(np.float32)

    count = np.maximum(block_sums(covered, side), np.float32(1))
    middle, its = mean(one), mean(other)
    shared = mean(one * other) - middle * its
    power = (mean(one * one) - middle**2) * (mean(other * other) - its**2)
    found = (shared / np.sqrt(np.maximum(power, 1e-6))).astype(np.float32)
    return found[count >= COVERED * side * side]


def block_sums(values: Float32Array, side: int) -> Float32Array:
    """(H, W) to (H // side, W // side)."""
    height, width = (length // side for length in values.shape)
    return (
        values[: height * side, : width * side].reshape(height, side, width, side).sum(axis=(1, 3)).astype(np.float32)
    )
