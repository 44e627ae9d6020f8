"""Draws cracks of known length and width into masks, for the benchmark of measuring and its tests.

A pixel is crack where its centre is: without antialiasing, as masks are. Lengths are those of the centre lines.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, radians, sin

import cv2
import numpy as np
import numpy.typing as npt
from matplotlib.path import Path

from src.data.files import UInt8Array

Points = npt.NDArray[np.float64]
KINDS = ("straight", "arc", "wave", "branched", "scaled")
SHRINK = 3
"""How much larger a ``scaled`` crack is drawn than it is measured."""


@dataclass(frozen=True)
class Drawn:
    """A mask (H, W) in {0, 1} and what is in it, in pixels."""

    mask: UInt8Array
    length: float
    width: float
    kind: str
    angle: float
    lines: tuple[Points, ...]
    """The centre lines, each (K, 2) x and y in pixels from the upper left corner of the mask."""


def draw_cracks(width: float, angles: Sequence[float], seed: int = 0) -> Iterator[Drawn]:
    """A crack of each kind at each angle in degrees, somewhere between the centres of pixels."""
    random = np.random.default_rng(seed)
    for angle in angles:
        for kind in KINDS:
            lines, factor = centre_lines(kind, width, angle), SHRINK if kind == "scaled" else 1
            shifted = [(line + random.uniform(0, 1, 2)) * factor for line in lines]
            mask, corner = draw(shifted, width * factor)
            if factor > 1:
                large = mask.astype(np.float32)
                share = cv2.resize(large, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
                mask = (share >= 0.5).astype(np.uint8)
            seen = tuple((line - corner) / factor for line in shifted)
            yield Drawn(mask, sum(map(length_of, lines)), width, kind, angle, seen)


def centre_lines(kind: str, width: float, angle: float) -> list[Points]:
    """The lines of a crack, each (K, 2) in x and y: about 150 pixels long, or four widths."""
    long = max(150.0, 4 * width)
    along = np.linspace(-long / 2, long / 2, 600)
    across = np.zeros_like(along)
    if kind == "arc":
        radius = max(70.0, 2.5 * width)
        along, across = radius * np.sin(along / radius), radius * (1 - np.cos(along / radius))
    if kind == "wave":
        across = max(4.0, width / 2) * np.sin(4 * pi * along / max(150.0, 16 * width))
    trunk = turned(np.stack([along, across], axis=1), angle)
    if kind != "branched":
        return [trunk]
    arm = np.stack([np.linspace(0, long / 2 + width, 300), np.zeros(300)], axis=1)
    return [trunk, turned(arm, angle + 70)]


def turned(line: Points, angle: float) -> Points:
    """A line turned counterclockwise, as seen; rows grow downwards."""
    c, s = cos(radians(angle)), sin(radians(angle))
    return line @ np.array([[c, -s], [s, c]])


def draw(lines: Sequence[Points], width: float) -> tuple[UInt8Array, Points]:
    """Lines of one width with square ends, in a mask that has room for them; also x and y of the mask's corner."""
    corner = np.floor(np.concatenate(lines).min(axis=0) - width - 4)
    size = np.ceil(np.concatenate(lines).max(axis=0) - corner + width + 4).astype(int)
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]] + 0.5
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1)
    found = np.zeros(len(centres), bool)
    for line in lines:
        steps = np.gradient(line, axis=0)
        normal = (
            np.stack([-steps[:, 1], steps[:, 0]], axis=1) / np.linalg.norm(steps, axis=1, keepdims=True) * width / 2
        )
        outline = np.concatenate([line + normal, (line - normal)[::-1]]) - corner
        found |= Path(outline).contains_points(centres)
    return found.reshape(size[1], size[0]).astype(np.uint8), corner


def length_of(line: Points) -> float:
    return sum(hypot(*step) for step in np.diff(line, axis=0))
