"""Make a data set of photographs and masks: ``python -m src.prepare SOURCE --out data/NAME``.

SOURCE holds photographs and masks in a layout of ``src.datasets.sources``: an image and a mask folder, folders for the
splits, images and masks in one folder, or the layout of CrackForest, DeepCrack, Crack500, COCO, YOLO or labelme. Files
of one group stay in one split. The result is OUT/{train,val,test}/{images,masks}/, OUT/manifest.csv, summary.md and
contact_sheet.png.
"""

import argparse
import shlex
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import rich
import rich.table

from src.data.depth import used_bits
from src.data.mask_options import add_mask_options, user_rule_of
from src.data.masks import choose_mask_rule
from src.data.pairs import SMALLEST
from src.data.reading import Reading, inspect_masks
from src.datasets.adding import add_to
from src.datasets.data_folder import PlannedPhotograph, PreparationRules, write
from src.datasets.drawings import ShapeRules
from src.datasets.groups import GroupingOptions, choose_groups, choose_splits
from src.datasets.photographs import Source
from src.datasets.public_sets import find_public_set, names
from src.datasets.sources import Selection, find_sources
from src.datasets.summary import summary
from src.errors import Parser, UserError, outlive_reader, run_command
from src.folders import user_path


def parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser(prog="python -m src.prepare", description=(__doc__ or "").partition("\n\n")[2])
    add = parser.add_argument
    parser.set_defaults(places=())
    add("source", type=user_path, metavar="SOURCE")
    add("--like", metavar="NAME", help=f"SOURCE is a public set as published: {', '.join(names())}")
    add("--own-splits", action="store_true", help="with --like: keep the splits of a set whose splits leak")
    add("--out", type=user_path, required=True, help="new folder, such as data/NAME")
    add("--groups", type=user_path, help="CSV with a column 'file' (default: SOURCE/groups.csv)")
    add("--group-column", metavar="COLUMN", help="column of --groups with the group (default: the last)")
    add(
        "--group-pattern",
        metavar="REGEX",
        help="the group is what REGEX, or its first bracket, matches in the stem; if REGEX contains a /, in the path",
    )
    add(
        "--find-groups",
        action="store_true",
        help="also group photographs that overlap or touch",
    )
    add("--split", type=float, nargs=3, default=[0.7, 0.15, 0.15], metavar=("TRAIN", "VAL", "TEST"))
    add("--resplit", action="store_true", help="make new splits even if SOURCE has its own")
    add("--seed", type=int, default=42)
    add_mask_options(parser)
    add("--label", nargs="+", action="extend", default=[], help="labels of drawings that are crack (default: all)")
    add("--line-width", type=width, metavar="PIXELS", help="width of cracks that are drawn as lines")
    add(
        "--tile",
        type=int,
        metavar="PIXELS",
        help="cut photographs into square tiles; those of one photograph are one group",
    )
    add("--overlap", type=int, default=0, metavar="PIXELS", help="width that neighbouring tiles share (default 0)")
    add("--add-to", type=user_path, metavar="DATA", help="add them to the training split of this data folder")
    add("--exclude", nargs="+", action="extend", default=[], metavar="NAME", help="stems or files to skip")
    add("--allow-unpaired", action="store_true", help="skip files without partner")
    add("--unlabelled-is-crack-free", action="store_true", help="photographs without mask or drawing have no crack")
    options = parser.parse_args(argv)
    if options.own_splits and options.like is None:
        raise UserError("--own-splits is for --like.")
    return options if options.like is None else as_published(options)


def as_published(options: argparse.Namespace) -> argparse.Namespace:
    """Add the options of a public set to the user's, which come before them."""
    public = find_public_set(options.like)
    options.places = tuple(public.folders(options.source))
    options.group_pattern = options.group_pattern or (None if options.groups else public.group_pattern)
    options.find_groups |= public.find_groups
    options.resplit |= public.resplit and not options.own_splits
    options.allow_unpaired |= public.allow_unpaired
    options.exclude = [*options.exclude, *public.exclude]
    print(f"{public.title}: {public.images}; {public.where}. Terms: {public.terms}. {public.note}".rstrip())
    if public.checked == "description":
        print("Note: its layout is known from descriptions alone; look at the contact sheet with care.")
    return options


def width(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} must be a number of pixels, at least 1")
    return int(text)


def main(argv: list[str]) -> None:
    """Run the command. Every mistake is a ``UserError``, and then nothing is written to --out."""
    args = parse(argv)
    if args.out.is_file() or (args.out.is_dir() and any(args.out.iterdir())):
        raise UserError(f"{args.out} exists and is not empty: remove it or choose another --out.")
    if args.out.resolve() == Path.cwd():
        raise UserError(f"--out={args.out}: the current folder would be replaced; choose another.")
    refuse_tiles(args.tile, args.overlap)
    outlive_reader()
    planned, root, notes = plan(args)
    rules = rules_of(args, [item.source for item in planned])
    rows, notes = write(planned, root, args.out, rules, notes)
    head, *lines = summary(rows)
    table = rich.table.Table(*head)
    for line in lines:
        table.add_row(*line)
    rich.print(table)
    for note in notes:
        print(f"Note: {note}")
    print(f"Wrote {len(rows)} pairs to {args.out}; look at {args.out / 'contact_sheet.png'}.")
    print(f"Check it with: python -m src.check {shlex.quote(str(args.out))}")


def plan(args: argparse.Namespace) -> tuple[list[PlannedPhotograph], Path, list[str]]:
    """The photographs with their splits and groups, the folder that holds them, and notes."""
    sources, notes = find_sources(args.source, selection_of(args))
    grouping = grouping_of(args)
    if args.add_to is None:
        groups = choose_groups(sources, args.source, grouping)
        splits, root = choose_splits(sources, groups, args.split, args.seed, args.resplit), args.source
    else:
        if args.resplit:
            raise UserError("--add-to keeps the splits of its folder, --resplit makes new ones: use one of them.")
        sources = {name: replace(one, split="", image=one.image.resolve()) for name, one in sources.items()}
        own = choose_groups(sources, args.source.resolve(), grouping, joined_later=True)
        added = add_to(args.add_to.resolve(), sources, own, args.source, grouping.find)
        sources, splits, groups, root = added.sources, added.splits, added.groups, added.root
        notes = [*notes, *added.notes]
    planned = [PlannedPhotograph(name, source, splits[name], groups[name]) for name, source in sources.items()]
    return planned, root, notes


def refuse_tiles(tile: int | None, overlap: int) -> None:
    if tile is None and overlap:
        raise UserError(f"--overlap={overlap} needs --tile, the size of the tiles.")
    if tile is not None and tile < SMALLEST:
        raise UserError(f"--tile={tile}: must be at least {SMALLEST}; smaller tiles cannot show a crack.")
    if tile is not None and not 0 <= overlap < tile:
        raise UserError(f"--overlap={overlap}: must be from 0 to less than --tile={tile}.")


def rules_of(args: argparse.Namespace, sources: Collection[Source]) -> PreparationRules:
    """The rules for reading and cutting, chosen for all files together."""
    user_rule, pictures = user_rule_of(args), [one.picture for one in sources if one.picture]
    if user_rule and not pictures:
        raise UserError(f"--crack-colour and --crack-above are for masks that are pictures: {args.source} has none.")
    mask_infos = tuple(inspect_masks(pictures, user_rule))
    reading = Reading(choose_mask_rule(mask_infos, user_rule), used_bits(one.image for one in sources))
    return PreparationRules(user_rule, mask_infos, reading, args.tile, args.overlap)


def selection_of(args: argparse.Namespace) -> Selection:
    shapes = ShapeRules(tuple(args.label), args.line_width)
    return Selection(tuple(args.exclude), args.allow_unpaired, args.unlabelled_is_crack_free, shapes, args.places)


def grouping_of(args: argparse.Namespace) -> GroupingOptions:
    """The options for groups. A table and a pattern are a ``UserError``: a photograph would have two groups.

    --find-groups can be combined with either: it joins groups.
    """
    if args.group_pattern and (other := next((name for name in ("groups", "group_column") if getattr(args, name)), "")):
        raise UserError(
            f"--{other.replace('_', '-')} and --group-pattern cannot be combined: use one of them. "
            "--find-groups can be combined with either."
        )
    return GroupingOptions(args.groups, args.group_column, args.group_pattern, args.find_groups)


if __name__ == "__main__":
    sys.exit(run_command(main))
