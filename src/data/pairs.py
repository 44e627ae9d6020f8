"""Pairs the photographs and masks of a data folder: ``root/{train,val,test}/{images,masks}``, by file stem."""

import csv
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from src.config.schema import SPLITS
from src.data.files import (
    TRANSPOSED,
    UInt8Array,
    images_below,
    list_images,
    open_image,
    orientation,
    refuse_outside,
    upright,
)
from src.data.reading import Reading
from src.errors import UserError
from src.folders import in_full

MANIFEST = re.compile(rb'[^\w]*file"?[,;\t]"?split"?[,;\t]"?group\b')
"""The beginning of a manifest of ours, even if another program has saved it since."""
SMALLEST = 8
"""Pixels of a photograph's shorter side, at least."""


class Pair(NamedTuple):
    image: Path
    mask: Path

    def read(self, reading: Reading) -> tuple[UInt8Array, UInt8Array]:
        """RGB photograph (H, W, 3) and mask (H, W) in {0, 1}, both upright. Unequal sizes are a ``UserError``.

        A mask drawn on the pixels as stored in the photograph's file is turned like the photograph.
        """
        image, mask = reading.image(self.image), reading.mask(self.mask)
        if image.shape[:2] != mask.shape and image.shape[1::-1] == mask.shape:
            mask = turned(mask, self.image)
        refuse_unequal_sizes(self.image, image.shape[:2], self.mask, mask.shape)
        return image, mask


def refuse_unequal_sizes(
    image_path: Path, image: tuple[int, ...], mask_path: Path | str, mask: tuple[int, ...]
) -> None:
    """A ``UserError`` for sizes that differ, or that are too small to show a crack."""
    if min(image) < SMALLEST:
        raise UserError(f"{image_path} is {image[1]}x{image[0]} pixels: less than {SMALLEST} cannot show a crack.")
    if image != mask:
        raise UserError(
            f"{image_path} is {image[1]}x{image[0]} pixels and its mask {mask_path} {mask[1]}x{mask[0]}: "
            "both must have the same size; export the mask at the photograph's size, or crop the photograph to it."
        )


def turned(mask: UInt8Array, photograph: Path) -> UInt8Array:
    """Turn a mask by the EXIF orientation of its photograph, if that exchanges width and height."""
    with open_image(photograph) as image:
        way = orientation(image)
    return np.ascontiguousarray(upright(mask, way)) if way in TRANSPOSED else mask


def find_pairs(root: Path, split: str) -> list[Pair]:
    """The pairs of one split by stem. A missing or empty folder, or a file without partner, is a ``UserError``."""
    pairs, problems = scan_pairs(root, split)
    if problems:
        raise UserError(problems[0])
    return pairs


def scan_pairs(root: Path, split: str) -> tuple[list[Pair], list[str]]:
    """The pairs of one split, and sentences about unpaired files. A missing or empty folder is a ``UserError``."""
    folders = [_folder(root, split, kind) for kind in ("images", "masks")]
    images, masks = (by_stem(list_images(folder)) for folder in folders)
    below = [sentence for folder in folders for sentence in _below(folder)]
    if not images:
        why = f": {below[0]}" if below else "; put photographs there, or set another data.root."
        raise UserError(f"{in_full(folders[0])} holds no image{why}")
    problems = [
        *below,
        *_unpaired("image", "mask", [images[stem] for stem in images.keys() - masks.keys()], folders[1]),
        *_unpaired("mask", "image", [masks[stem] for stem in masks.keys() - images.keys()], folders[0]),
    ]
    pairs: list[Pair] = []
    for stem in sorted(images.keys() & masks.keys()):
        try:
            refuse_outside(root, (images[stem], masks[stem]))
            pairs.append(Pair(images[stem], masks[stem]))
        except UserError as error:
            problems.append(str(error))
    return pairs, problems


def all_photographs(root: Path, pairs: Sequence[Pair]) -> list[Path]:
    """The photographs of ``pairs`` and of all splits, so that rules chosen from them are the same for each split."""
    own = [pair.image for pair in pairs]
    folders = [root / split / "images" for split in SPLITS]
    return sorted({*own, *(path for folder in folders if folder.is_dir() for path in list_images(folder))})


def manifest_groups(root: Path) -> dict[str, str]:
    """Map ``split/stem`` to the photograph or scene, from the manifest of ``src.prepare``; empty without one.

    Manifests of other programs are ignored. A file in two groups is a ``UserError``; so is a manifest of ours that a
    spreadsheet has saved with other separators or in another encoding: without its groups, tiles would count as
    photographs.
    """
    path = root / "manifest.csv"
    if not path.is_file():
        return {}
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if not MANIFEST.match(content.replace(b"\0", b"")):
        return {}
    try:
        lines = csv.DictReader(content.decode().splitlines())
        rows = [(f"{row['split']}/{row['file']}", row["group"]) for row in lines]
    except (KeyError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{path} was saved by another program, with other separators or in another encoding, and its groups "
            "cannot be read: save it as CSV with commas in UTF-8, or restore the file that src.prepare wrote."
        ) from error
    groups: dict[str, str] = {}
    for file, group in rows:
        if groups.setdefault(file, group) != group:
            raise UserError(f"{path}: {file} is in two groups, '{groups[file]}' and '{group}': correct it.")
    return groups


def _folder(root: Path, split: str, kind: str) -> Path:
    folder = root / split / kind
    if not folder.is_dir():
        missing = folder if root.is_dir() else root
        raise UserError(
            f"No such folder: {in_full(missing)}. data.root={root} must hold {{{','.join(SPLITS)}}}/{{images,masks}}; "
            "`python -m src.prepare` makes them from your photographs, `python -m src.synthetic` from nothing."
        )
    return folder


def _below(folder: Path) -> list[str]:
    """A sentence about images in subfolders, which are not read; empty if there are none."""
    found = images_below(folder)
    if not found:
        return []
    return [
        f"{len(found)} image files are in subfolders of {folder}, such as {found[0].relative_to(folder)}: move them "
        "up, or make a data set of them with `python -m src.prepare`."
    ]


def by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """Map each stem to its file; a repeated stem is a ``UserError``.

    Unicode stores an accent in two ways that look the same, and macOS uses another one than other systems.
    """
    found: dict[str, Path] = {}
    for path in paths:
        stem = unicodedata.normalize("NFC", path.stem)
        if found.setdefault(stem, path) != path:
            raise UserError(f"{found[stem]} and {path} have the same stem: rename or remove one of them.")
    return found


def _unpaired(kind: str, partner: str, paths: list[Path], elsewhere: Path) -> list[str]:
    if not paths:
        return []
    shown = ", ".join(str(path) for path in sorted(paths)[:5]) + (" ..." if len(paths) > 5 else "")
    stems = {path.stem for path in paths}
    other = [path for path in sorted(elsewhere.iterdir()) if path.stem in stems and path.is_file()]
    hint = f" {other[0]} exists, but {other[0].suffix} is not supported: convert it." if other else ""
    return [f"{len(paths)} {kind}{'s' if len(paths) > 1 else ''} without {partner} of the same stem: {shown}.{hint}"]
