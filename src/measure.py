"""Measure the cracks in masks: ``python -m src.measure MASKS... [--out DIR] [--mm-per-pixel X] [--severity BANDS]``.

MASKS are files or folders: what src.predict wrote, a data set, or masks of any other program. Lengths and widths are in
pixels and, with --mm-per-pixel, in millimetres. DIR gets photographs.csv, cracks.csv, overlays/NAME.png with the
number of each crack, and report.html, the most severe photographs first.
"""

import argparse
import sys
from pathlib import Path

from src.atomic import replaced_results
from src.data.mask_options import add_mask_options, user_rule_of
from src.errors import Parser, UserError, outlive_reader, run_command
from src.folders import user_path


def main(argv: list[str]) -> None:
    options = parse(argv)
    # slow to import, and --help needs none of it
    from src.measuring.masks import find_masks
    from src.measuring.reading import Reader
    from src.measuring.results import WRITTEN, Wanted, write_results
    from src.measuring.severity import load_severity
    from src.measuring.units import Units

    user_rule = user_rule_of(options)
    scale = Units(options.mm_per_pixel).mm_per_pixel  # which refuses what is none
    severity = load_severity(options.severity) if options.severity else None
    if not options.min_length >= 0:
        raise UserError(f"--min-length={options.min_length}: must be 0 or more pixels.")
    if options.out.exists() and not options.out.is_dir():
        raise UserError(f"--out={options.out}: this is a file; choose a folder.")
    if (options.out / "overlays").exists() and not (options.out / "cracks.csv").is_file():
        raise UserError(f"--out={options.out}: its overlays are not of a measurement; choose another folder.")
    masks = find_masks(options.masks, options.photographs)
    outlive_reader()
    reader = Reader(masks, scale, options.geojson, user_rule)
    if severity and severity.unit == "mm" and not reader.have_scale:
        raise UserError(f"--severity={options.severity}: its limits are in millimetres, which needs --mm-per-pixel.")
    wanted = Wanted(severity, options.min_length, options.profiles, options.geojson)
    with replaced_results(options.out, WRITTEN) as folder:
        unreadable = write_results(masks, reader, wanted, folder)
    print(options.out / "report.html")
    if unreadable:
        raise UserError(f"{len(unreadable)} of {len(masks)} masks could not be measured. {' '.join(unreadable)}")


def parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="python -m src.measure", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("masks", nargs="+", type=user_path, help="masks or folders of them")
    parser.add_argument("--out", type=user_path, default=Path("measures"), help="folder for the results (measures)")
    parser.add_argument(
        "--photographs", type=user_path, help="folder of the photographs, where they are not beside the masks"
    )
    add_mask_options(parser)
    parser.add_argument("--mm-per-pixel", type=float, help="side of a pixel on the pavement in millimetres")
    parser.add_argument("--severity", help="bands by width: astm_d6433, ltpp, eurocode_2, or a YAML file")
    parser.add_argument(
        "--min-length", type=float, default=0, help="leave out and count cracks that are shorter, in pixels (0)"
    )
    parser.add_argument("--profiles", action="store_true", help="also write profiles.csv: the width along each crack")
    parser.add_argument(
        "--geojson", action="store_true", help="also write cracks.geojson: lines on the map, of georeferenced masks"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run_command(main))
