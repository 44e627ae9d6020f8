"""Reads the values stored in the file of a mask, at their full bit depth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from src.data.files import (
    MODES_16_BIT,
    UInt8Array,
    has_position,
    is_16_bit,
    open_image,
    remaining_orientation,
    upright,
    values_16_bit,
)
from src.errors import UserError

Values = npt.NDArray[Any]
NODATA = 42113
"""GDAL's tag of a TIFF."""


@dataclass(frozen=True)
class Stored:
    """The content of a mask's file."""

    values: Values
    """(H, W) of whole numbers, or (H, W, 3) uint8 if it has colours; upright."""
    blurred: bool
    """Whether it is a JPEG, which blurs edges."""
    nodata: int | None = None
    """The value that its file calls nodata (GDAL's tag of a TIFF)."""

    def hidden(self, crack: Sequence[int] = ()) -> npt.NDArray[np.bool_] | None:
        """Where there is nothing (H, W), neither crack nor pavement; None: nowhere.

        That is where the value is ``nodata``, unless the user has called it ``crack``. 0 is that only beside two other
        values: programs for maps call the pavement of their masks nodata too. If what is not 0 is all nodata, it may be
        the crack, which is a ``UserError``.
        """
        if self.nodata is None or self.values.ndim == 3 or self.nodata in crack:
            return None
        found = self.values == self.nodata
        others = np.unique(self.values[~found])
        if self.nodata == 0:
            return found if len(others) == 2 else None
        if found.any() and not crack and not others.any():
            raise UserError(nodata_may_be_crack(self.nodata))
        return found if found.any() else None

    def shown(self, crack: Sequence[int] = ()) -> "Stored":
        """The same with what is hidden as pavement: it has the lowest of the other values."""
        hidden = self.hidden(crack)
        if hidden is None:
            return self
        values, others = self.values.copy(), self.values[~hidden]
        values[hidden] = others.min() if others.size else 0
        return replace(self, values=values)

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
        return Stored(np.ascontiguousarray(upright(values, remaining_orientation(image))), blurred, nodata_of(image))


def nodata_may_be_crack(nodata: int) -> str:
    return (
        f"its file calls {nodata} nodata, and it holds nothing else but 0: give --crack-colour {nodata} if that is "
        "crack, and otherwise the value that crack has in the other masks."
    )


def nodata_of(image: Image.Image) -> int | None:
    """The value that a file calls nodata; None without a whole one."""
    text = str(getattr(image, "tag_v2", {}).get(NODATA, "")).strip("\0 ")
    try:
        return int(text)
    except ValueError:
        return None


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
        return on_black(np.array(image.convert("RGBA")), drawn=not has_position(image))
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


def on_black(rgba: UInt8Array, drawn: bool) -> UInt8Array:
    """Draw (H, W, 4) on black. If it is ``drawn`` and all opaque pixels are black, return the opacity (H, W) instead.

    A part of a map is not drawn: transparent is what lies outside of it.
    """
    colours, alpha = rgba[..., :3], rgba[..., 3]
    if alpha.min(initial=255) == 255:
        return colours
    if drawn and not colours[alpha > 0].any():
        return alpha
    return (colours * (alpha[..., None] / 255)).round().astype(np.uint8)
