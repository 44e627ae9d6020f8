"""Finds adjacent tiles: images cut from one photograph without overlap, recognised by their borders.

The outermost rows of pixels correlate, stone by stone along the whole border. The rows are normalised so that nothing
else can cause a correlation: slow changes are removed, contrast is equalised along the row, and strong values are
clipped, so that a crack, a lane marking or the edge of a shadow weighs no more than plain road. How far a correlation
is beyond chance follows from the autocorrelation of the two rows (Bartlett 1946) and from the other borders.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from src.data.files import Float32Array, UInt8Array

SURE = 6.0
"""Standard deviations beyond chance from which two borders match. In 8 million pairs (2000 photographs), chance exceeds
it once in 100 data sets. Of Crack500's tiles, those of one scene begin at 6, all others end at 4.5."""
STRETCH = 10.0
"""Pixels over which changes count and contrast is equalised."""
LOUDEST = 2.0
"""Standard deviations at which a pixel is clipped."""
FRAME = 0.25
"""A border whose contrast is below this share of the picture's contrast is a frame."""
LAGS = 40
"""Pixels over which neighbours may be correlated."""
NEAR = 8
"""Pixels along the border within which a shift counts as the same position."""
ELSEWHERE = 1.3
"""Factor by which the correlation must exceed that of any other shift, because paving is repetitive."""
ENOUGH = 12
"""Pictures that are needed to find what all borders of a set have in common."""


def touching(greys: Sequence[UInt8Array]) -> Iterator[tuple[int, int, float]]:
    """Pairs whose right or lower border matches the other's left or upper border, with the z score of the match."""
    for turn in (False, True):
        pictures = [grey.T if turn else grey for grey in greys]
        heights = np.array([len(picture) for picture in pictures])
        for height in np.unique(heights[heights > 2 * NEAR]):
            which = np.flatnonzero(heights == height)
            ends, starts = (np.stack([border(pictures[index], side) for index in which]) for side in (-1, 0))
            for end, start, z_score in matching_borders(ends, starts):
                yield int(which[end]), int(which[start]), z_score


def matching_borders(ends: Float32Array, starts: Float32Array) -> Iterator[tuple[int, int, float]]:
    """Matching ends and starts: each is the other's best, far beyond chance, and at no other shift."""
    z_score = beyond_chance(ends, starts)
    np.fill_diagonal(z_score, 0.0)
    if len(z_score) >= ENOUGH:
        common = np.maximum(np.median(z_score, axis=1)[:, None], np.median(z_score, axis=0)[None])
        z_score = z_score - np.maximum(common, 0.0)
    best = (z_score >= z_score.max(axis=1, keepdims=True)) & (z_score >= z_score.max(axis=0, keepdims=True))
    for end, start in np.argwhere(best & (z_score >= SURE)).tolist():
        if matches_only_here(ends[end], starts[start]):
            yield end, start, float(z_score[end, start])


def border(picture: UInt8Array, column: int) -> Float32Array:
    """The normalised texture of a border, of norm 1; 0 if it is constant or a frame."""
    row, inner = without_slow_changes(picture[:, [column]].T)[0], without_slow_changes(picture[:, ::16].T)
    if row.std() < max(FRAME * float(np.median(inner.std(axis=1))), 0.5):
        return np.zeros(len(row), np.float32)
    contrast = np.sqrt(cv2.GaussianBlur((row * row)[None], (0, 0), STRETCH)[0]) + 0.5
    row = np.clip(row / contrast, -LOUDEST, LOUDEST)
    row = row - row.mean()
    return (row / (np.linalg.norm(row) or 1.0)).astype(np.float32)


def without_slow_changes(rows: UInt8Array) -> Float32Array:
    """The rows without slow changes."""
    values = rows.astype(np.float32)
    return values - smooth(values)


def smooth(rows: Float32Array) -> Float32Array:
    """Blur each row by itself."""
    edge = min(round(3 * STRETCH), rows.shape[1] - 1)
    wider = np.pad(rows, ((0, 0), (edge, edge)), mode="reflect", reflect_type="odd")  # a slope is continued
    found = np.stack([cv2.GaussianBlur(row[None], (0, 0), STRETCH)[0] for row in wider])
    return found[:, edge : found.shape[1] - edge].astype(np.float32)


def beyond_chance(ends: Float32Array, starts: Float32Array) -> Float32Array:
    """(ends, starts): correlations in standard deviations of the chance correlation of equally smooth rows."""
    alike = np.clip(ends @ starts.T, -0.999999, 0.999999)
    variance = 1 + 2 * own_correlations(ends) @ own_correlations(starts).T
    return (np.arctanh(alike) * np.sqrt(ends.shape[1] / np.maximum(variance, 0.5))).astype(np.float32)


def own_correlations(rows: Float32Array) -> Float32Array:
    """(N, lags): the autocorrelation of each row."""
    lags = range(1, min(LAGS, rows.shape[1] - 1))
    return np.stack([(rows[:, :-lag] * rows[:, lag:]).sum(axis=1) for lag in lags], axis=1)


def matches_only_here(end: Float32Array, start: Float32Array) -> bool:
    """Whether two borders agree much better unshifted than when one is moved along the other."""
    moved = np.correlate(end, start, mode="full")
    middle = len(end) - 1
    elsewhere = np.concatenate([moved[: middle - NEAR], moved[middle + NEAR + 1 :]])
    return bool(moved[middle] >= ELSEWHERE * elsewhere.max())
