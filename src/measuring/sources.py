"""Finds the masks to measure, and the photographs that belong to them."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.config.schema import SPLITS
from src.data.files import list_images
from src.data.pairs import by_stem
from src.errors import UserError
from src.folders import in_full

PREDICTIONS = "predictions.csv"
"""What ``src.predict`` writes: its columns ``mask`` and ``photograph`` name the files."""


@dataclass(frozen=True)
class Source:
    mask: Path
    photograph: Path | None
    """None: not known."""

    @property
    def name(self) -> str:
        return (self.photograph or self.mask).name


def find_sources(given: Sequence[Path], photographs: Path | None) -> list[Source]:
    """The masks in files and folders, each with its photograph.

    A folder is one of ``src.predict``, a data folder, of which all splits are taken, or one of masks. ``photographs``
    is a folder of photographs with the stems of the masks. A path that does not exist, a folder without masks and
    equal stems, whose results would have the same name, are a ``UserError``.
    """
    found = dict[str, Source]()
    for source in (one for path in given for one in sources_of(path)):
        if (other := found.setdefault(source.mask.stem, source)) != source:
            raise UserError(
                f"{other.mask} and {source.mask} have the same stem, and so would their results: measure them "
                "separately."
            )
    if photographs is None:
        return list(found.values())
    if not photographs.is_dir():
        raise UserError(f"--photographs={photographs}: No such folder: {in_full(photographs)}.")
    stems = by_stem(list_images(photographs))
    return [Source(one.mask, stems.get(stem, one.photograph)) for stem, one in found.items()]


def sources_of(path: Path) -> list[Source]:
    """The masks of one file or folder."""
    if path.is_file():
        return [Source(path, None)]
    if not path.is_dir():
        raise UserError(f"No such mask: {in_full(path)}.")
    listed = photographs_of(path / PREDICTIONS)
    found = list[Source]()
    for masks, images in folders_of(path):
        beside = by_stem(list_images(images)) if images and images.is_dir() else {}
        for mask in list_images(masks):
            found.append(Source(mask, listed.get(mask.name) or beside.get(mask.stem)))
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


def photographs_of(table: Path) -> dict[str, Path]:
    """The photograph of each mask, by the file name of the mask, from the table that ``src.predict`` writes."""
    if not table.is_file():
        return {}
    with table.open(newline="", encoding="utf-8") as file:
        rows = [(row.get("mask"), row.get("photograph")) for row in csv.DictReader(file)]
    return {Path(mask).name: Path(photo) for mask, photo in rows if mask and photo and Path(photo).is_file()}
