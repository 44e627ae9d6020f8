"""Finds adjacent tiles: images cut from one photograph without overlap, recognised by their borders.

The outermost rows of pixels correlate, stone by stone along the whole border. Rows are made so that nothing else can
carry a correlation: slow changes are taken off, every stretch is brought to the same contrast, and what is louder is
cut, so that a crack, a lane marking or the edge of a shadow that meets two borders at one height has no more weight
than as much plain road. How far a correlation is beyond chance follows from how alike neighbouring pixels of the two
rows are (Bartlett 1946), and from what most other borders say.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from src.data.files import Float32Array, UInt8Array

SURE = 6.0
"""Standard deviations beyond chance, from which a border goes on: of 8 million pairs (2000 photographs), by chance 1 in
100 times any. Of Crack500's tiles those of one scene begin at 6, all others end at 4.5."""
STRETCH, LOUDEST = 10.0, 2.0
"""Pixels over which changes count and contrast is made equal, and standard deviations at which a pixel is cut."""
FRAME = 0.25
"""A border whose contrast is below this share of the picture's is a frame."""
LAGS = 40
"""Pixels over which neighbours may be alike."""
NEAR, ELSEWHERE = 8, 1.3
"""So many times as much as anywhere else along the border, so many pixels off, must it agree: paving repeats itself."""
ENOUGH = 12
"""Pictures from which on the others tell what all borders of a set have in common."""


def touching(greys: Sequence[UInt8Array]) -> Iterator[tuple[int, int, float]]:
    """Pairs of which one's right or lower border goes on in the other's left or upper one, and how sure that is."""
    for turn in (False, True):
        pictures = [grey.T if turn else grey for grey in greys]
        heights = np.array([len(picture) for picture in pictures])
        for height in np.unique(heights[heights > 2 * NEAR]):
            which = np.flatnonzero(heights == height)
            ends, starts = (np.stack([border(pictures[index], side) for index in which]) for side in (-1, 0))
            for end, start, sure in going_on(ends, starts):
                yield int(which[end]), int(which[start]), sure


def going_on(ends: Float32Array, starts: Float32Array) -> Iterator[tuple[int, int, float]]:
    """Which end goes on in which start: both are each other's best, and agree far beyond chance and nowhere else."""
    sure = beyond_chance(ends, starts)
    np.fill_diagonal(sure, 0.0)
    if len(sure) >= ENOUGH:
        common = np.maximum(np.median(sure, axis=1)[:, None], np.median(sure, axis=0)[None])
        sure = sure - np.maximum(common, 0.0)
    best = (sure >= sure.max(axis=1, keepdims=True)) & (sure >= sure.max(axis=0, keepdims=True))
    for end, start in np.argwhere(best & (sure >= SURE)).tolist():
        if fits_nowhere_else(ends[end], starts[start]):
            yield end, start, float(sure[end, start])


def border(picture: UInt8Array, column: int) -> Float32Array:
    """A border's own texture, of length 1; 0 if it is constant or a frame."""
    row, inner = rough(picture[:, [column]].T)[0], rough(picture[:, ::16].T)
    if row.std() < max(FRAME * float(np.median(inner.std(axis=1))), 0.5):
        return np.zeros(len(row), np.float32)
    contrast = np.sqrt(cv2.GaussianBlur((row * row)[None], (0, 0), STRETCH)[0]) + 0.5
    row = np.clip(row / contrast, -LOUDEST, LOUDEST)
    row = row - row.mean()
    return (row / (np.linalg.norm(row) or 1.0)).astype(np.float32)


def rough(rows: UInt8Array) -> Float32Array:
    """Each row without its slow changes."""
    values = rows.astype(np.float32)
    return values - smooth(values)


def smooth(rows: Float32Array) -> Float32Array:
    """Each row by itself."""
    edge = min(round(3 * STRETCH), rows.shape[1] - 1)
    wider = np.pad(rows, ((0, 0), (edge, edge)), mode="reflect", reflect_type="odd")  # a slope goes on as it is
    found = np.stack([cv2.GaussianBlur(row[None], (0, 0), STRETCH)[0] for row in wider])
    return found[:, edge : found.shape[1] - edge].astype(np.float32)


def beyond_chance(ends: Float32Array, starts: Float32Array) -> Float32Array:
    """(ends, starts): the correlation in standard deviations of what rows that are as smooth have by chance."""
    alike = np.clip(ends @ starts.T, -0.999999, 0.999999)
    variance = 1 + 2 * own_correlations(ends) @ own_correlations(starts).T
    return (np.arctanh(alike) * np.sqrt(ends.shape[1] / np.maximum(variance, 0.5))).astype(np.float32)


def own_correlations(rows: Float32Array) -> Float32Array:
    """(N, lags): of each row with itself, moved."""
    lags = range(1, min(LAGS, rows.shape[1] - 1))
    return np.stack([(rows[:, :-lag] * rows[:, lag:]).sum(axis=1) for lag in lags], axis=1)


def fits_nowhere_else(end: Float32Array, start: Float32Array) -> bool:
    """Whether two borders agree much better where they are than when one is moved along the other."""
    moved = np.correlate(end, start, mode="full")
    middle = len(end) - 1
    elsewhere = np.concatenate([moved[: middle - NEAR], moved[middle + NEAR + 1 :]])
    return bool(moved[middle] >= ELSEWHERE * elsewhere.max())
