"""Colours of masks. A colour is three whole numbers; the grey value N is (N, N, N), at any bit depth."""

from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from src.data.files import STRIP, Float32Array, UInt8Array
from src.data.mask_files import Values
from src.errors import UserError

Colour = tuple[int, int, int]
BoolArray = npt.NDArray[np.bool_]

GREY = 4
"""Largest difference between the channels of a grey."""
GREY_BLURRED = 32
"""The same in a JPEG."""
FEW_COLOURS = 32
"""Colours that a mask without blurred edges has, at most."""
MAIN_SHARE = 5e-3
"""Share of a JPEG's pixels from which a colour is intended, and not an edge."""
FEWEST = 20
"""Pixels in blocks of one colour from which it is intended, and not an edge."""
NEAR = 24.0
"""Largest distance, of 255, of a pixel at an edge from all mixtures of the two colours that meet there."""
NEAR_BLURRED = 96.0
"""The same in a JPEG."""
HUES = 0.35
"""Largest difference in a JPEG of the ratios of a channel to the brightest one; more means several colours."""
STRAY = 1e-3
"""Share of the coloured pixels that may have any hue."""
BLURRED = 0.05
"""The same where JPEG has blurred the colours."""


def colour_text(colour: Colour) -> str:
    """A colour as written on the command line; a grey is one number."""
    return str(colour[0]) if len(set(colour)) == 1 else ",".join(map(str, colour))


def has_colours(values: Values, blurred: bool) -> bool:
    """Whether (H, W, 3) has other colours than greys."""
    if values.ndim == 2:
        return False
    lowest = np.minimum(np.minimum(values[..., 0], values[..., 1]), values[..., 2])
    return bool((brightness(values) - lowest).max(initial=0) > (GREY_BLURRED if blurred else GREY))


def brightness(values: Values) -> Values:
    """(H, W): the value of a grey, or the highest channel of a colour."""
    if values.ndim == 2:
        return values
    return np.maximum(np.maximum(values[..., 0], values[..., 1]), values[..., 2])  # three times as fast as max(axis=2)


def histogram(grey: Values) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The values that occur, and the number of pixels of each. Counted in strips, at up to 8 bytes per pixel."""
    flat = grey.reshape(-1)
    if grey.dtype.itemsize > 2:
        return np.unique(flat.astype(np.int64), return_counts=True)
    counts = np.zeros(256**grey.dtype.itemsize, np.int64)
    for start in range(0, len(flat), STRIP):
        strip = flat[start : start + STRIP]
        if grey.dtype == np.uint8:  # its float32 is exact up to 16 million
            counts += cv2.calcHist([strip], [0], None, [256], [0, 256]).ravel().astype(np.int64)
        else:
            counts += np.bincount(strip, minlength=len(counts))
    found = np.flatnonzero(counts)
    return found, counts[found]


def count_colours(values: Values) -> dict[Colour, int] | None:
    """The number of pixels of each colour; None if there are more than ``FEW_COLOURS`` colours."""
    if values.ndim == 3 and (values == values[..., :1]).all():
        values = values[..., 0]
    rows = len(values) if values.ndim == 2 else max(1, STRIP // max(1, values.shape[1]))
    counts: Counter[Colour] = Counter()
    for top in range(0, len(values), rows):
        strip = values[top : top + rows]
        counts.update(dict(colours_by_count(strip.reshape(-1, *strip.shape[2:]))))
        if len(counts) > FEW_COLOURS:
            return None
    return dict(counts)


def in_blocks(values: Values) -> BoolArray:
    """(H, W): whether a pixel is in a block of 2x2 pixels of one colour. Edges and thin lines are not."""
    found = np.zeros(values.shape[:2], bool)
    corner = values[:-1, :-1]
    same = (corner == values[1:, :-1]) & (corner == values[:-1, 1:]) & (corner == values[1:, 1:])
    same = same.all(axis=2) if same.ndim == 3 else same
    height, width = same.shape
    for down in (0, 1):
        for right in (0, 1):
            found[down : down + height, right : right + width] |= same
    return found


def main_colours(values: Values, blurred: bool) -> list[Colour]:
    """The colours that are not edges, the most common first. In a JPEG every area has many colours."""
    if not blurred:
        counts = colours_by_count(values[in_blocks(values)])
        return [colour for colour, count in counts if count >= FEWEST]
    colours = values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
    flat = colours.reshape(-1, 3)
    coarse = (flat >> 4).astype(np.int32) @ np.array([256, 16, 1])
    counts = np.bincount(coarse, minlength=4096)
    order = [bin for bin in np.argsort(-counts, kind="stable") if counts[bin] >= MAIN_SHARE * len(coarse)]
    medians = (np.median(flat[coarse == bin], axis=0).astype(int).tolist() for bin in order)
    return [(red, green, blue) for red, green, blue in medians]


def colours_by_count(pixels: Values) -> list[tuple[Colour, int]]:
    """The colours of (N,) or (N, 3) pixels with their counts, the most common first."""
    packed = pixels.astype(np.int64) @ np.array([65536, 256, 1]) if pixels.ndim == 2 else pixels
    found, counts = histogram(packed)
    order = np.argsort(-counts, kind="stable").tolist()
    return [(unpacked(int(found[index]), pixels.ndim == 2), int(counts[index])) for index in order]


def unpacked(value: int, colours: bool) -> Colour:
    return (value >> 16, value >> 8 & 255, value & 255) if colours else (value, value, value)


def pixels_of_colour(values: Values, colour: Colour) -> UInt8Array:
    """Mask (H, W) of the pixels that have exactly this colour."""
    same = (values == np.array(colour)).all(axis=2) if values.ndim == 3 else values == colour[0]
    return (same & (values.ndim == 3 or len(set(colour)) == 1)).astype(np.uint8)


def nearest_to(values: Values, crack: Colour, others: Sequence[Colour], blurred: bool) -> UInt8Array:
    """Mask (H, W) of the pixels nearer to the crack's colour than to the others, if mixtures with one of them."""
    colours = (values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)).astype(np.float32)
    own = np.linalg.norm(colours - np.array(crack, np.float32), axis=2)
    nearest, near = np.ones(own.shape, bool), own <= NEAR
    for other in others:
        nearest &= own < np.linalg.norm(colours - np.array(other, np.float32), axis=2)
        near |= distance_to_mixtures(colours, crack, other) <= (NEAR_BLURRED if blurred else NEAR)
    return (nearest & near).astype(np.uint8)


def distance_to_mixtures(colours: Float32Array, one: Colour, other: Colour) -> Float32Array:
    """(H, W): the distance of each colour from the mixtures of two colours."""
    start, way = np.array(other, np.float32), np.subtract(one, other).astype(np.float32)
    share = np.clip((colours - start) @ way / max(float(way @ way), 1e-6), 0, 1)
    return np.linalg.norm(colours - start - share[..., None] * way, axis=2).astype(np.float32)


def single_colour(values: UInt8Array, blurred: bool) -> tuple[Colour, UInt8Array]:
    """The colour of a mask (H, W, 3) drawn on black, and the share of it in each pixel, (H, W) from 0 to 255.

    Several colours are a ``UserError`` that names them.
    """
    bright = brightness(values)
    drawn = values[bright > bright.max() // 4 * 3]
    red, green, blue = np.median(drawn, axis=0).astype(int).tolist()
    colour = (red, green, blue)
    if has_hues(values, bright) if blurred else has_strays(values, bright, colour):
        first = " and ".join(colour_text(one) for one in (main_colours(values, blurred) or [colour])[:3])
        raise UserError(
            f"the mask has several colours, such as {first}: choose one with --crack-colour R,G,B (of src.prepare, "
            "src.measure and src.label)."
        )
    return colour, (bright * (255 / max(1, int(bright.max())))).round().astype(np.uint8)


def has_strays(values: UInt8Array, bright: UInt8Array, colour: Colour) -> bool:
    """Whether some pixels are no mixture of black and ``colour``."""
    drawn = values[bright > NEAR][None].astype(np.float32)
    factor = 255 / max(colour)  # some of this hue may be brighter
    red, green, blue = (round(part * factor) for part in colour)
    return bool((distance_to_mixtures(drawn, (red, green, blue), (0, 0, 0)) > NEAR).mean() > STRAY)


def has_hues(values: UInt8Array, bright: UInt8Array) -> bool:
    """Whether the bright pixels of a JPEG have several hues."""
    chosen = bright > bright.max() // 4
    drawn = values[chosen] / bright[chosen][:, None]
    stray = BLURRED if chosen.mean() < 0.5 else STRAY
    low, high = np.quantile(drawn, [stray, 1 - stray], axis=0)
    return bool((high - low > HUES).any())
