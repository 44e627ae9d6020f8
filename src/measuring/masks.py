"""Finds the masks to measure, and the photographs that belong to them."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from src.config.schema import SPLITS
from src.data.files import images_below, list_images, refuse_outside
from src.data.pairs import by_stem
from src.errors import UserError
from src.folders import in_full
from src.inputs import PREDICTIONS

NUMBER = re.compile(r"[01](\.\d+)?")


@dataclass(frozen=True)
class FoundMask:
    """A mask to measure, or to label."""

    path: Path
    photograph: Path | None
    """That it is of; None: not known."""
    sure: float | None = None
    """How sure the network is of the mask, from 0 to 1; None: not known."""

    @property
    def name(self) -> str:
        """The file that results are named after."""
        return (self.photograph or self.path).name


def find_masks(given: Sequence[Path], photographs: Path | None) -> list[FoundMask]:
    """The masks in files and folders, each with its photograph.

    A folder is one of ``src.predict``, a data folder, of which all splits are taken, or one of masks. ``photographs``
    is a folder of photographs with the stems of the masks. A path that does not exist, a folder without masks and
    equal stems, whose results would have the same name, are a ``UserError``.
    """
    found = dict[str, FoundMask]()
    for mask in (one for path in given for one in masks_of(path)):
        if mask.path.is_file():  # what is not is skipped and counted like other masks that cannot be read
            refuse_outside(mask.path.parent, [mask.path])
        if (other := found.setdefault(mask.path.stem, mask)) != mask:
            raise UserError(
                f"{other.path} and {mask.path} have the same stem, and so would their results: measure them "
                "separately."
            )
    if photographs is None:
        return list(found.values())
    if not photographs.is_dir():
        raise UserError(f"--photographs={photographs}: No such folder: {in_full(photographs)}.")
    stems = by_stem(list_images(photographs))
    return [replace(one, photograph=stems.get(stem, one.photograph)) for stem, one in found.items()]


def masks_of(path: Path) -> list[FoundMask]:
    """The masks of one file or folder."""
    if path.is_file():
        return [FoundMask(path, None)]
    if not path.is_dir():
        raise UserError(f"No such mask: {in_full(path)}.")
    listed = predicted(path / PREDICTIONS)
    found = list[FoundMask]()
    for masks, images in folders_of(path):
        if below := images_below(masks):
            print(f"Skipped {len(below)} image files in subfolders of {masks}, such as {below[0]}: pass these too.")
        beside = by_stem(list_images(images)) if images and images.is_dir() else {}
        for mask in list_images(masks):
            found.append(listed.get(mask.name, FoundMask(mask, beside.get(mask.stem))))
    if not found:
        raise UserError(f"No mask in {in_full(path)}: it must hold masks, or masks/, or {{train,val,test}}/masks/.")
    return found


def folders_of(path: Path) -> Iterator[tuple[Path, Path | None]]:
    """The folders of masks in a folder, each with that of its photographs if there can be one."""
    splits = [path / split for split in SPLITS if (path / split / "masks").is_dir()]
    for inner in splits or [path]:
        if (inner / "masks").is_dir():
            yield inner / "masks", inner / "images"
        else:
            yield inner, None


def predicted(table: Path) -> dict[str, FoundMask]:
    """The masks by their file names, from the table that ``src.predict`` writes."""
    if not table.is_file():
        return {}
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row.get("mask") and row.get("photograph")]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"Cannot read {table}: {error}; remove it, or predict again.") from error
    found = dict[str, FoundMask]()
    for row in rows:
        photograph, mask = Path(row["photograph"]), table.parent / row["mask"]
        sure = row.get("sure") or ""
        found[mask.name] = FoundMask(
            mask, photograph if photograph.is_file() else None, float(sure) if NUMBER.fullmatch(sure) else None
        )
    return found


def least_sure_first(masks: Sequence[FoundMask]) -> list[FoundMask]:
    """Masks in the order in which they are worth labelling; a ``UserError`` where the sureness is not known."""
    if without := [mask for mask in masks if mask.sure is None]:
        raise UserError(
            f"--least-sure: {without[0].path} is not in a {PREDICTIONS} of src.predict, which says how sure it is."
        )
    return sorted(masks, key=lambda mask: (mask.sure or 0.0, mask.path.name))
