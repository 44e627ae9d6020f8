"""Drawings on a photograph: polygons, lines, circles and brush pixels, which together give one mask.

Each file format has a module of its own: ``coco``, ``labelme``, ``yolo``.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from src.data.files import UInt8Array
from src.datasets.run_lengths import mask_of
from src.errors import UserError
from src.folders import refuse_irregular

DAMAGE = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""Errors that a file raises whose content does not follow its format."""
OFF_GRID = 1e-4
"""Pixels by which lines are moved, so that a line covers as many rows as it is wide even if it is between two rows."""
STRIP = 256
"""Rows of a line that are drawn at a time."""

Point = tuple[float, float]
Points = Sequence[Point]


@dataclass(frozen=True)
class ShapeRules:
    """Which drawings count as crack, and how wide lines are."""

    labels: tuple[str, ...] = ()
    """Empty: all."""
    line_width: int | None = None
    """Pixels."""

    def counts(self, label: str) -> bool:
        return not self.labels or label in self.labels


@dataclass
class Drawing:
    """The shapes drawn on one photograph, in its pixels; the centre of the first pixel is (0, 0)."""

    file: Path
    """The file that it was read from; for a photograph without any drawing, the photograph."""
    width: int
    height: int
    shapes: list[Callable[[UInt8Array], None]] = field(default_factory=list[Callable[[UInt8Array], None]])
    """Functions that draw a shape on a mask."""
    labels: set[str] = field(default_factory=set[str])
    """The labels of all shapes in the file, whether they count as crack or not."""
    lines: int = 0
    """Number of shapes that are lines."""

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1:
            raise ValueError(f"{self.width}x{self.height} pixels is not the size of a photograph")

    def add_polygon(self, points: Points) -> None:
        self.refuse_distant(points)
        if not points:
            raise ValueError("a polygon has no corner")
        self.shapes.append(partial(fill_polygon, points))

    def add_line(self, points: Points, width: float) -> None:
        """A line through points, or the disc around one."""
        self.refuse_distant(points)
        if not points:
            raise ValueError("a line has no point")
        self.lines += 1
        self.shapes.append(partial(fill_line, points, width))

    def add_circle(self, centre: Point, edge: Point) -> None:
        """A filled circle, given by its centre and a point on its edge."""
        self.refuse_distant((centre, edge))
        self.shapes.append(partial(fill_line, (centre,), 2 * math.dist(centre, edge)))

    def add_runs(self, lengths: Sequence[int], height: int, width: int) -> None:
        """The pixels of a run-length encoding."""
        if (width, height) != (self.width, self.height):
            raise ValueError(f"a mask of {width}x{height} pixels on a photograph of {self.width}x{self.height}")
        if sum(lengths) != width * height:
            raise ValueError(f"the runs have {sum(lengths)} pixels, the mask has {width}x{height}")
        self.shapes.append(partial(fill_runs, tuple(lengths)))

    def add_pixels(self, read: Callable[[], UInt8Array], left: int, top: int) -> None:
        """The pixels above 0 of a small mask with its first pixel at (left, top); read only when drawn."""
        self.shapes.append(partial(fill_pixels, read, left, top))

    def refuse_distant(self, points: Points) -> None:
        """A point that is not finite, or outside by more than the photograph's size, is a ``ValueError``."""
        side = max(self.width, self.height)
        for x, y in points:
            if not (-side <= x <= 2 * side and -side <= y <= 2 * side):
                raise ValueError(f"({x}, {y}) is outside of a photograph of {self.width}x{self.height} pixels")

    def joined(self, other: "Drawing") -> "Drawing":
        """The shapes of two drawings of one photograph. Unequal sizes are a ``UserError`` that names both files."""
        if (self.width, self.height) != (other.width, other.height):
            raise UserError(
                f"{self.file} and {other.file} describe one photograph, but with {self.width}x{self.height} and with "
                f"{other.width}x{other.height} pixels: correct the wrong one, or remove it."
            )
        shapes, labels = self.shapes + other.shapes, self.labels | other.labels
        return Drawing(self.file, self.width, self.height, shapes, labels, self.lines + other.lines)

    def mask(self) -> UInt8Array:
        """(H, W) uint8 in {0, 1}: 1 where any shape is."""
        drawn = np.zeros((self.height, self.width), np.uint8)
        for draw in self.shapes:
            draw(drawn)
        return drawn


def fill_polygon(points: Points, mask: UInt8Array) -> None:
    corners = np.array(points, dtype=np.float64).round().astype(np.int32)
    cv2.fillPoly(mask, [corners], 1)


def fill_line(points: Points, width: float, mask: UInt8Array) -> None:
    """Set the pixels whose centres are within half the width. (OpenCV's own lines are up to two pixels too wide.)"""
    for start, end in pairwise(points if len(points) > 1 else (*points, *points)):
        fill_segment(np.add(start, OFF_GRID), np.add(end, OFF_GRID), width / 2, mask)


def fill_segment(start: np.ndarray, end: np.ndarray, reach: float, mask: UInt8Array) -> None:
    size = np.array(mask.shape[::-1])
    left, top = np.clip(np.floor(np.minimum(start, end) - reach), 0, size).astype(int).tolist()
    right, bottom = np.clip(np.ceil(np.maximum(start, end) + reach) + 1, 0, size).astype(int).tolist()
    dx, dy = (end - start).tolist()
    for first in range(top, bottom, STRIP):
        rows = slice(first, min(first + STRIP, bottom))
        x = np.arange(left, right)[None] - start[0]
        y = np.arange(rows.start, rows.stop)[:, None] - start[1]
        along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
        near = (x - along * dx) ** 2 + (y - along * dy) ** 2 <= reach * reach
        mask[rows, left:right] |= near.astype(np.uint8)


def fill_runs(lengths: Sequence[int], mask: UInt8Array) -> None:
    mask |= mask_of(lengths, *mask.shape)


def fill_pixels(read: Callable[[], UInt8Array], left: int, top: int, mask: UInt8Array) -> None:
    pixels = read()
    mask[top : top + pixels.shape[0], left : left + pixels.shape[1]] |= (pixels > 0).astype(np.uint8)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if it holds something else. A file that is not JSON is a ``UserError``.

    So is a repeated key in one object, of which only the last value would count.
    """
    refuse_irregular(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=object_of)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"Cannot read {path}: {error}.") from error
    return cast(dict[str, Any], found) if isinstance(found, dict) else {}


def describe_damage(error: Exception) -> str:
    """The defect of a file of drawings, as part of a sentence."""
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def object_of(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key '{next(key for key in keys if keys.count(key) > 1)}' occurs twice in one object")
    return found
