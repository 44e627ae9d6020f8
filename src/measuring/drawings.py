"""Draws the centre lines of cracks on their photograph, with numbers that one can read."""

from functools import partial

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from src.data.files import UInt8Array
from src.measuring.cracks import Crack
from src.measuring.severity import Severity
from src.measuring.tables import Measured
from src.measuring.units import Units
from src.scoring.pictures import font

LARGEST = 4096
"""Pixels of the longer side of a picture; larger ones are shrunk."""
SMALLEST = 800
"""Pixels of the longer side of a picture; smaller ones are enlarged, so that the numbers fit."""
COLOURS = ((0, 158, 115), (240, 228, 66), (230, 159, 0), (213, 94, 0), (204, 121, 167))
"""From the least severe to the most severe band (Okabe and Ito 2008)."""
PLAIN = (240, 228, 66)
"""The colour without bands."""
SHOWN = 40
"""Cracks of a picture that get a number, at most; the longest ones."""
IN_WORDS = 12
"""Of these, the longest get their length and width too."""
Box = tuple[float, float, float, float]
GAPS = (1, 2, 3)
"""Between a number and the middle of its crack: heights of a letter that are tried."""


def draw_cracks(background: UInt8Array, photograph: Measured, severity: Severity | None) -> UInt8Array:
    """Draw the cracks on a photograph, or on a mask in grey, (H, W, 3), which is not changed.

    The background may be smaller than the photograph. The result has sides of ``SMALLEST`` to ``LARGEST`` pixels.
    """
    longest = max(background.shape[:2])
    enlarged = min(LARGEST / longest, max(1, SMALLEST / longest))
    interpolation = cv2.INTER_AREA if enlarged < 1 else cv2.INTER_NEAREST
    height, width = (max(1, round(side * enlarged)) for side in background.shape[:2])
    scaled = cv2.resize(background, (width, height), interpolation=interpolation)
    grey = cv2.cvtColor(scaled, cv2.COLOR_RGB2GRAY)
    picture = np.repeat(grey[..., None], 3, axis=2)
    factor = max(picture.shape[:2]) / max(photograph.height, photograph.width)
    thickness = max(2, round(max(picture.shape[:2]) / 700))
    for crack in photograph.cracks:
        colour = colour_of(crack, photograph.units, severity)
        for line in crack.lines:
            # OpenCV counts from the centre of the first pixel, in 16ths of a pixel
            points = np.round((line.points * factor - 0.5) * 16).astype(np.int32)
            cv2.polylines(picture, [points], False, colour, thickness, cv2.LINE_AA, 4)
    return with_numbers(picture.astype(np.uint8, copy=False), photograph, factor)


def colour_of(crack: Crack, units: Units, severity: Severity | None) -> tuple[int, int, int]:
    return PLAIN if severity is None else band_colour(severity.rank(crack, units), len(severity.bands))


def band_colour(rank: int, bands: int) -> tuple[int, int, int]:
    """The colours of few bands are spread over all."""
    return COLOURS[min(len(COLOURS) - 1, round(rank * (len(COLOURS) - 2) / max(1, bands - 1)))]


def with_numbers(picture: UInt8Array, photograph: Measured, factor: float) -> UInt8Array:
    """Write the numbers of the longest cracks beside them, over no other number and as few lines as can be."""
    image = Image.fromarray(picture)
    draw, letters = ImageDraw.Draw(image), font(max(14, max(picture.shape[:2]) // 70))
    taken, units, lines = list[Box](), photograph.units, picture.min(axis=2) != picture.max(axis=2)
    for number, crack in enumerate(photograph.cracks[:SHOWN], 1):
        text = str(number)
        if number <= IN_WORDS:
            text += f":  {units.length_text(crack.length)} long,  {units.width_text(crack.width_mean)} wide"
        x, y = crack.middle
        lies = 45 < (crack.direction[0] + 90) % 180 < 135  # along the rows
        size = letters.getlength(text) + 8, letters.size + 6
        sides = [
            box
            for gap in GAPS
            for box in boxes_beside((x * factor, y * factor), size, gap * letters.size, image.size, lies)
        ]
        if free := [box for box in sides if not any(overlap(box, other) for other in taken)]:
            taken.append(min(free, key=partial(covered, lines)))
            write(draw, letters, text, taken[-1])
    return np.array(image)


def write(draw: ImageDraw.ImageDraw, letters: ImageFont.FreeTypeFont, text: str, box: Box) -> None:
    """Write a text on a white ground."""
    draw.rectangle(box, "white", "black")
    draw.text((box[0] + 4, box[1] + 2), text, "black", letters)


def boxes_beside(
    at: tuple[float, float], size: tuple[float, float], gap: float, picture: tuple[int, int], lies: bool
) -> list[Box]:
    """Boxes of this width and height on the sides of a point, moved into the picture, where they fit.

    Above and below come first for a crack that ``lies`` along the rows.
    """
    (x, y), (width, height), (right, below) = at, size, picture
    upright = [(x - width / 2, y - height - gap), (x - width / 2, y + gap)]
    beside = [(x + gap, y - height / 2), (x - width - gap, y - height / 2)]
    corners = [*upright, *beside] if lies else [*beside, *upright]
    found = [(min(max(0.0, left), right - width), min(max(0.0, top), below - height)) for left, top in corners]
    return [(left, top, left + width, top + height) for left, top in found if min(left, top) >= 0]


def covered(lines: npt.NDArray[np.bool_], box: Box) -> int:
    """Pixels of lines that a box would hide."""
    left, top, right, below = map(round, box)
    return int(lines[top : below + 1, left : right + 1].sum())


def overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
