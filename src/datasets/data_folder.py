"""Writes a data folder: DIR/{train,val,test}/{images,masks}/, manifest.csv, summary.md and contact_sheet.png."""

import csv
import hashlib
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from src.atomic import new_folder
from src.config.schema import SPLITS
from src.cores import available_cores
from src.data.depth import used_bits
from src.data.mask_colours import shown
from src.data.masks import Said, Survey
from src.data.masks import told as told_colours
from src.data.reading import Reading
from src.data.tiles import starts
from src.datasets.notes import mask_notes, photograph_notes
from src.datasets.photographs import Source
from src.datasets.summary import Row, write_summary
from src.errors import UserError
from src.scoring.pictures import write_picture


@dataclass(frozen=True)
class Rules:
    """How files are read, and photographs cut."""

    said: Said
    surveys: tuple[Survey, ...]
    """A look at all masks that are pictures."""
    reading: Reading
    tile: int | None
    """Side in pixels; None: not cut."""
    overlap: int
    """Pixels that neighbouring tiles share at least."""


class Item(NamedTuple):
    """A photograph, and where it goes."""

    name: str
    source: Source
    split: str
    group: str


def write(
    items: Sequence[Item], root: Path, out: Path, rules: Rules, notes: Sequence[str] = ()
) -> tuple[list[Row], list[str]]:
    """Images, masks (L PNG, {0, 255}), manifest.csv, summary.md and the sheet; ``out`` appears only when all is there.

    Returns what was written, and what to know of it: ``notes``, and more.
    ``UserError``: an unreadable file, unequal sizes, or a disk that refuses.
    """
    try:
        with new_folder(out) as partial:
            for folder in (partial / split / kind for split in SPLITS for kind in ("images", "masks")):
                folder.mkdir(parents=True)
            with ThreadPoolExecutor(available_cores()) as pool:  # decoding releases the interpreter's lock
                found = pool.map(lambda item: list(_write_item(item, root, partial, rules)), items)
                rows = [row for rows in found for row in rows]
            refuse_twice(rows)
            if not any(row.crack_share for row in rows):
                raise UserError(f"No mask of {root} holds any crack: {no_crack(rules)}")
            with (partial / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
                lines = [row._replace(crack_share=f"{row.crack_share:.6f}") for row in rows]  # type: ignore[arg-type]
                csv.writer(stream, lineterminator="\n").writerows([Row._fields, *lines])
            refuse_inverted(rows, rules)
            told = [*notes, *notes_of(items, rows, root, rules)]
            write_summary(rows, partial, root, sys.argv[1:], told, rules.reading.bits)
    except OSError as error:
        raise UserError(f"Cannot write {out}: {error}.") from error
    return rows, told


def no_crack(rules: Rules) -> str:
    """Why there is none."""
    if rules.said.colours:
        return f"none has {' or '.join(map(shown, rules.said.colours))}; they hold {told_colours(rules.surveys)}."
    if not rules.surveys:
        return "nothing that counts as crack is drawn."
    return "crack is what is bright on dark, or what --crack-colour or --crack-above says."


def notes_of(items: Sequence[Item], rows: Sequence[Row], root: Path, rules: Rules) -> Iterator[str]:
    """What to know of the data set, a sentence each."""
    area, crack = Counter[str](), Counter[str]()
    for row in rows:
        area[row.source] += row.width * row.height
        crack[row.source] += round(row.crack_share * row.width * row.height)
    sources = {str(item.source.image.relative_to(root)): item.source for item in items}
    pictures = {one.picture: crack[name] / area[name] for name, one in sources.items() if one.picture}
    yield from mask_notes(rules.surveys, rules.said, pictures)
    whole = {row.file for row in rows}  # tiles have 8 bits
    deep = used_bits(item.source.image for item in items if item.name in whole) is not None
    bits = rules.reading.bits if deep else None
    yield from photograph_notes([one.image for one in sources.values()], list(pictures), bits)
    if empty := [split for split in SPLITS if not any(row.split == split for row in rows)]:
        yield f"There is no photograph in {' and none in '.join(empty)}; a sweep wants some in every split."


def refuse_twice(rows: Sequence[Row]) -> None:
    """A photograph that is named as another one's tile is a ``UserError``: one would be written over the other."""
    twice = [file for file, count in Counter(row.file for row in rows).items() if count > 1]
    if twice:
        raise UserError(f"{twice[0]} is the name of a photograph and of another one's tile: rename the photograph.")


def refuse_inverted(rows: Sequence[Row], rules: Rules) -> None:
    """Masks that hold more crack than not, all in all, are a ``UserError`` unless the user said what is crack."""
    if not rules.said and np.median([row.crack_share for row in rows]) > 0.5:
        raise UserError(
            "Most of the masks are crack by more than half: is black crack in them? --crack-colour 0,0,0 says so."
        )


def _write_item(item: Item, root: Path, out: Path, rules: Rules) -> Iterator[Row]:
    """Write a photograph as it is, or its tiles as PNG."""
    name, source, split, group = item
    image, mask = source.read(rules.reading)
    about = str(source.image.relative_to(root)), hashlib.sha256(source.image.read_bytes()).hexdigest()
    for ending, rows, columns in cuts(mask.shape[0], mask.shape[1], rules):
        crack, file = mask[rows, columns], f"{name}{ending}"
        if ending:
            write_picture(image[rows, columns], out / split / "images" / f"{file}.png")
        else:
            shutil.copyfile(source.image, out / split / "images" / f"{file}{source.image.suffix}")
        write_picture(crack * 255, out / split / "masks" / f"{file}.png")
        height, width = crack.shape
        yield Row(file, split, group, about[0], width, height, float(crack.mean()), about[1])


def cuts(height: int, width: int, rules: Rules) -> Iterator[tuple[str, slice, slice]]:
    """The tiles of a photograph: what is added to its name, rows and columns; all of it if it is not to be cut."""
    if rules.tile is None or (height <= rules.tile and width <= rules.tile):
        yield "", slice(None), slice(None)
        return
    for top in starts(height, min(rules.tile, height), rules.tile - rules.overlap):
        for left in starts(width, min(rules.tile, width), rules.tile - rules.overlap):
            yield f"_y{top}_x{left}", slice(top, top + rules.tile), slice(left, left + rules.tile)
