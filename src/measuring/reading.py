"""Reads masks and their photographs, and measures them. Large and georeferenced files are read window by window."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from src.data.files import Mask, UInt8Array, Windows
from src.data.masks import UserRule
from src.data.pairs import turned
from src.errors import UserError
from src.maps.masks import AllSeen, MaskFile, ShownMask, open_mask
from src.maps.photographs import OpenPhotograph, open_photograph
from src.maps.preview import Preview
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


class UnfitError(UserError):
    """A mask that can be read, with its photograph, and cannot be meant: of another size, or inverted."""


@dataclass(frozen=True)
class Opened:
    """A mask and, where it is known, its photograph."""

    values: Mask
    """(H, W) in {0, 1}."""
    pixels: int
    """That show something."""
    seen: Windows | None
    """Where that is, (H, W) in {0, 1}; None: everywhere."""
    photograph: OpenPhotograph | None


class Reader:
    """Reads the masks of one measurement: one rule for all, and the scale."""

    def __init__(
        self,
        masks: Sequence[FoundMask],
        mm_per_pixel: float | None = None,
        georeferenced: bool = False,
        user_rule: UserRule | None = None,
    ) -> None:
        """``georeferenced``: a mask that is on no map of the earth is a ``UserError``; so is one that is unclear."""
        self.rules = Rules([mask.path for mask in masks], user_rule or UserRule())
        readable = [mask.path for mask in masks if mask.path not in self.rules.unreadable]
        if georeferenced:
            self._refuse_without_map(readable)
        scales = self._scales(readable) if mm_per_pixel is None else dict.fromkeys(readable, mm_per_pixel)
        self.units = {path: Units(scales.get(path)) for path in readable}

    def _refuse_without_map(self, paths: Sequence[Path]) -> None:
        without = [path for path in paths if path not in self.rules.places]
        if without:
            more = f" (as {len(without) - 1} others)" if len(without) > 1 else ""
            raise UserError(
                f"--geojson: {without[0]} has no georeference{more}; only masks of georeferenced photographs can be "
                "put on a map."
            )
        for path in paths:
            try:
                place = self.rules.places[path]
                place.degrees(np.array([place.centre]))
            except UserError as error:
                raise UserError(f"--geojson: {path}: {error}") from None

    def _scales(self, paths: Sequence[Path]) -> dict[Path, float]:
        """Millimetres of a pixel by the maps; of none, if not all have a map that tells it."""
        found = dict[Path, float]()
        for path in paths:
            if path not in self.rules.places:
                return {}
            try:
                found[path] = self.rules.places[path].mm_per_pixel
            except UserError as error:
                print(f"{path}: no scale, so all is in pixels: {error}")
                return {}
        return found

    @property
    def have_scale(self) -> bool:
        """Whether all photographs have a scale: the user's, or that of their georeferences."""
        return all(units.mm_per_pixel is not None for units in self.units.values())

    def read(self, mask: FoundMask, min_length: float) -> tuple[Measured, UInt8Array]:
        """Measure one mask; also the picture to draw on: its photograph, or the mask in grey.

        Cracks that are shorter than ``min_length`` pixels are left out. A photograph that cannot be read is left out
        too, with a line about it.
        """
        try:
            found, picture = self._read(mask)
        except UnfitError:
            raise
        except UserError as error:
            if mask.photograph is None or mask.path in self.rules.unreadable:
                raise
            found, picture = self._read(replace(mask, photograph=None))
            found = replace(found, name=mask.name)
            print(f"{mask.path}: measured without its photograph. {error}")
        cracks = [crack for crack in found.cracks if crack.length >= min_length]
        return replace(found, cracks=cracks, left_out=len(found.cracks) - len(cracks)), picture

    def _read(self, mask: FoundMask) -> tuple[Measured, UInt8Array]:
        with open_with_photograph(mask, self.rules) as opened:
            found = Measured(
                name=mask.name,
                mask=mask.path,
                height=opened.values.shape[0],
                width=opened.values.shape[1],
                cracks=measure(opened.values, opened.seen),
                seen=opened.pixels,
                units=self.units[mask.path],
                place=place_of(mask.photograph) if mask.photograph else Place(),
                georeference=self.rules.places.get(mask.path),
            )
            return found, picture_of(opened)


@contextmanager
def open_with_photograph(mask: FoundMask, rules: Rules) -> Generator[Opened]:
    """A mask as it is to be used. One that cannot be read, or is inverted, is a ``UserError``; so is its photograph."""
    if error := rules.unreadable.get(mask.path):
        raise error
    with ExitStack() as stack:
        own = stack.enter_context(open_mask(mask.path, rules.rule))
        values, photograph = own.values, None
        if mask.photograph is not None:
            photograph = stack.enter_context(open_photograph(mask.photograph, None))
            if isinstance(values, np.ndarray) and photograph.image.shape[:2] != values.shape:
                values = turned(values, mask.photograph)
            refuse_other_size(mask, photograph.image.shape, values.shape)
        parts = [one for one in (own.seen, photograph and photograph.seen) if one is not None]
        seen = AllSeen(parts) if parts else None
        if photograph and photograph.seen is not None:
            values = ShownMask(values, photograph.seen)
        crack, pixels = 0, 0
        for rows in strips(values.shape):
            strip = values[rows]
            crack += int(strip.sum())
            pixels += int(seen[rows].sum()) if seen else strip.size
        if isinstance(own.values, MaskFile):
            own.values.refuse_unclear()
        if mask.sure is None:  # a prediction of ours is not inverted, however bad
            refuse_inverted(mask.path, crack, pixels)
        yield Opened(values, pixels, seen, photograph)


def picture_of(opened: Opened) -> UInt8Array:
    """The photograph, or the mask in grey; small where they do not fit into memory."""
    image, values = opened.photograph and opened.photograph.image, opened.values
    if isinstance(image, np.ndarray):
        return image
    if image is None and isinstance(values, np.ndarray):
        return in_grey(values)
    if image is None:
        return shrunk(values.shape, (in_grey(values[rows]) for rows in strips(values.shape)))
    return shrunk(values.shape, (image[rows] for rows in strips(values.shape)))


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
        raise UnfitError(
            f"{path}: more than half of it is crack. Where crack is black, add --crack-colour 0; where it is not, "
            "--crack-colour must not be that of the pavement."
        )


def refuse_other_size(mask: FoundMask, photograph: tuple[int, ...], its: tuple[int, ...]) -> None:
    if photograph[:2] != its[:2]:
        raise UnfitError(
            f"{mask.photograph} is {photograph[1]}x{photograph[0]} pixels and its mask {mask.path} "
            f"{its[1]}x{its[0]}: both must have the same size."
        )
