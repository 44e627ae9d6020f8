"""Turn photographs and masks into a data set: ``python -m src.prepare SOURCE --out data/NAME``.

SOURCE holds photographs and masks in a layout of ``src.datasets.sources``: an image and a mask folder, folders that are
splits already, both side by side, CrackForest's, DeepCrack's, Crack500's, COCO's or labelme's. Files of one group stay
in one split. The result is OUT/{train,val,test}/{images,masks}/, OUT/manifest.csv, summary.md and contact_sheet.png.
"""

import argparse
import shlex
import sys
from collections.abc import Collection
from pathlib import Path

import rich
import rich.table

from src.data.depth import used_bits
from src.data.mask_colours import Colour
from src.data.masks import Said, choose_meaning
from src.data.pairs import SMALLEST
from src.data.reading import Reading, survey_all
from src.datasets.data_folder import Item, Rules, write
from src.datasets.drawings import ShapeRules
from src.datasets.groups import Grouping, choose_groups, choose_splits
from src.datasets.photographs import Source
from src.datasets.sources import Selection, find_sources
from src.datasets.summary import summary
from src.errors import Parser, UserError, outlive_reader, run_command
from src.folders import user_path


def parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser(prog="python -m src.prepare", description=(__doc__ or "").partition("\n\n")[2])
    add = parser.add_argument
    add("source", type=user_path, metavar="SOURCE")
    add("--out", type=user_path, required=True, help="new folder, such as data/NAME")
    add("--groups", type=user_path, help="CSV with a column 'file' (default: SOURCE/groups.csv)")
    add("--group-column", metavar="COLUMN", help="column of the group (default: the last)")
    add(
        "--group-pattern",
        metavar="REGEX",
        help="what it, or its first bracket, matches in a stem (with a / in it: in the path) is the group",
    )
    add(
        "--find-groups",
        action="store_true",
        help="photographs that overlap or touch are a group, beside those that are said",
    )
    add("--split", type=float, nargs=3, default=[0.7, 0.15, 0.15], metavar=("TRAIN", "VAL", "TEST"))
    add("--resplit", action="store_true", help="make splits anew, though SOURCE has some")
    add("--seed", type=int, default=42)
    add(
        "--crack-colour",
        "--crack-color",
        type=colour,
        action="append",
        metavar="N|R,G,B",
        help="what is crack in masks",
    )
    add("--crack-above", type=int, metavar="N", help="crack is what has a higher value, or a brighter colour, in masks")
    add("--label", nargs="+", action="extend", default=[], help="labels of polygons that are crack (default: all)")
    add("--line-width", type=width, metavar="PIXELS", help="of cracks that are drawn as lines")
    add("--tile", type=int, metavar="PIXELS", help="cut photographs into square tiles, which are one group")
    add("--overlap", type=int, default=0, metavar="PIXELS", help="that neighbouring tiles share (default 0)")
    add("--exclude", nargs="+", action="extend", default=[], metavar="NAME", help="stems or files to leave out")
    add("--allow-unpaired", action="store_true", help="skip files without partner")
    add("--unlabelled-is-crack-free", action="store_true", help="photographs without mask or drawing have no crack")
    return parser.parse_args(argv)


def colour(text: str) -> Colour:
    """``R,G,B``, or one value of grey; of more than 8 bits it may be higher."""
    parts = [int(part) if part.isdecimal() else -1 for part in text.split(",")]
    if len(parts) not in (1, 3) or min(parts) < 0 or (len(parts) == 3 and max(parts) > 255):
        raise argparse.ArgumentTypeError(f"{text} is neither R,G,B, each from 0 to 255, nor one value of grey")
    red, green, blue = parts * 3 if len(parts) == 1 else parts
    return red, green, blue


def width(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of pixels, 1 or more")
    return int(text)


def main(argv: list[str]) -> None:
    """The command line. Every mistake is a ``UserError``, and then nothing is left at --out."""
    args = parse(argv)
    if args.out.is_file() or (args.out.is_dir() and any(args.out.iterdir())):
        raise UserError(f"{args.out} exists and is not empty: remove it or choose another --out.")
    if args.out.resolve() == Path.cwd():
        raise UserError(f"--out={args.out}: that is the folder that you are in, and would be replaced; name another.")
    refuse_tiles(args.tile, args.overlap)
    outlive_reader()
    sources, notes = find_sources(args.source, selection_of(args))
    groups = choose_groups(sources, args.source, grouping_of(args))
    splits = choose_splits(sources, groups, args.split, args.seed, args.resplit)
    rules = rules_of(args, sources.values())
    items = [Item(name, source, splits[name], groups[name]) for name, source in sources.items()]
    rows, notes = write(items, args.source, args.out, rules, notes)
    head, *lines = summary(rows)
    table = rich.table.Table(*head)
    for line in lines:
        table.add_row(*line)
    rich.print(table)
    for note in notes:
        print(f"Note: {note}")
    print(f"Wrote {len(rows)} pairs to {args.out}; look at {args.out / 'contact_sheet.png'}.")
    print(f"Is it sound? python -m src.check {shlex.quote(str(args.out))}")


def refuse_tiles(tile: int | None, overlap: int) -> None:
    if tile is None and overlap:
        raise UserError(f"--overlap={overlap} is for tiles: say how large they are by --tile, or leave it out.")
    if tile is not None and tile < SMALLEST:
        raise UserError(f"--tile={tile}: tiles of less than {SMALLEST} pixels show no crack.")
    if tile is not None and not 0 <= overlap < tile:
        raise UserError(f"--overlap={overlap}: must be from 0 to less than --tile={tile}.")


def rules_of(args: argparse.Namespace, sources: Collection[Source]) -> Rules:
    """Chosen for all files together."""
    said, pictures = said_by(args), [one.picture for one in sources if one.picture]
    if said and not pictures:
        raise UserError(f"--crack-colour and --crack-above are for masks that are pictures: {args.source} has none.")
    surveys = tuple(survey_all(pictures, said))
    reading = Reading(choose_meaning(surveys, said), used_bits(one.image for one in sources))
    return Rules(said, surveys, reading, args.tile, args.overlap)


def said_by(args: argparse.Namespace) -> Said:
    """What the user says is crack; two ways to say it are a ``UserError``."""
    if args.crack_colour and args.crack_above is not None:
        raise UserError("--crack-colour and --crack-above cannot be said together: which is crack?")
    return Said(tuple(args.crack_colour or ()), args.crack_above)


def selection_of(args: argparse.Namespace) -> Selection:
    shapes = ShapeRules(tuple(args.label), args.line_width)
    return Selection(tuple(args.exclude), args.allow_unpaired, args.unlabelled_is_crack_free, shapes)


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


if __name__ == "__main__":
    sys.exit(run_command(main))
