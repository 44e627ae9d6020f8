"""Draws overlays, panels and contact sheets.

The three colours of an overlay differ in lightness and hue for every kind of colour vision (Okabe and Ito 2008).
"""

import errno
import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from src.atomic import replaced_file
from src.data.files import STRIP, UInt8Array, exchange_red_and_blue

FOUND = (86, 180, 233)  # sky blue, RGB: crack that is predicted
FALSE_ALARM = (213, 94, 0)  # vermillion: predicted, but no crack
MISSED = (240, 228, 66)  # yellow: crack that is not predicted
PNG_END = b"IEND\xaeB`\x82"
LEGEND = "blue: crack found, orange: false alarm, yellow: crack missed"
PANEL_SIDE = 256  # pixels: the longer side of a picture in a panel
GAP = 4  # pixels between them
LINE = 22  # pixels of a name below a picture


def overlay(image: UInt8Array, predicted: UInt8Array, actual: UInt8Array | None = None) -> UInt8Array:
    """Draw the prediction (H, W) on the greyed photograph (H, W, 3), in place; without ``actual`` all of it is blue."""
    rows = max(1, STRIP // image.shape[1])
    for top in range(0, len(image), rows):
        strip, found = image[top : top + rows], predicted[top : top + rows]
        truth = found if actual is None else actual[top : top + rows]
        strip[:] = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY)[..., None]
        strip[(found == 1) & (truth == 1)] = FOUND
        strip[(found == 1) & (truth == 0)] = FALSE_ALARM
        strip[(found == 0) & (truth == 1)] = MISSED
    return image


def outline(image: UInt8Array, mask: UInt8Array) -> UInt8Array:
    """Draw a blue line around the crack (H, W) into the photograph (H, W, 3), in place: the crack stays visible.

    The line is thicker in larger photographs, so that it is seen when they are shrunk to a screen.
    """
    longest = max(mask.shape)
    reach = 1 if longest < PANEL_SIDE else max(2, round(longest / 1000))
    around = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    rows = max(1, STRIP // image.shape[1])
    for top in range(0, len(image), rows):
        first = max(0, top - reach)
        near = cv2.dilate(mask[first : top + rows + reach], around)[top - first :][: len(mask[top : top + rows])]
        image[top : top + rows][(near > 0) & (mask[top : top + rows] == 0)] = FOUND
    return image


def panel(rows: Sequence[tuple[UInt8Array, UInt8Array, UInt8Array]]) -> UInt8Array:
    """Photograph, mask and overlay side by side on white, one row for each (image, predicted, actual)."""
    drawn = [
        _on_white(
            [image, np.repeat(actual[..., None] * np.uint8(255), 3, axis=2), overlay(image.copy(), predicted, actual)]
        )
        for image, predicted, actual in rows
    ]
    return np.pad(np.concatenate(drawn, axis=0), ((GAP, 0), (GAP, 0), (0, 0)), constant_values=255)


def labelled_panel(text: str, picture: UInt8Array) -> UInt8Array:
    """A picture with a line of text above; a text that is too long loses its middle."""
    width, letters = picture.shape[1], font()
    fitting = next(one for one in shortened(text) if letters.getlength(one) <= width - 2 * GAP)
    line = Image.new("RGB", (width, LINE), "white")
    ImageDraw.Draw(line).text((GAP, 2), fitting, "black", letters)
    return np.concatenate([np.asarray(line), picture])


def contact_sheet(pairs: Sequence[tuple[str, UInt8Array, UInt8Array]], columns: int = 6) -> UInt8Array:
    """Photographs (H, W, 3) with the outlines of their masks (H, W) in blue and their names below, in rows on white."""
    drawn = [_named(name, _on_white([outlined(image, mask)])) for name, image, mask in pairs]
    height, width = (max(one.shape[axis] for one in drawn) for axis in (0, 1))
    cells = [np.full((height, width, 3), 255, np.uint8) for _ in range(len(drawn) + -len(drawn) % columns)]
    for cell, one in zip(cells, drawn, strict=False):
        cell[: one.shape[0], : one.shape[1]] = one
    rows = [np.concatenate(cells[start : start + columns], axis=1) for start in range(0, len(cells), columns)]
    return np.pad(np.concatenate(rows, axis=0), ((GAP, 0), (GAP, 0), (0, 0)), constant_values=255)


def outlined(image: UInt8Array, mask: UInt8Array) -> UInt8Array:
    """The photograph at the size of a panel with the crack outlined, so that the crack stays visible."""
    small = _shrink(image, cv2.INTER_AREA).copy()
    around = cv2.dilate(_shrink(mask, cv2.INTER_AREA), np.ones((5, 5), np.uint8))
    lines, _ = cv2.findContours(around, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(small, lines, -1, FOUND, 1)
    return small


def _named(name: str, picture: UInt8Array) -> UInt8Array:
    """The picture with its name below; a name that is too long loses its middle."""
    width, letters = PANEL_SIDE + GAP, font()
    text = next(text for text in shortened(name) if letters.getlength(text) <= width - 2 * GAP)
    line = Image.new("RGB", (width, LINE), "white")
    ImageDraw.Draw(line).text((0, 0), text, "black", letters)
    wide = np.pad(picture, ((0, 0), (0, max(0, width - picture.shape[1])), (0, 0)), constant_values=255)
    return np.concatenate([wide, np.asarray(line)])


@cache
def font(size: int = 14) -> ImageFont.FreeTypeFont:
    """DejaVu Sans of ``size`` pixels, installed with matplotlib.

    It has Latin with all accents, Greek and Cyrillic; other letters are boxes.
    """
    from matplotlib import font_manager  # to import it takes a fifth of a second, and trainings need none of it

    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)


def shortened(name: str) -> Iterator[str]:
    """The name, then ever shorter versions without its middle: names differ most at their ends."""
    name = "".join(sign if sign.isprintable() else "?" for sign in name)
    yield name
    for kept in range(len(name) - 1, -1, -1):
        yield f"{name[: (kept + 1) // 2]}…{name[len(name) - kept // 2 :]}"


def _on_white(pictures: Sequence[UInt8Array]) -> UInt8Array:
    """Pictures of one height side by side, each with a white gap to its right and below."""
    shrunk = [_shrink(picture, cv2.INTER_AREA) for picture in pictures]
    return np.concatenate([np.pad(one, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for one in shrunk], axis=1)


def _shrink(picture: UInt8Array, interpolation: int) -> UInt8Array:
    factor = PANEL_SIDE / max(picture.shape[:2])
    if factor >= 1:
        return picture
    height, width = (max(1, round(side * factor)) for side in picture.shape[:2])
    small = cv2.resize(picture, (width, height), interpolation=interpolation)
    return small.astype(np.uint8, copy=False)


def write_picture(picture: UInt8Array, path: Path) -> None:
    """Write RGB (H, W, 3) or grey (H, W) as PNG. To save memory, red and blue are swapped in place and back again."""
    with replaced_file(path) as partial:
        partial.touch()  # raises an error with the reason, which OpenCV does not give
        exchange_red_and_blue(picture)
        try:
            written = cv2.imwrite(str(partial), picture)
        finally:
            exchange_red_and_blue(picture)
        if not written or not _is_whole(partial):  # OpenCV does not notice all failures
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _is_whole(path: Path) -> bool:
    """Whether a PNG has its last chunk."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(PNG_END)))
        return file.read() == PNG_END
