"""Made-up pictures for ``benchmarks.same_place``: asphalt, what makes strangers look related, and pieces of a picture.

``UNRELATED`` changes pictures that have nothing in common, so that they look as if they had: by a line, a lane, a
shadow, a frame, a watermark. ``RELATED`` cuts one picture into pieces that belong together: tiles, overlapping, turned,
stored again.
"""

from collections.abc import Callable

import cv2
import numpy as np

from src.data.files import UInt8Array

SIDE = 256
"""Pixels of a piece's side."""


def asphalt(random: np.random.Generator, side: int = 2 * SIDE) -> UInt8Array:
    """Stones of several sizes."""
    sizes = (0.7, 1.5, 3.0)
    layers = [cv2.GaussianBlur(random.normal(0, 1, (side, side)), (0, 0), sigma) * sigma for sigma in sizes]
    return (128 + 30 * np.sum(layers, axis=0)).clip(0, 255).astype(np.uint8)


Change = Callable[[UInt8Array, np.random.Generator], "UInt8Array | np.ndarray[tuple[int, ...], np.dtype[np.float64]]"]


def line(grey: UInt8Array, random: np.random.Generator):
    return lined(grey, random, 100)


def lane(grey: UInt8Array, random: np.random.Generator):
    return laned(grey, 90)


def shadow(grey: UInt8Array, random: np.random.Generator):
    return shadowed(grey, 120)


def lined(grey: UInt8Array, random: np.random.Generator, top: int):
    found = grey.astype(float)
    found[top : top + int(random.integers(3, 14))] = 40
    return found


def laned(grey: UInt8Array, top: int):
    found = grey.astype(float)
    found[top : top + 60] += 80
    return found


def shadowed(grey: UInt8Array, top: int):
    found = grey.astype(float)
    found[:top] *= 0.5
    return found


def height(random: np.random.Generator) -> int:
    """One of eight, so that a few pictures of a set have the same, and most another one: nothing is common to all."""
    return int(random.choice(np.linspace(20, SIDE - 80, 8)))


def paving(grey: UInt8Array, random: np.random.Generator):
    found = grey.astype(float)
    for begin in range(0, SIDE, 32):
        found[begin : begin + 4] *= 0.5
        found[:, begin : begin + 4] *= 0.5
    return found


def framed(grey: UInt8Array, random: np.random.Generator):
    found = np.full_like(grey, 255)
    found[8:-8, 8:-8] = grey[8:-8, 8:-8]
    return stored(found, 70)


def black_framed(grey: UInt8Array, random: np.random.Generator):
    return 255 - framed(255 - grey, random)


def vignette(grey: UInt8Array, random: np.random.Generator):
    away = np.hypot(*np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j])
    return grey * (1 - 0.5 * away**2)


def smooth(grey: UInt8Array, random: np.random.Generator):
    return stored(cv2.GaussianBlur(grey, (0, 0), 6).astype(np.uint8), 60)


def gradient(grey: UInt8Array, random: np.random.Generator):
    slope = np.linspace(40, 220, SIDE)
    return slope[:, None] + slope[None] / 4 + random.normal(0, 1.5, (SIDE, SIDE)) - 20


def watermark(grey: UInt8Array, random: np.random.Generator):
    found = grey.copy()
    cv2.putText(found, "2024-05-17 Survey 7", (20, 230), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 2)
    cv2.circle(found, (210, 40), 22, 255, 3)
    cv2.line(found, (195, 40), (225, 40), 0, 3)
    return stored(found, 80)


def large_mark(grey: UInt8Array, random: np.random.Generator):
    found = grey.copy()
    for row in (90, 140, 190):
        cv2.putText(found, "PREVIEW", (15, row), cv2.FONT_HERSHEY_TRIPLEX, 1.6, 255, 3)
    return found


def blocks(grey: UInt8Array, random: np.random.Generator):
    return stored(grey, 8)


UNRELATED: dict[str, Change] = {
    "plain": lambda grey, random: grey,
    "a dark line": line,
    "a lane marking": lane,
    "the edge of a shadow": shadow,
    "dark lines, few at one height": lambda grey, random: lined(grey, random, height(random)),
    "lanes, few at one height": lambda grey, random: laned(grey, height(random)),
    "shadows, few at one height": lambda grey, random: shadowed(grey, height(random)),
    "paving": paving,
    "a white frame": framed,
    "a black frame": black_framed,
    "a vignette": vignette,
    "smooth as concrete": smooth,
    "one gradient": gradient,
    "a logo and a date": watermark,
    "a large watermark": large_mark,
    "blocks of JPEG": blocks,
}


def stored(grey: UInt8Array, quality: int) -> UInt8Array:
    """As JPEG."""
    found = cv2.imdecode(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)
    assert found is not None
    return found.astype(np.uint8)


def turned(grey: UInt8Array, angle: float, scale: float) -> UInt8Array:
    """A piece of ``SIDE`` around the middle."""
    middle = grey.shape[1] / 2, grey.shape[0] / 2
    matrix = cv2.getRotationMatrix2D(middle, angle, scale)
    matrix[:, 2] += SIDE / 2 - np.array(middle)
    return cv2.warpAffine(grey, matrix, (SIDE, SIDE), flags=cv2.INTER_AREA).astype(np.uint8)


def resized(grey: UInt8Array, side: int) -> UInt8Array:
    return cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8)


def piece(grey: UInt8Array, top: int, left: int) -> UInt8Array:
    return grey[top : top + SIDE, left : left + SIDE]


RELATED: dict[str, Callable[[UInt8Array], list[UInt8Array]]] = {
    "tiles that touch": lambda grey: [piece(grey, 0, 0), piece(grey, 0, SIDE)],
    "tiles that touch, stored again": lambda grey: [stored(piece(grey, 0, x), 85) for x in (0, SIDE)],
    "overlap of 10 %": lambda grey: [piece(grey, 0, 0), piece(grey, 20, 230)],
    "overlap of 25 %": lambda grey: [piece(grey, 0, 0), piece(grey, 20, 190)],
    "overlap of 50 %": lambda grey: [piece(grey, 0, 0), stored(piece(grey, 20, 120), 85)],
    "turned and smaller": lambda grey: [piece(grey, 100, 100), turned(grey, 25, 0.8)],
    "turned and larger": lambda grey: [piece(grey, 128, 128), turned(grey, -40, 1.25)],
    "five that overlap": lambda grey: [stored(piece(grey, 10 * n, 50 * n), 90) for n in range(5)],
    "stored again": lambda grey: [piece(grey, 0, 0), stored(resized(piece(grey, 0, 0), 200), 60)],
    "mirrored": lambda grey: [piece(grey, 0, 0), stored(np.ascontiguousarray(piece(grey, 0, 0)[:, ::-1]), 80)],
}
