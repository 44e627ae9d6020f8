"""Turn photographs and masks into a data set: ``python -m src.prepare SOURCE --out data/NAME``.

SOURCE holds photographs and masks in a layout of ``src.sources``: an image and a mask folder, folders that are splits
already, both side by side, CrackForest's, DeepCrack's, Crack500's, COCO's or labelme's. Files of one group stay in one
split. The result is OUT/{train,val,test}/{images,masks}/, OUT/manifest.csv, summary.md and contact_sheet.png.
"""

import argparse
import csv
import hashlib
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rich
import rich.table

from src.cores import available_cores
from src.data.files import is_turned_unseen
from src.data.masks import Colour
from src.errors import UserError, run_command
from src.groups import Grouping, choose_groups, choose_splits
from src.pictures import write_picture
from src.schema import SPLITS
from src.sources import Source, find_sources, first_five
from src.summary import Row, summary, write_summary
from src.tiles import starts


@dataclass(frozen=True)
class Rules:
    """How masks are read, and photographs cut."""

    crack: Colour | None = None
    labels: tuple[str, ...] = ()
    tile: int | None = None
    """Side in pixels; None: not cut."""
    overlap: int = 0
    """Pixels that neighbouring tiles share at least."""


class Item(NamedTuple):
    """A photograph, and where it goes."""

    name: str
    source: Source
    split: str
    group: str


def write(items: Sequence[Item], root: Path, out: Path, rules: Rules) -> list[Row]:
    """Images, masks (L PNG, {0, 255}), manifest.csv, summary.md and the sheet; ``out`` appears only when all is there.

    ``UserError``: an unreadable file, unequal sizes, or a disk that refuses.
    """
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed

    try:
        for folder in (partial / split / kind for split in SPLITS for kind in ("images", "masks")):
            folder.mkdir(parents=True)
        with ThreadPoolExecutor(available_cores()) as pool:  # decoding releases the interpreter's lock
            found = pool.map(lambda item: list(_write_item(item, root, partial, rules)), items)
            rows = [row for rows in found for row in rows]
        refuse_twice(rows)
        if not any(row.crack_share for row in rows):
            raise UserError(
                f"No mask of {root} holds any crack: crack is what is bright on dark, or what --crack-colour says."
            )
        with (partial / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
            lines = [row._replace(crack_share=f"{row.crack_share:.6f}") for row in rows]  # type: ignore[arg-type]
            csv.writer(stream, lineterminator="\n").writerows([Row._fields, *lines])
        refuse_inverted(rows, rules)
        write_summary(rows, partial, root, sys.argv[1:])
        partial.rename(out)  # an empty folder gives way
    except OSError as error:
        raise UserError(f"Cannot write {out}: {error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return rows


def refuse_twice(rows: Sequence[Row]) -> None:
    """A photograph that is named as another one's tile is a ``UserError``: one would be written over the other."""
    twice = [file for file, count in Counter(row.file for row in rows).items() if count > 1]
    if twice:
        raise UserError(f"{twice[0]} is the name of a photograph and of another one's tile: rename the photograph.")


def refuse_inverted(rows: Sequence[Row], rules: Rules) -> None:
    """Masks that hold more crack than not, all in all, are a ``UserError`` unless the user said what is crack."""
    if rules.crack is None and np.median([row.crack_share for row in rows]) > 0.5:
        raise UserError(
            "Most of the masks are crack by more than half: is black crack in them? --crack-colour 0,0,0 says so."
        )


def _write_item(item: Item, root: Path, out: Path, rules: Rules) -> Iterator[Row]:
    """Write a photograph as it is, or its tiles as PNG."""
    name, source, split, group = item
    image, mask = source.read(rules.crack, rules.labels)
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


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m src.prepare", description=(__doc__ or "").partition("\n\n")[2])
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE")
    add("--out", type=Path, required=True, help="new folder, such as data/NAME")
    add("--groups", type=Path, help="CSV with a column 'file' (default: SOURCE/groups.csv)")
    add("--group-column", metavar="COLUMN", help="column of the group (default: the last)")
    add("--group-pattern", metavar="REGEX", help="what it, or its first bracket, matches in a stem is the group")
    add(
        "--find-groups",
        action="store_true",
        help="photographs that overlap or touch are a group, beside those that are said",
    )
    add("--split", type=float, nargs=3, default=[0.7, 0.15, 0.15], metavar=("TRAIN", "VAL", "TEST"))
    add("--resplit", action="store_true", help="make splits anew, though SOURCE has some")
    add("--seed", type=int, default=42)
    add("--crack-colour", type=colour, metavar="R,G,B", help="what is crack in masks that do not say so by themselves")
    add("--label", nargs="+", action="extend", default=[], help="labels of polygons that are crack (default: all)")
    add("--tile", type=int, metavar="PIXELS", help="cut photographs into square tiles, which are one group")
    add("--overlap", type=int, default=0, metavar="PIXELS", help="that neighbouring tiles share (default 0)")
    add("--exclude", nargs="+", action="extend", default=[], metavar="STEM", help="leave out")
    add("--allow-unpaired", action="store_true", help="skip files without partner")
    return parser.parse_args(argv)


def colour(text: str) -> Colour:
    red, green, blue = (int(part) for part in text.split(","))
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError
    return red, green, blue


def main(argv: list[str]) -> None:
    """The command line. Every mistake is a ``UserError``, and then nothing is left at --out."""
    args = parse(argv)
    if args.out.is_file() or (args.out.is_dir() and any(args.out.iterdir())):
        raise UserError(f"{args.out} exists and is not empty: remove it or choose another --out.")
    if args.tile is not None and not 0 <= args.overlap < args.tile:
        raise UserError(f"--overlap={args.overlap}: must be from 0 to less than --tile={args.tile}.")
    sources = find_sources(args.source, args.exclude, args.allow_unpaired, args.label)
    groups = choose_groups(sources, args.source, grouping_of(args))
    splits = choose_splits(sources, groups, args.split, args.seed, args.resplit)
    rules = Rules(args.crack_colour, tuple(args.label), args.tile, args.overlap)
    items = [Item(name, source, splits[name], groups[name]) for name, source in sources.items()]
    rows = write(items, args.source, args.out, rules)
    warn_of_jpeg_masks(sources.values())
    warn_of_turned(sources.values())
    if empty := [split for split in SPLITS if not any(row.split == split for row in rows)]:
        print(f"Warning: there is no photograph in {' and none in '.join(empty)}; a sweep wants some in every split.")
    head, *lines = summary(rows)
    table = rich.table.Table(*head)
    for line in lines:
        table.add_row(*line)
    rich.print(table)
    print(f"Wrote {len(rows)} pairs to {args.out}; look at {args.out / 'contact_sheet.png'}.")
    print(f"Is it sound? python -m src.check {shlex.quote(str(args.out))}")


def grouping_of(args: argparse.Namespace) -> Grouping:
    """How groups are made; two rules that give one photograph two names of a group are a ``UserError``.

    --find-groups goes with each of them: it joins what they have put apart.
    """
    if args.group_pattern and (other := next((name for name in ("groups", "group_column") if getattr(args, name)), "")):
        raise UserError(
            f"--{other.replace('_', '-')} and --group-pattern cannot be said together: which groups are meant? "
            "Leave one out; --find-groups goes with either."
        )
    return Grouping(args.groups, args.group_column, args.group_pattern, args.find_groups)


def warn_of_jpeg_masks(sources: Collection[Source]) -> None:
    masks = [one.mask for one in sources if isinstance(one.mask, Path)]
    if blurred := [mask for mask in masks if mask.suffix.lower() in (".jpg", ".jpeg")]:
        print(f"Warning: {len(blurred)} masks are JPEG, whose edges are blurred: crack is what is brighter than 127.")


def warn_of_turned(sources: Collection[Source]) -> None:
    """Of photographs whose size does not tell whether their masks are turned as they are."""
    if unclear := [one.image.name for one in sources if is_turned_unseen(one.image)]:
        print(
            f"Warning: {len(unclear)} photographs are turned by EXIF in a way that their size does not show, "
            f"{first_five(unclear)}: masks are taken as drawn on what a viewer shows. Look at the contact sheet."
        )


if __name__ == "__main__":
    sys.exit(run_command(main))
