"""Which photograph belongs to which mask: ``root/{train,val,test}/{images,masks}``, paired by file stem."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from src.data.files import LYING, UInt8Array, list_images, opened, orientation, read_image, refuse_outside, upright
from src.data.masks import Colour, read_mask
from src.errors import UserError
from src.schema import SPLITS

SMALLEST = 8
"""Pixels of a photograph's shorter side."""


class Pair(NamedTuple):
    image: Path
    mask: Path

    def read(self, crack: Colour | None = None) -> tuple[UInt8Array, UInt8Array]:
        """RGB photograph (H, W, 3) and mask (H, W) in {0, 1}, both upright. Unequal sizes are a ``UserError``.

        A mask that was drawn on the pixels as they lie in the photograph's file is turned as the photograph is.
        """
        image, mask = read_image(self.image), read_mask(self.mask, crack)
        if image.shape[:2] != mask.shape and image.shape[1::-1] == mask.shape:
            mask = turned(mask, self.image)
        refuse_sizes(self.image, image.shape[:2], self.mask, mask.shape)
        return image, mask


def refuse_sizes(image_path: Path, image: tuple[int, ...], mask_path: Path | str, mask: tuple[int, ...]) -> None:
    """Heights and widths that differ, or that no crack can be seen in, are a ``UserError``."""
    if min(image) < SMALLEST:
        raise UserError(f"{image_path} is {image[1]}x{image[0]} pixels: less than {SMALLEST} show no crack.")
    if image != mask:
        raise UserError(
            f"{image_path} is {image[1]}x{image[0]} pixels and its mask {mask_path} {mask[1]}x{mask[0]}: "
            "both must have the same size."
        )


def turned(mask: UInt8Array, photograph: Path) -> UInt8Array:
    """A mask upright, by the EXIF orientation of its photograph, if that exchanges width and height."""
    with opened(photograph) as image:
        way = orientation(image)
    return np.ascontiguousarray(upright(mask, way)) if way in LYING else mask


def find_pairs(root: Path, split: str) -> list[Pair]:
    """The pairs of one split by stem. A missing or empty folder, or a file without partner, is a ``UserError``."""
    images = _by_stem(_folder(root, split, "images"))
    masks = _by_stem(_folder(root, split, "masks"))
    if not images:
        raise UserError(f"{root / split / 'images'} holds no image; put photographs there, or name another data.root.")
    _refuse_lonely("image", "mask", [images[stem] for stem in images.keys() - masks.keys()])
    _refuse_lonely("mask", "image", [masks[stem] for stem in masks.keys() - images.keys()])
    refuse_outside(root, [*images.values(), *masks.values()])
    return [Pair(images[stem], masks[stem]) for stem in sorted(images)]


def manifest_groups(root: Path) -> dict[str, str]:
    """``split/stem`` to the photograph or scene, by the manifest that ``src.prepare`` writes; empty without one.

    A manifest of somebody else is none.
    """
    path = root / "manifest.csv"
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return {f"{row['split']}/{row['file']}": row["group"] for row in csv.DictReader(stream)}
    except (KeyError, UnicodeDecodeError, csv.Error):
        return {}


def _folder(root: Path, split: str, kind: str) -> Path:
    folder = root / split / kind
    if not folder.is_dir():
        missing = folder if root.is_dir() else root
        raise UserError(
            f"No such folder: {missing}. data.root={root} must hold {{{','.join(SPLITS)}}}/{{images,masks}}; "
            "`python -m src.prepare` makes them of your photographs, `python -m src.synthetic` of nothing."
        )
    return folder


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in list_images(folder):
        if path.stem in found:
            raise UserError(f"{found[path.stem]} and {path} have the same stem: which one is meant? Rename one.")
        found[path.stem] = path
    return found


def _refuse_lonely(kind: str, partner: str, paths: list[Path]) -> None:
    if paths:
        shown = ", ".join(str(path) for path in sorted(paths)[:5]) + (" ..." if len(paths) > 5 else "")
        raise UserError(
            f"{len(paths)} {kind}{'s' if len(paths) > 1 else ''} without {partner} of the same stem: {shown}."
        )
