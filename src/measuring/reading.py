"""Reads a mask and its photograph, and measures it. Large and georeferenced files are read window by window."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from src.data.files import UInt8Array, read_image
from src.data.masks import MaskRule, UserRule, choose_mask_rule
from src.data.pairs import turned
from src.data.reading import inspect_masks
from src.errors import UserError
from src.maps.georeference import Georeference
from src.maps.preview import Preview
from src.maps.raster import Band, MaskFile, Raster, open_dataset, read_header
from src.measuring.cracks import measure
from src.measuring.places import Place, place_of
from src.measuring.sources import Source
from src.measuring.tables import Photograph
from src.measuring.units import Units
from src.scoring.cleaning import strips

FULL = 0.5
"""Share of crack from which a mask is taken to be inverted."""
PAPER, CRACK = 225, 120
"""Grey levels of a mask whose photograph is not known."""


class Reader:
    """Reads the masks of one measurement: one rule for all, and the scale."""

    def __init__(self, sources: Sequence[Source], mm_per_pixel: float | None, georeferenced: bool) -> None:
        """``georeferenced``: a mask without a georeference is a ``UserError``; so is one that is unclear."""
        self.in_windows = {source.mask for source in sources if is_in_windows(source.mask)}
        self.places = {mask: georeference_of(mask) for mask in sorted(self.in_windows)}
        if georeferenced and (without := [one.mask for one in sources if self.places.get(one.mask) is None]):
            raise UserError(
                f"--geojson: {without[0]} has no georeference, and neither have {len(without) - 1} others; only masks "
                "of georeferenced photographs can be put on a map."
            )
        whole = [source.mask for source in sources if source.mask not in self.in_windows]
        self.rule = choose_mask_rule(inspect_masks(whole, UserRule()), UserRule()) if whole else MaskRule()
        have_maps = all(self.places.get(source.mask) for source in sources)
        self.units = {
            source.mask: Units(self._scale(source.mask) if mm_per_pixel is None and have_maps else mm_per_pixel)
            for source in sources
        }

    def _scale(self, mask: Path) -> float:
        place = self.places[mask]
        assert place is not None  # all masks have one
        try:
            return place.mm_per_pixel
        except UserError as error:
            raise UserError(f"{mask}: {error}") from None

    @property
    def have_scale(self) -> bool:
        """Whether all photographs have a scale: the user's, or that of their georeferences."""
        return all(units.mm_per_pixel is not None for units in self.units.values())

    def read(self, source: Source, min_length: float) -> tuple[Photograph, UInt8Array]:
        """Measure one mask; also the picture to draw on: its photograph, or the mask in grey.

        Cracks that are shorter than ``min_length`` pixels are left out.
        """
        found, picture = (self._in_windows if source.mask in self.in_windows else self._whole)(source)
        cracks = [crack for crack in found.cracks if crack.length >= min_length]
        return replace(found, cracks=cracks, left_out=len(found.cracks) - len(cracks)), picture

    def _whole(self, source: Source) -> tuple[Photograph, UInt8Array]:
        mask = self.rule.read(source.mask)
        if mask.mean() > FULL:
            raise UserError(
                f"{source.mask}: more than half of it is crack. If crack is black in it, `python -m src.prepare` with "
                "--crack-colour 0 makes masks that can be measured."
            )
        if source.photograph is None:
            return self._photograph(source, mask.shape, mask), in_grey(mask)
        picture = read_image(source.photograph)
        if picture.shape[:2] != mask.shape:
            mask = turned(mask, source.photograph)
        refuse_other_size(source, picture.shape, mask.shape)
        return self._photograph(source, mask.shape, mask), picture

    def _in_windows(self, source: Source) -> tuple[Photograph, UInt8Array]:
        with open_dataset(source.mask) as dataset:
            mask = MaskFile(Band(dataset))
            found, preview = self._photograph(source, mask.shape, mask), Preview(mask.shape)
            if source.photograph is None:
                for rows in strips(mask.shape):
                    preview.add(in_grey(mask.band[rows]))
                return found, preview.image
            with open_dataset(source.photograph) as its:
                image = Raster(its, None)
                refuse_other_size(source, image.shape, mask.shape)
                for rows in strips(mask.shape):
                    preview.add(image[rows])
        return found, preview.image

    def _photograph(self, source: Source, shape: tuple[int, ...], mask: UInt8Array | MaskFile) -> Photograph:
        return Photograph(
            name=source.name,
            mask=source.mask,
            height=shape[0],
            width=shape[1],
            cracks=measure(mask),
            units=self.units[source.mask],
            place=place_of(source.photograph) if source.photograph else Place(),
            georeference=self.places.get(source.mask),
        )


def is_in_windows(path: Path) -> bool:
    """Whether a mask is read in windows: one with a georeference, if rasterio is there, or too large for memory."""
    header = read_header(path)
    return header.is_large or (header.has_georeference and find_spec("rasterio") is not None)


def georeference_of(path: Path) -> Georeference | None:
    with open_dataset(path) as dataset:
        return Georeference.of(dataset)


def in_grey(mask: UInt8Array) -> UInt8Array:
    """A mask (H, W) as a picture (H, W, 3)."""
    return np.repeat(np.where(mask > 0, CRACK, PAPER).astype(np.uint8)[..., None], 3, axis=2)


def refuse_other_size(source: Source, photograph: tuple[int, ...], mask: tuple[int, ...]) -> None:
    if photograph[:2] != mask[:2]:
        raise UserError(
            f"{source.photograph} is {photograph[1]}x{photograph[0]} pixels and its mask {source.mask} "
            f"{mask[1]}x{mask[0]}: both must have the same size."
        )
