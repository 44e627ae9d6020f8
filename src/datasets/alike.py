"""Tests whether two registered pictures show the same surface.

A few features or a dark line can agree by chance, or because both pictures contain the same logo or frame. Pictures of
one piece of road agree everywhere, stone by stone, and only at the right position. So the overlap is divided into
blocks, the median correlation of the blocks is taken (a logo or a crack is in a few of them only), and it is compared
with that of slightly shifted positions.
"""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
from scipy.fft import irfft2, rfft2

from src.data.files import Float32Array, UInt8Array

FINE = 1.5
"""Standard deviation in pixels of a blur that removes the grain of the camera."""
COARSE = 10.0
"""Standard deviation in pixels of a blur that leaves only shadows and vignettes, which are subtracted."""
LOUDEST = 2.5
"""Robust standard deviations at which a pixel is clipped, so that no stone outweighs the rest."""
GLARING = 12.0
"""Robust standard deviations beyond which a pixel and its surroundings are ignored: the edge of a frame, letters, lines
or a dark crack."""
BLOCKS = (12, 32)
"""Smallest and largest side of a block in pixels."""
MANY = 24
"""Blocks into which the overlap is divided, about."""
COVERED = 0.6
"""Share of a block that both pictures must show."""
FEWEST = 8
"""Blocks that are needed for a decision."""
LEAST = 3.0
"""Standard deviations beyond chance below which the exact value is not computed."""
ELSEWHERE = 1.3
"""Factor by which the correlation must exceed that of any other position, because paving is repetitive."""


def texture(picture: UInt8Array, scale: float = 1.0) -> tuple[Float32Array, npt.NDArray[np.bool_]]:
    """The band-passed picture, clipped at ``LOUDEST``, and a mask of the pixels that are not near to ``GLARING`` ones.

    ``scale`` widens the blurs.
    """
    edge = min(round(3 * COARSE * scale), min(picture.shape) - 1)
    grey = np.pad(picture.astype(np.float32), edge, mode="reflect", reflect_type="odd")  # a slope is continued
    found = cv2.GaussianBlur(grey, (0, 0), FINE * scale) - cv2.GaussianBlur(grey, (0, 0), COARSE * scale)
    found = found[edge : len(found) - edge, edge : found.shape[1] - edge]
    spread = 1.4826 * float(np.median(np.abs(found))) + 0.1  # rounding alone makes half a grey level
    around = np.ones((2 * round(COARSE * scale) + 1,) * 2, np.uint8)
    glaring = cv2.dilate((np.abs(found) > GLARING * spread).astype(np.uint8), around)
    return np.clip(found / spread, -LOUDEST, LOUDEST).astype(np.float32), glaring == 0


def agreement_z(one: UInt8Array, other: UInt8Array, matrix: Float32Array, share: float = 0.5) -> float:
    """Standard deviations beyond chance by which ``one``, moved by ``matrix`` (2, 3), agrees with ``other``; or 0.

    All but a ``share`` of the blocks agree at least that well. The default is half of them, because no shift registers
    two photographs exactly.
    """
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale > 1:  # shrink the larger one: enlarging adds no detail
        return agreement_z(other, one, cv2.invertAffineTransform(matrix).astype(np.float32), share)
    size = (other.shape[1], other.shape[0])
    (mine, plain), (its, also_plain) = texture(one, 1 / scale), texture(other)
    moved = cv2.warpAffine(mine, matrix, size)
    covered = (cv2.warpAffine(plain.astype(np.float32), matrix, size) > 0.99) & also_plain
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    if not len(rows):
        return 0.0
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return beyond_chance(moved[box].astype(np.float32), its[box], covered[box].astype(np.float32), share)


def beyond_chance(moved: Float32Array, fixed: Float32Array, covered: Float32Array, share: float) -> float:
    """The correlation that all but a ``share`` of the blocks reach, in standard deviations of a median at other shifts.

    0 if it is not far above the correlation at these other shifts.
    """
    side = int(np.clip(np.sqrt(covered.sum() / MANY), *BLOCKS))
    own = correlations(moved, fixed, covered, side)
    if len(own) < FEWEST:
        return 0.0
    agreed, others = float(np.quantile(own, share)), [0.0]
    of_a_median = 1.2533 / float(np.sqrt(len(own)))
    spreads = [float(np.sqrt(4 * np.pi) * FINE / side)]  # at least that of equally smooth noise
    if agreed < LEAST * spreads[0] * of_a_median:
        return 0.0
    for move in (*probe_shifts(side), best_other_shift(moved * covered, fixed * covered, side // 2)):
        shown = covered * np.roll(covered, move, axis=(0, 1))
        blocks = correlations(np.roll(moved, move, axis=(0, 1)), fixed, shown, side)
        if len(blocks) >= FEWEST:
            others.append(float(np.median(blocks)))
            spreads.append(float(blocks.std()))
    if agreed < ELSEWHERE * max(others):
        return 0.0
    return agreed / (of_a_median * max(spreads[0], float(np.mean(spreads))))


def probe_shifts(side: int) -> Iterator[tuple[int, int]]:
    """Sixteen shifts in all directions, by about half a block and about a whole one."""
    for step in (side // 2 + 1, side - 3):
        yield from ((step * down, step * right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right)


def best_other_shift(moved: Float32Array, fixed: Float32Array, away: int) -> tuple[int, int]:
    """The best shift of more than ``away`` pixels: paving agrees again when it is moved by one stone."""
    spectra = np.asarray(rfft2(fixed)) * np.asarray(rfft2(moved)).conj()
    likeness = np.asarray(irfft2(spectra, s=fixed.shape))
    near = [np.minimum(steps, length - steps) <= away for length in fixed.shape for steps in [np.arange(length)]]
    likeness[np.ix_(*near)] = -np.inf
    down, right = np.unravel_index(np.argmax(likeness), likeness.shape)
    return int(down), int(right)


def correlations(one: Float32Array, other: Float32Array, covered: Float32Array, side: int) -> Float32Array:
    """The correlation of each block that is ``covered`` well enough."""

    def mean(values: Float32Array) -> Float32Array:
        return (block_sums(values * covered, side) / count).astype(np.float32)

    count = np.maximum(block_sums(covered, side), np.float32(1))
    middle, its = mean(one), mean(other)
    shared = mean(one * other) - middle * its
    power = (mean(one * one) - middle**2) * (mean(other * other) - its**2)
    found = (shared / np.sqrt(np.maximum(power, 1e-6))).astype(np.float32)
    return found[count >= COVERED * side * side]


def block_sums(values: Float32Array, side: int) -> Float32Array:
    """Sums over blocks: (H, W) to (H // side, W // side)."""
    height, width = (length // side for length in values.shape)
    return (
        values[: height * side, : width * side].reshape(height, side, width, side).sum(axis=(1, 3)).astype(np.float32)
    )
