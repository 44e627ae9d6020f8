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
from src.data.mask_colours import colour_text
from src.data.masks import MaskInfo, UserRule, describe_colours
from src.data.reading import Reading
from src.data.tiles import starts
from src.datasets.notes import mask_notes, photograph_notes
from src.datasets.photographs import Source
from src.datasets.summary import Row, write_summary
from src.errors import UserError
from src.scoring.pictures import write_picture


@dataclass(frozen=True)
class PreparationRules:
    """How files are read and how photographs are cut."""

    user_rule: UserRule
    mask_infos: tuple[MaskInfo, ...]
    """Of all masks that are pictures."""
    reading: Reading
    tile: int | None
    """Side of a tile in pixels; None: photographs are not cut."""
    overlap: int
    """Pixels that neighbouring tiles share, at least."""


class PlannedPhotograph(NamedTuple):
    """A photograph with its name, split and group in the new data set."""

    name: str
    source: Source
    split: str
    group: str


def write(
    items: Sequence[PlannedPhotograph], root: Path, out: Path, rules: PreparationRules, notes: Sequence[str] = ()
) -> tuple[list[Row], list[str]]:
    """Write images, masks (L PNG, {0, 255}), manifest.csv, summary.md and the contact sheet.

    ``out`` appears only when it is complete. Returns the rows of the manifest, and ``notes`` with further ones.
    An unreadable file, unequal sizes and a disk that cannot be written are a ``UserError``.
    """
    try:
        with new_folder(out) as partial:
            for folder in (partial / split / kind for split in SPLITS for kind in ("images", "masks")):
                folder.mkdir(parents=True)
            with ThreadPoolExecutor(available_cores()) as pool:  # decoding releases the interpreter's lock
                found = pool.map(lambda item: list(_write_item(item, root, partial, rules)), items)
                rows = [row for rows in found for row in rows]
            refuse_repeated_names(rows)
            if not any(row.crack_share for row in rows):
                raise UserError(f"No mask of {root} holds any crack: {no_crack(rules)}")
            with (partial / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
                lines = [row._replace(crack_share=f"{row.crack_share:.6f}") for row in rows]  # type: ignore[arg-type]
                csv.writer(stream, lineterminator="\n").writerows([Row._fields, *lines])
            refuse_inverted(rows, rules)
            all_notes = [*notes, *notes_of(items, rows, root, rules)]
            write_summary(rows, partial, root, sys.argv[1:], all_notes, rules.reading.bits)
    except OSError as error:
        raise UserError(f"Cannot write {out}: {error}.") from error
    return rows, all_notes


def no_crack(rules: PreparationRules) -> str:
    """Why no mask holds any crack."""
    if rules.user_rule.colours:
        wanted = " or ".join(map(colour_text, rules.user_rule.colours))
        return f"none has {wanted}; they hold {describe_colours(rules.mask_infos)}."
    if not rules.mask_infos:
        return "no drawing counts as crack."
    return "crack is bright on dark, unless --crack-colour or --crack-above is given."


def notes_of(
    items: Sequence[PlannedPhotograph], rows: Sequence[Row], root: Path, rules: PreparationRules
) -> Iterator[str]:
    """Notes about the data set, one sentence each."""
    area, crack = Counter[str](), Counter[str]()
    for row in rows:
        area[row.source] += row.width * row.height
        crack[row.source] += round(row.crack_share * row.width * row.height)
    sources = {str(item.source.image.relative_to(root)): item.source for item in items}
    pictures = {one.picture: crack[name] / area[name] for name, one in sources.items() if one.picture}
    yield from mask_notes(rules.mask_infos, rules.user_rule, pictures)
    whole = {row.file for row in rows}  # tiles have 8 bits
    deep = used_bits(item.source.image for item in items if item.name in whole) is not None
    bits = rules.reading.bits if deep else None
    yield from photograph_notes([one.image for one in sources.values()], list(pictures), bits)
    if empty := [split for split in SPLITS if not any(row.split == split for row in rows)]:
        yield f"There is no photograph in {' and none in '.join(empty)}; a sweep needs some in every split."


def refuse_repeated_names(rows: Sequence[Row]) -> None:
    """A ``UserError`` if a photograph has the name of another one's tile: one would overwrite the other."""
    twice = [file for file, count in Counter(row.file for row in rows).items() if count > 1]
    if twice:
        raise UserError(f"{twice[0]} is the name both of a photograph and of a tile of another: rename the photograph.")


def refuse_inverted(rows: Sequence[Row], rules: PreparationRules) -> None:
    """A ``UserError`` if most masks are mostly crack and the user gave no rule: they are probably inverted."""
    if not rules.user_rule and np.median([row.crack_share for row in rows]) > 0.5:
        raise UserError(
            "More than half of the area is crack in most masks. If crack is black in them, use --crack-colour 0,0,0."
        )


def _write_item(item: PlannedPhotograph, root: Path, out: Path, rules: PreparationRules) -> Iterator[Row]:
    """Write a photograph unchanged, or its tiles as PNG."""
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


def cuts(height: int, width: int, rules: PreparationRules) -> Iterator[tuple[str, slice, slice]]:
    """The tiles of a photograph: the ending of the name, rows and columns. A photograph that is not cut is one."""
    if rules.tile is None or (height <= rules.tile and width <= rules.tile):
        yield "", slice(None), slice(None)
        return
    for top in starts(height, min(rules.tile, height), rules.tile - rules.overlap):
        for left in starts(width, min(rules.tile, width), rules.tile - rules.overlap):
            yield f"_y{top}_x{left}", slice(top, top + rules.tile), slice(left, left + rules.tile)
