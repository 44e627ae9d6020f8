"""Turn masks into polygons that one can correct: ``python -m src.label PREDICTIONS --out DIR [--least-sure N]``.

PREDICTIONS is what src.predict wrote, a data set, or a folder of masks with --photographs. DIR gets the photographs and
their cracks: for labelme polygons in a JSON file beside each, for other programs masks in one COCO file. Correct them
there, and ``python -m src.prepare DIR --add-to DATA --out NEW`` makes a larger data set of DATA.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from src.atomic import new_folder
from src.data.mask_options import add_mask_options, user_rule_of
from src.errors import Parser, UserError, outlive_reader, run_command
from src.folders import user_path

if TYPE_CHECKING:  # slow to import, and --help needs none of it
    from src.data.files import UInt8Array
    from src.data.masks import UserRule
    from src.measuring.masks import FoundMask

FORMATS = ("labelme", "coco")
TOLERANCE = 0.5
"""Pixels."""


def main(argv: list[str]) -> None:
    options = parse(argv)
    refuse(options)
    from src.datasets.label_files import FORMATS as WRITERS
    from src.measuring.masks import find_masks, least_sure_first

    masks = find_masks(options.masks, options.photographs)
    if options.least_sure is not None:
        masks = least_sure_first(masks)[: options.least_sure]
    user_rule, unreadable = user_rule_of(options), list[str]()
    outlive_reader()
    if options.out.is_dir():
        options.out.rmdir()  # it is empty, and a whole one takes its place
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(options.out) as folder:
        files = WRITERS[options.format](folder, TOLERANCE if options.tolerance is None else options.tolerance)
        counts = [files.add(photograph, mask) for photograph, mask in read(masks, user_rule, unreadable)]
        if not counts:
            raise UserError(f"No mask could be read. {' '.join(unreadable)}")
        files.close()
    print(f"{options.out}  ({len(counts)} photographs, {sum(counts)} shapes)")
    print(f"When they are corrected: python -m src.prepare {shlex.quote(str(options.out))} --add-to DATA --out NEW")
    if unreadable:
        raise UserError(f"{len(unreadable)} of {len(masks)} masks could not be read. {' '.join(unreadable)}")


def parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="python -m src.label", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("masks", nargs="+", type=user_path, help="predictions, a data set, or masks")
    parser.add_argument("--out", type=user_path, required=True, help="a new folder for photographs and polygons")
    parser.add_argument("--photographs", type=user_path, help="folder of the photographs, where nothing else says it")
    add_mask_options(parser)
    parser.add_argument("--format", choices=FORMATS, default="labelme", help="labelme (default) or coco")
    parser.add_argument("--least-sure", type=int, metavar="N", help="only the N photographs that are least sure")
    parser.add_argument(
        "--tolerance", type=float, help="pixels by which a polygon of labelme may be off, to have fewer corners (0.5)"
    )
    return parser.parse_args(argv)


def refuse(options: argparse.Namespace) -> None:
    """A ``UserError`` for options that cannot be used."""
    if options.tolerance is not None and not 0 <= options.tolerance <= 100:
        raise UserError(f"--tolerance={options.tolerance}: must be from 0 to 100 pixels.")
    if options.tolerance is not None and options.format == "coco":
        raise UserError(f"--tolerance={options.tolerance}: this is for polygons; COCO gets every pixel as it is.")
    if options.least_sure is not None and options.least_sure < 1:
        raise UserError(f"--least-sure={options.least_sure}: must be 1 or more.")
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise UserError(f"--out={options.out}: this exists, and labels in it may have been corrected; choose another.")


def read(
    masks: "Sequence[FoundMask]", user_rule: "UserRule", unreadable: list[str]
) -> "Iterator[tuple[Path, UInt8Array]]":
    """The photograph and the mask (H, W) in {0, 1} of each; a sentence for each that is unreadable.

    One whose photograph is not known is a ``UserError``.
    """
    from src.data.files import MAX_PIXELS
    from src.measuring.reading import open_with_photograph
    from src.measuring.rules import Rules

    if without := [mask.path for mask in masks if mask.photograph is None]:
        raise UserError(f"{without[0]}: its photograph is not known; name the folder with --photographs.")
    rules = Rules([mask.path for mask in masks], user_rule)
    for mask in masks:
        assert mask.photograph is not None
        try:
            with open_with_photograph(mask, rules) as opened:
                if opened.values.shape[0] * opened.values.shape[1] > MAX_PIXELS:
                    raise UserError(f"{mask.path}: it is too large to be labelled; predict its tiles (--tile).")
                values = opened.values[:]
        except UserError as error:
            unreadable.append(str(error))
            continue
        yield mask.photograph, values


if __name__ == "__main__":
    sys.exit(run_command(main))
