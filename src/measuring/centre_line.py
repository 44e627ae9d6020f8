"""Finds the centre lines of a mask: thinned pixels with their distance from the edge of the crack.

The mask is first enlarged to half pixels, so that cracks of an even width have a middle. Thinning is that of Zhang and
Suen (1984); the half width of a point is the Euclidean distance transform there (Blum's medial axis, 1967). Masks of
any size are read in tiles that overlap, and the results are joined.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from skimage.morphology import skeletonize

from src.data.files import Mask, UInt8Array, Windows
from src.scoring.components import Components

Int64Array = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

TILE = 2048
"""Pixels of a tile's side."""
HALO = 128
"""Pixels around a tile that are read with it, more where cracks are wide: thinning needs twice their half width."""
WIDEST = 512
"""Pixels around a tile, at most: thinning takes a pass over the tile for each pixel of the half width.

What is wider than about 400 pixels, such as a pothole, is cut where a tile ends.
"""
UP = 2
"""Points on the grid of half pixels for each pixel."""
TIE = 0.1
"""Half pixels by which the distances of two points of the middle may differ."""
PINHOLE = 1024
"""Pixels of the largest hole that may be part of a crack."""
RIDGE = np.ones((5, 5), np.uint8)
"""Half pixels around a point in which the middle of the crack is."""


@dataclass(frozen=True)
class CentreLines:
    """The thinned pixels of a mask, and which crack each belongs to: cracks are parts that touch, also diagonally."""

    points: Int64Array
    """(N, 2): row and column on the grid of half pixels."""
    half_widths: FloatArray
    """(N,) in pixels of the mask: distance to the centre of the nearest half pixel that is not crack.

    It is that of the middle of the crack, which is the largest around a point: thinning misses the middle a little.
    """
    reaches: FloatArray
    """(N,) the same distance from ``centres``."""
    centres: FloatArray
    """(N, 2) row and column of the middle of the crack near each point, in pixels from the upper left corner."""
    cracks: Int64Array
    """(N,) the number of the crack, from 0."""
    areas: Int64Array
    """Pixels of each crack."""
    at_border: npt.NDArray[np.bool_]
    """Whether each crack touches the border of the mask, or of a mosaic, beyond which it may go on."""


def find_centre_lines(mask: Mask, seen: Windows | None = None) -> CentreLines:
    """Thin a mask, tile by tile. ``seen`` is 0 outside of a mosaic, which counts as beyond the border."""
    components = Components(mask.shape)
    points, widths, labels = [np.zeros((0, 2), np.int64)], [np.zeros((0, 4))], [np.zeros(0, np.int64)]
    for rows, columns in tiles(mask.shape):
        outer, found, filled = read_tile(mask, (rows, columns))
        inner = slice(rows.start - outer[0].start, None), slice(columns.start - outer[1].start, None)
        size = rows.stop - rows.start, columns.stop - columns.start
        own, own_filled = (one[inner][: size[0], : size[1]] for one in (found, filled))
        numbered = components.add(own_filled, (rows.start, columns.start), own)
        if not own_filled.any():
            continue
        if seen is not None:
            components.at_border(numbered[own_filled & beside_unseen(seen, rows, columns) > 0])
        here, distances = thinned(filled)
        here -= np.array([part.start * UP for part in inner])
        is_own = ((here >= 0) & (here < np.array(size) * UP)).all(axis=1)
        here = here[is_own]
        labels.append(numbered[here[:, 0] // UP, here[:, 1] // UP])
        points.append(here + np.array((rows.start, columns.start)) * UP)
        distances[:, 2:] += [part.start for part in outer]
        widths.append(distances[is_own])
    cracks, (areas,), at_border = components.joined()
    distances = np.concatenate(widths)
    return CentreLines(
        points=np.concatenate(points),
        half_widths=distances[:, 0],
        reaches=distances[:, 1],
        centres=distances[:, 2:],
        cracks=cracks[np.concatenate(labels)],
        areas=areas,
        at_border=at_border,
    )


def read_tile(mask: Mask, tile: tuple[slice, slice]) -> tuple[list[slice], UInt8Array, UInt8Array]:
    """A tile with enough around it to thin it: where that is, its crack, and its crack without pinholes."""
    halo = HALO
    while True:
        outer = [
            slice(max(0, one.start - halo), min(side, one.stop + halo))
            for one, side in zip(tile, mask.shape, strict=True)
        ]
        found = (mask[outer[0], outer[1]] != 0).view(np.uint8)
        if not found.any():
            return outer, found, found
        filled = without_pinholes(found)
        whole = all(one.start == 0 and one.stop == side for one, side in zip(outer, mask.shape, strict=True))
        half = cv2.distanceTransform(np.pad(filled, 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE).max()
        if whole or 2.5 * half < halo or halo >= WIDEST:
            return outer, found, filled
        halo *= 2


def beside_unseen(seen: Windows, rows: slice, columns: slice) -> UInt8Array:
    """The pixels of a tile that are not seen or touch one that is not, in {0, 1}."""
    top, left = max(0, rows.start - 1), max(0, columns.start - 1)
    unseen = 1 - seen[top : rows.stop + 1, left : columns.stop + 1]
    found = cv2.dilate(unseen, np.ones((3, 3), np.uint8)).astype(np.uint8, copy=False)
    inner = found[rows.start - top :, columns.start - left :]
    return inner[: rows.stop - rows.start, : columns.stop - columns.start]


def tiles(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Windows that cover a mask, row by row."""
    for top in range(0, shape[0], TILE):
        for left in range(0, shape[1], TILE):
            yield slice(top, min(top + TILE, shape[0])), slice(left, min(left + TILE, shape[1]))


def without_pinholes(mask: UInt8Array) -> UInt8Array:
    """Fill the holes that are narrower than the crack beside them; wider ones are pavement between cracks."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)  # label 0 is the crack
    areas = stats[:, cv2.CC_STAT_AREA]
    is_hole = areas <= PINHOLE
    is_hole[[0, *np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))]] = False
    if count == 1 or not is_hole.any():
        return mask
    filled = mask | is_hole[np.asarray(labels, np.int64)].view(np.uint8)
    distance = cv2.distanceTransform(filled, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    result = mask.copy()
    for hole in np.flatnonzero(is_hole):
        left, top, width, height = stats[hole, :4]
        box = slice(top, top + height), slice(left, left + width)
        inside = labels[box] == hole
        if 2 * np.sqrt(areas[hole] / np.pi) < distance[box][inside].max():
            result[box][inside] = 1
    return result


def thinned(mask: UInt8Array) -> tuple[Int64Array, FloatArray]:
    """The points of a tile, and (N, 4) half widths, reaches and centres; see ``CentreLines``. Beyond it is no crack."""
    large = np.pad(np.repeat(np.repeat(mask, UP, axis=0), UP, axis=1), 1)
    line = skeletonize(large.view(bool))
    distance = cv2.distanceTransform(large, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    points = np.argwhere(line)
    around = np.array([(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)])
    places = points[:, None] + around
    near = distance[places[..., 0], places[..., 1]]
    is_top = near >= near.max(axis=1, keepdims=True) - TIE
    centres = (is_top[..., None] * places).sum(axis=1) / is_top.sum(axis=1, keepdims=True) - 1
    widths = np.stack([cv2.dilate(distance, RIDGE)[line], near.max(axis=1)], axis=1)
    return points - 1, np.concatenate([widths, centres + 0.5], axis=1).astype(np.float64) / UP
