"""Reads the values stored in the file of a mask, at their full bit depth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from src.data.files import (
    MODES_16_BIT,
    UInt8Array,
    is_16_bit,
    open_image,
    remaining_orientation,
    upright,
    values_16_bit,
)
from src.errors import UserError

Values = npt.NDArray[Any]


@dataclass(frozen=True)
class Stored:
    """The content of a mask's file."""

    values: Values
    """(H, W) of whole numbers, or (H, W, 3) uint8 if it has colours; upright."""
    blurred: bool
    """Whether it is a JPEG, which blurs edges."""

    @property
    def full(self) -> int:
        """The highest possible value of the bit depth in use; 8-bit values are often stored with 16 or 32 bits."""
        top = int(self.values.max(initial=0))
        return next(full for full in (255, 65535, max(top, 65535)) if top <= full)


def read_stored(path: Path) -> Stored:
    """Read a mask's file. One that is unreadable, or holds fractions above 1, is a ``UserError``."""
    with open_image(path, numbers=True) as image:
        blurred = image.format == "JPEG"
        try:
            values = stored(path, image)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        return Stored(np.ascontiguousarray(upright(values, remaining_orientation(image))), blurred)


def stored(path: Path, image: Image.Image) -> Values:
    """The values as stored in an opened file: (H, W), or (H, W, 3) if it has colours."""
    if image.mode in ("I", "F"):
        return whole_numbers(np.asarray(image))
    if is_16_bit(image) and "A" not in image.mode:
        deep = values_16_bit(path, image)
        if image.mode in MODES_16_BIT or deep.max(initial=0) <= 255:
            return deep if image.mode in MODES_16_BIT else deep.astype(np.uint8)
        return (deep >> 8).astype(np.uint8)
    if "A" in image.mode or "transparency" in image.info:
        return on_black(np.array(image.convert("RGBA")))
    if image.mode == "1":
        return np.array(image.convert("L"))
    return np.array(image if image.mode == "L" else image.convert("RGB"))


def whole_numbers(values: Values) -> Values:
    """32-bit values as whole numbers; fractions of 0 to 1 become 0 to 255."""
    if not np.isfinite(values).all():
        raise UserError("the mask holds values that are nan or infinite: replace them by 0.")
    whole = values.astype(np.int64)
    if (whole == values).all():
        return whole
    if values.min() < 0 or values.max() > 1:
        raise UserError(
            f"the mask holds fractions from {values.min():g} to {values.max():g}: is it a height map? "
            "A mask has whole numbers, or fractions from 0 to 1."
        )
    return (values * 255).round().astype(np.uint8)


def on_black(rgba: UInt8Array) -> UInt8Array:
    """Draw (H, W, 4) on black; if all opaque pixels are black, return the opacity (H, W) instead."""
    colours, alpha = rgba[..., :3], rgba[..., 3]
    if alpha.min(initial=255) == 255:
        return colours
    if not colours[alpha > 0].any():
        return alpha
    return (colours * (alpha[..., None] / 255)).round().astype(np.uint8)
