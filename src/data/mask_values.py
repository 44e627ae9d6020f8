"""Decides which pixels of a single mask are crack if the user gives no rule. (``masks`` is about whole data sets.)

| stored | crack is |
|---|---|
| JPEG | what is brighter than 127 (with a limit of 0, blurred edges would widen the crack) |
| two values, such as 0 and 1, or 0 and 255 | the higher value |
| more values, as of antialiased edges | what is brighter than half the range of 8 or of 16 bits |
| one colour on black, with or without a palette | what is at least half as bright as the brightest pixel |
| drawn on a transparent background | what is opaque, if all of it is black; otherwise as on black |

Anything else is refused as ambiguous: numbers of classes or of instances, or several colours.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from src.data.files import UInt8Array
from src.data.mask_colours import Colour, brightness, has_colours, histogram, in_blocks, single_colour
from src.data.mask_files import Stored, Values
from src.errors import UserError

FEW_VALUES = 8
"""If a mask has at most this many values and one of them is low, they are numbers of classes; antialiasing has more."""
NEARLY_0 = 20
"""Highest value that counts as low."""
NOISE = 16
"""Highest value that JPEG makes of black."""
MAIN_SHARE = 5e-3
"""Share of the pixels from which a value is intended, and not antialiasing."""
PLATEAU = 0.5
"""Share of the pixels between the lowest and the highest value that are in areas of one value, above which the values
are classes. In real masks, shrunk or blurred, the share is at most 0.2."""
FEWEST = 20
"""Pixels between the lowest and the highest value that are needed for this decision."""


def interpret(stored: Stored) -> tuple[UInt8Array, Colour | None]:
    """The crack mask (H, W) of a single file, and its colour of crack (see ``MaskInfo.crack``)."""
    if not has_colours(stored.values, stored.blurred):
        return crack_of_grey(Stored(brightness(stored.values), stored.blurred))
    colour, share = single_colour(stored.values, stored.blurred)
    mask, _ = crack_of_grey(Stored(share, stored.blurred))
    return mask, colour


def crack_of_grey(stored: Stored) -> tuple[UInt8Array, Colour | None]:
    """The crack mask (H, W) of grey values, and the value of crack if there are two values."""
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
            f"the mask holds the values {list_values(found.tolist())}, and it is not clear which are crack: say "
            "it with --crack-colour N for one of them, or --crack-above N for all higher ones (of src.prepare, "
            "src.measure and src.label)."
        )
    return (grey > middle).astype(np.uint8), None


def list_values(values: Sequence[int]) -> str:
    """The values as text; of many, the lowest ones and the highest."""
    return (
        ", ".join(map(str, values))
        if len(values) <= FEW_VALUES
        else f"{', '.join(map(str, values[:5]))}, ... {values[-1]}"
    )


def is_label_map(stored: Stored) -> bool:
    """Whether the grey values are numbers of classes or of instances, and not edges."""
    grey = not stored.blurred and not has_colours(stored.values, stored.blurred)
    return grey and has_plateaus(brightness(stored.values))


def has_plateaus(grey: Values) -> bool:
    """Whether the values between the lowest and the highest form areas, as classes or instances do, and not edges."""
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
    """A ``UserError`` if most pixels are neither dark nor bright and have many values: this is not a mask."""
    middle = grey[(grey >= full // 4) & (grey < full // 4 * 3)]
    if middle.size > grey.size / 2 and len(np.unique(middle)) > FEW_VALUES:
        raise UserError("most of the mask is neither dark nor bright: is it a photograph? Put its mask here instead.")
