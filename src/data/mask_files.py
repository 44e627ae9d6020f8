"""The values of a mask as they lie in its file, at their full depth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from src.data.files import DEEP, UInt8Array, deep_values, is_deep, opened, still_to_turn, upright
from src.errors import UserError

Values = npt.NDArray[Any]


@dataclass(frozen=True)
class Stored:
    """What a mask's file holds."""

    values: Values
    """(H, W) of whole numbers, or (H, W, 3) uint8 if it has colours; upright."""
    blurred: bool
    """By JPEG."""

    @property
    def full(self) -> int:
        """The highest value that numbers of this depth can have; what has 8 bits is often stored with 16 or 32."""
        top = int(self.values.max(initial=0))
        return next(full for full in (255, 65535, max(top, 65535)) if top <= full)


def read_stored(path: Path) -> Stored:
    """A file that cannot be read, or holds fractions above 1, is a ``UserError``."""
    with opened(path, numbers=True) as image:
        blurred = image.format == "JPEG"
        try:
            values = stored(path, image)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        return Stored(np.ascontiguousarray(upright(values, still_to_turn(image))), blurred)


def stored(path: Path, image: Image.Image) -> Values:
    """The values of an opened file as they lie in it: (H, W), or (H, W, 3) if it has colours."""
    if image.mode in ("I", "F"):
        return whole_numbers(np.asarray(image))
    if is_deep(image) and "A" not in image.mode:
        deep = deep_values(path, image)
        if image.mode in DEEP or deep.max(initial=0) <= 255:
            return deep if image.mode in DEEP else deep.astype(np.uint8)
        return (deep >> 8).astype(np.uint8)
    if "A" in image.mode or "transparency" in image.info:
        return on_black(np.array(image.convert("RGBA")))
    if image.mode == "1":
        return np.array(image.convert("L"))
    return np.array(image if image.mode == "L" else image.convert("RGB"))


def whole_numbers(values: Values) -> Values:
    """32-bit values as whole numbers; fractions of 0 to 1 become 0 to 255."""
    if not np.isfinite(values).all():
        raise UserError("the mask holds values that are no numbers (nan or infinite): write 0 there.")
    whole = values.astype(np.int64)
    if (whole == values).all():
        return whole
    if values.min() < 0 or values.max() > 1:
        raise UserError(
            f"the mask holds fractions from {values.min():g} to {values.max():g}: is it a map of heights? "
            "A mask has whole numbers, or shares from 0 to 1."
        )
    return (values * 255).round().astype(np.uint8)


def on_black(rgba: UInt8Array) -> UInt8Array:
    """(H, W, 4) to its opacity (H, W) if all that is drawn is black on a transparent ground, else drawn on black."""
    colours, alpha = rgba[..., :3], rgba[..., 3]
    if alpha.min(initial=255) == 255:
        return colours
    if not colours[alpha > 0].any():
        return alpha
    return (colours * (alpha[..., None] / 255)).round().astype(np.uint8)
