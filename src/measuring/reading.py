"""Reads a mask and its photograph, and measures it. Large and georeferenced files are read window by window."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from src.data.files import UInt8Array, read_image
from src.data.masks import UserRule
from src.data.pairs import turned
from src.errors import UserError
from src.maps.mask_file import MaskFile
from src.maps.preview import Preview
from src.maps.raster import Raster, Seen, open_dataset
from src.measuring.cracks import measure
from src.measuring.masks import FoundMask
from src.measuring.places import Place, place_of
from src.measuring.rules import Rules
from src.measuring.tables import Measured
from src.measuring.units import Units
from src.scoring.cleaning import strips

FULL = 0.5
"""Share of crack from which a mask is taken to be inverted."""
PAPER, CRACK = 225, 120
"""Grey levels of a mask whose photograph is not known."""


class Reader:
    """Reads the masks of one measurement: one rule for all, and the scale."""

    def __init__(
        self,
        masks: Sequence[FoundMask],
        mm_per_pixel: float | None = None,
        georeferenced: bool = False,
        user_rule: UserRule | None = None,
    ) -> None:
        """``georeferenced``: a mask without a georeference is a ``UserError``; so is one that is unclear."""
        self.rules = Rules([mask.path for mask in masks], user_rule or UserRule())
        readable = [mask.path for mask in masks if mask.path not in self.rules.unreadable]
        without = [path for path in readable if path not in self.rules.places]
        if georeferenced and without:
            raise UserError(
                f"--geojson: {without[0]} has no georeference, and neither have {len(without) - 1} others; only masks "
                "of georeferenced photographs can be put on a map."
            )
        use_maps = mm_per_pixel is None and not without
        self.units = {path: Units(self._scale(path) if use_maps else mm_per_pixel) for path in readable}

    def _scale(self, path: Path) -> float:
        try:
            return self.rules.places[path].mm_per_pixel
        except UserError as error:
            raise UserError(f"{path}: {error}") from None

    @property
    def have_scale(self) -> bool:
        """Whether all photographs have a scale: the user's, or that of their georeferences."""
        return all(units.mm_per_pixel is not None for units in self.units.values())

    def read(self, mask: FoundMask, min_length: float) -> tuple[Measured, UInt8Array]:
        """Measure one mask; also the picture to draw on: its photograph, or the mask in grey.

        Cracks that are shorter than ``min_length`` pixels are left out.
        """
        if error := self.rules.unreadable.get(mask.path):
            raise error
        found, picture = (self._in_windows if mask.path in self.rules.in_windows else self._whole)(mask)
        cracks = [crack for crack in found.cracks if crack.length >= min_length]
        return replace(found, cracks=cracks, left_out=len(found.cracks) - len(cracks)), picture

    def _whole(self, mask: FoundMask) -> tuple[Measured, UInt8Array]:
        values = self.rules.rule.read(mask.path)
        picture = photograph_of(mask)
        if picture is None:
            picture = in_grey(values)
        elif picture.shape[:2] != values.shape and mask.photograph:
            values = turned(values, mask.photograph)
        refuse_other_size(mask, picture.shape, values.shape)
        refuse_inverted(mask.path, int(values.sum()), values.size)
        return self._measured(mask, values), picture

    def _in_windows(self, mask: FoundMask) -> tuple[Measured, UInt8Array]:
        with ExitStack() as stack:
            values = MaskFile(stack.enter_context(open_dataset(mask.path)), self.rules.user_rule)
            image = raster_of(mask, stack)
            refuse_other_size(mask, image.shape if image else values.shape, values.shape)
            seen = Seen(*values.seen.datasets, *([image.dataset] if image else []))
            crack, pixels = 0, 0
            for rows in strips(values.shape):
                strip = values[rows]
                crack += int(strip.sum())
                pixels += int(seen[rows].sum()) if seen else strip.size
            refuse_inverted(mask.path, crack, pixels)
            return self._measured(mask, values, seen or None, pixels), preview_of(mask, values, image)

    def _measured(
        self, mask: FoundMask, values: UInt8Array | MaskFile, seen: Seen | None = None, pixels: int | None = None
    ) -> Measured:
        return Measured(
            name=mask.name,
            mask=mask.path,
            height=values.shape[0],
            width=values.shape[1],
            cracks=measure(values, seen),
            seen=pixels,
            units=self.units[mask.path],
            place=place_of(mask.photograph) if mask.photograph else Place(),
            georeference=self.rules.places.get(mask.path),
        )


def photograph_of(mask: FoundMask) -> UInt8Array | None:
    """The photograph; None, and a line about it, if it cannot be read: the mask can be measured without."""
    if mask.photograph is None:
        return None
    try:
        return read_image(mask.photograph)
    except UserError as error:
        print(f"{mask.path}: measured without its photograph. {error}")
        return None


def raster_of(mask: FoundMask, stack: ExitStack) -> Raster | None:
    """The same, opened to be read in windows."""
    if mask.photograph is None:
        return None
    try:
        return Raster(stack.enter_context(open_dataset(mask.photograph)), None)
    except UserError as error:
        print(f"{mask.path}: measured without its photograph. {error}")
        return None


def preview_of(mask: FoundMask, values: MaskFile, image: Raster | None) -> UInt8Array:
    """A small picture of the photograph, or of the mask where there is none that can be read."""
    if image is not None:
        try:
            return shrunk(values.shape, (image[rows] for rows in strips(values.shape)))
        except UserError as error:
            print(f"{mask.path}: drawn without its photograph. {error}")
    return shrunk(values.shape, (in_grey(values[rows]) for rows in strips(values.shape)))


def shrunk(shape: tuple[int, ...], parts: Iterable[UInt8Array]) -> UInt8Array:
    preview = Preview(shape)
    for part in parts:
        preview.add(part)
    return preview.image


def in_grey(mask: UInt8Array) -> UInt8Array:
    """A mask (H, W) as a picture (H, W, 3)."""
    return np.repeat(np.where(mask > 0, CRACK, PAPER).astype(np.uint8)[..., None], 3, axis=2)


def refuse_inverted(path: Path, crack: int, pixels: int) -> None:
    if crack > FULL * pixels:
        raise UserError(
            f"{path}: more than half of it is crack. Where crack is black, add --crack-colour 0; where it is not, "
            "--crack-colour must not be that of the pavement."
        )


def refuse_other_size(mask: FoundMask, photograph: tuple[int, ...], its: tuple[int, ...]) -> None:
    if photograph[:2] != its[:2]:
        raise UserError(
            f"{mask.photograph} is {photograph[1]}x{photograph[0]} pixels and its mask {mask.path} "
            f"{its[1]}x{its[0]}: both must have the same size."
        )
