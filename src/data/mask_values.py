"""Decides which pixels of a single mask are crack where nothing is said about its colours or values.

| stored | crack is |
|---|---|
| JPEG | what is brighter than 127: at more than 0 its blurred edges grow |
| two values, such as 0 and 1, or 0 and 255 | the higher |
| more values, as of antialiased edges | what is brighter than half the range of 8 or of 16 bits |
| one colour on black, in a palette or not | what is at least half as bright as it gets |
| drawn on a transparent ground | what is opaque, if all of it is black; else as on black |

Anything else is refused: numbers of classes or of instances, or colours beside each other, could mean either.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from src.data.files import UInt8Array
from src.data.mask_colours import Colour, brightness, has_colours, histogram, in_blocks, single_colour
from src.data.mask_files import Stored, Values
from src.errors import UserError

FEW_VALUES = 8
"""Up to which low ones (``NEARLY_0``) are numbers of classes; antialiasing makes more."""
NEARLY_0 = 20
NOISE = 16
"""What JPEG makes of black, at most."""
MAIN_SHARE = 5e-3
"""Of the pixels: a value that has as many is meant, and no antialiasing."""
PLATEAU, FEWEST = 0.5, 20
"""Share of the pixels between the lowest and the highest value that lie in blocks or spots of one value, from which
they are classes, and how many of those pixels there must be. Of real masks, shrunk or blurred, 0.2 do at most."""


def read_alone(stored: Stored) -> tuple[UInt8Array, Colour | None]:
    """The mask (H, W) by what is seen in it, and what was taken for crack (see ``Survey.crack``)."""
    if not has_colours(stored.values, stored.blurred):
        return of_grey(Stored(brightness(stored.values), stored.blurred))
    colour, share = single_colour(stored.values, stored.blurred)
    mask, _ = of_grey(Stored(share, stored.blurred))
    return mask, colour


def of_grey(stored: Stored) -> tuple[UInt8Array, Colour | None]:
    """Crack of grey values, (H, W), and the value that it has if there are two."""
    grey, full, blurred = stored.values, stored.full, stored.blurred
    found, counts = histogram(grey)
    if len(found) > 2:
        refuse_photograph(grey, full)
    top, middle = int(found.max(initial=0)), full // 2
    if not blurred and len(found) < 3 and not grey.min(initial=0) < 0:
        mask = grey == found[1] if len(found) == 2 else grey > (0 if top == 1 else middle)
        value = 255 if top == full else top
        return mask.astype(np.uint8), (value, value, value) if mask.any() else None
    low = counts[(found > 0) & (found <= NEARLY_0)].max(initial=0) >= MAIN_SHARE * grey.size
    numbers = not blurred and ((len(found) <= FEW_VALUES and low) or has_plateaus(grey))
    if (NOISE if blurred else -1) < top <= middle or numbers or full > 65535 or found[0] < 0:
        raise UserError(
            f"the mask holds the values {listed(found.tolist())}: which are crack? src.prepare has --crack-colour "
            "N for one of them, and --crack-above N for all that are higher."
        )
    return (grey > middle).astype(np.uint8), None


def listed(values: Sequence[int]) -> str:
    """A few of the values, and the highest."""
    return (
        ", ".join(map(str, values))
        if len(values) <= FEW_VALUES
        else f"{', '.join(map(str, values[:5]))}, ... {values[-1]}"
    )


def is_map(stored: Stored) -> bool:
    """Whether grey values, however many, are numbers of classes or of instances, and no edges."""
    grey = not stored.blurred and not has_colours(stored.values, stored.blurred)
    return grey and has_plateaus(brightness(stored.values))


def has_plateaus(grey: Values) -> bool:
    """Whether the values between the lowest and the highest are areas, and no edges: those of classes or instances."""
    between = (grey > grey.min()) & (grey < grey.max())
    total = np.count_nonzero(between)
    if total < FEWEST:
        return False
    drawn = grey > grey.min()
    _, spots = cv2.connectedComponents(drawn.astype(np.uint8), connectivity=8)
    order = np.argsort(spots[drawn], kind="stable")
    _, starts, labels = np.unique(spots[drawn][order], return_index=True, return_inverse=True)
    values = grey[drawn][order]
    constant = np.minimum.reduceat(values, starts) == np.maximum.reduceat(values, starts)
    flat = in_blocks(grey)[drawn][order] | constant[labels]
    return bool(np.count_nonzero(flat & (values < grey.max())) > PLATEAU * total)


def refuse_photograph(grey: Values, full: int) -> None:
    """Where most pixels are neither dark nor bright, and of many values, nobody drew a crack."""
    middle = grey[(grey >= full // 4) & (grey < full // 4 * 3)]
    if middle.size > grey.size / 2 and len(np.unique(middle)) > FEW_VALUES:
        raise UserError("most of the mask is neither dark nor bright: is it a photograph? Put its mask there.")
