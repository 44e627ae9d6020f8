"""What counts as crack in a stored mask, whatever it is stored as.

| stored | crack is |
|---|---|
| JPEG | what is brighter than 127: at more than 0 its blurred edges grow |
| two values, such as 0 and 1, or 0 and 255 | the higher |
| more values, such as antialiased edges | what is brighter than 127 |
| one colour on black, in a palette or not | what is at least half as bright as it gets |
| drawn on a transparent ground | what is opaque, if all of it is black; else as on black |
| 16 bit | the same of its upper 8 bit, or of its lower if it has no more |
| any, with a crack colour | what is nearer to it than to the mask's other colours |

Anything else is refused: a map of labels (few values, of which some of 1 to 20), or bright colours beside each other,
could mean either.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from src.data.files import DEEP, Float32Array, UInt8Array, opened, orientation, upright
from src.errors import UserError

MIDDLE = 127
GREY = 32
"""Channels that differ by no more are one grey: JPEG makes such colours."""
HUES = 0.35
"""Of a colour's parts by its brightest one: if those differ by more, there are several colours."""
STRAY = 1e-3
"""Of the coloured pixels: so few may have any hue. Where JPEG has blurred the colours, ``BLURRED``."""
BLURRED = 0.05
FEW_VALUES = 8
"""Of a label map; antialiasing makes more."""
NEARLY_0 = 20
NOISE = 16
"""What JPEG makes of black, at most."""
MAIN_SHARE = 5e-3
"""Of the pixels: a colour that has as many is meant, and no antialiasing."""
FEW_COLOURS = 32
SAME = 48
"""Colours that differ by no more in any channel are one."""

Colour = tuple[int, int, int]


def read_mask(path: Path, crack: Colour | None = None) -> UInt8Array:
    """Crack mask, (H, W) uint8 in {0, 1}. A file that cannot be used, or understood, is a ``UserError``."""
    with opened(path) as image:
        blurred = image.format == "JPEG"
        values = np.ascontiguousarray(upright(stored(image), orientation(image)))
    try:
        if crack is not None:
            return of_colour(values, crack)
        if values.ndim == 3 and (np.ptp(values, axis=2) > GREY).any():
            return of_colours(values, blurred)
        return of_grey(values.max(axis=2) if values.ndim == 3 else values, blurred)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def stored(image: Image.Image) -> UInt8Array:
    """The values of a mask as they lie in its file: (H, W), or (H, W, 3) if it has colours."""
    if image.mode in DEEP:
        deep = np.asarray(image)
        return (deep >> 8 if deep.max(initial=0) > 255 else deep).astype(np.uint8)
    if "A" in image.mode or "transparency" in image.info:
        return on_black(np.array(image.convert("RGBA")))
    if image.mode == "1":
        return np.array(image.convert("L"))
    return np.array(image if image.mode == "L" else image.convert("RGB"))


def on_black(rgba: UInt8Array) -> UInt8Array:
    """(H, W, 4) to its opacity (H, W) if all that is drawn is black on a transparent ground, else drawn on black."""
    colours, alpha = rgba[..., :3], rgba[..., 3]
    if alpha.min(initial=255) == 255:
        return colours
    if not colours[alpha > 0].any():
        return alpha
    return (colours * (alpha[..., None] / 255)).round().astype(np.uint8)


def of_grey(grey: UInt8Array, blurred: bool) -> UInt8Array:
    """Crack of grey values; ``blurred`` by JPEG."""
    counts = histogram(grey)
    found = np.flatnonzero(counts)
    if len(found) > 2:
        refuse_photograph(grey)
    top = int(found.max(initial=0))
    if not blurred and len(found) < 3:
        return (grey == found[1] if len(found) == 2 else grey > (0 if top == 1 else MIDDLE)).astype(np.uint8)
    is_map = not blurred and len(found) <= FEW_VALUES and counts[1 : NEARLY_0 + 1].max() >= MAIN_SHARE * grey.size
    if (NOISE if blurred else -1) < top <= MIDDLE or is_map:
        shown = ", ".join(str(value) for value in found[:5]) + (", ..." if len(found) > 5 else "")
        raise UserError(
            f"the mask holds the values {shown}, at most {top}: which are crack? Prepare it: --crack-colour N,N,N."
        )
    return (grey > MIDDLE).astype(np.uint8)


def histogram(grey: UInt8Array) -> Float32Array:
    """Pixels of each of 256 values; numpy would count 8 bytes a pixel."""
    return cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(np.float32)


def refuse_photograph(grey: UInt8Array) -> None:
    """Where most pixels are neither dark nor bright, nobody drew a crack."""
    middle = histogram(grey)[64:192]
    if middle.sum() > grey.size / 2 and np.count_nonzero(middle) > FEW_VALUES:
        raise UserError("most of the mask is neither dark nor bright: is it a photograph? Put its mask there.")


def of_colours(values: UInt8Array, blurred: bool) -> UInt8Array:
    """Crack of a colour mask: what is drawn in one colour on black, where it is at least half as bright as it gets."""
    brightness = values.max(axis=2)
    bright = brightness > brightness.max() // 4
    drawn = values[bright] / brightness[bright][:, None]
    stray = BLURRED if blurred and bright.mean() < 0.5 else STRAY
    low, high = np.quantile(drawn, [stray, 1 - stray], axis=0)
    if (high - low > HUES).any():
        shown = " and ".join(str(colour) for colour in main_colours(values)[:3])
        raise UserError(f"the mask has several colours, such as {shown}: which is crack? Prepare it: --crack-colour.")
    refuse_photograph(brightness)
    return (brightness > brightness.max() / 2).astype(np.uint8)


def of_colour(values: UInt8Array, crack: Colour) -> UInt8Array:
    """Crack is what has a colour; and, unless the mask is a label map, what is nearer to it than to the others.

    A colour that is as good as everywhere is a ``UserError``.
    """
    colours = values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
    if (exact := (colours == np.array(crack)).all(axis=2)).any() and is_label_map(colours):
        return exact.astype(np.uint8)
    others = [found for found in main_colours(colours) if np.abs(np.subtract(found, crack)).max() > SAME]
    if not others:
        raise UserError(f"--crack-colour {','.join(map(str, crack))}: the mask has no other colour.")
    away = [np.square(colours.astype(np.int32) - np.array(colour)).sum(axis=2) for colour in (crack, *others)]
    return (np.argmin(away, axis=0) == 0).astype(np.uint8)


def is_label_map(values: UInt8Array) -> bool:
    """Whether (H, W, 3) has a few colours and no others, not even at edges."""
    packed = values.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    seen: set[int] = set()
    for row in packed:
        seen.update(np.unique(row).tolist())
        if len(seen) > FEW_COLOURS:
            return False
    return True


def main_colours(values: UInt8Array) -> list[Colour]:
    """The colours of (H, W, 3), the most common first; what few pixels have is an edge or noise, and left out."""
    coarse = (values >> 4).reshape(-1, 3).astype(np.int32) @ np.array([256, 16, 1])
    counts = np.bincount(coarse, minlength=4096)
    order = [bin for bin in np.argsort(-counts, kind="stable") if counts[bin] >= MAIN_SHARE * len(coarse)]
    flat = values.reshape(-1, 3)
    medians = (np.median(flat[coarse == bin], axis=0).astype(int).tolist() for bin in order)
    return [(red, green, blue) for red, green, blue in medians]
