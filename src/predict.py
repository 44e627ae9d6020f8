"""Find the cracks in new photographs: ``python -m src.predict CHECKPOINT... IMAGES... [--out DIR] [KEY=VALUE ...]``.

IMAGES are files or folders, of any size. Each becomes DIR/masks/NAME.png (crack 255, else 0) and DIR/overlays/NAME.png;
DIR/predictions.csv has a row for each, and DIR/least_sure.png shows those of which the network is least sure. A
photograph is resized to the scale of the training images and, if it is larger than these, predicted in tiles. Of
several CHECKPOINTs, files that end in .pth, the mean of the probabilities is taken. A GeoTIFF, and a photograph that
does not fit into memory, is read and its mask written row by row, with its georeference (rasterio).
"""

import argparse
import sys
from pathlib import Path

from src.config.overrides import rejoin_lists
from src.errors import Parser, UserError, outlive_reader, run_command
from src.folders import user_path
from src.inputs import PREDICTIONS, Inputs, add_threshold, cleaning_of, find_photographs, refuse_threshold, threshold_of


def main(argv: list[str]) -> None:
    options = parse(argv)
    refuse_threshold(options.threshold)
    if options.smallest < 0:
        raise UserError(f"--smallest={options.smallest}: must be 0 or more pixels.")
    if options.smallest and options.clean:
        raise UserError(f"--smallest={options.smallest} cannot be combined with --clean, which chooses it.")
    if not 0 <= options.overlap <= 0.9:
        raise UserError(f"--overlap={options.overlap}: must be from 0 to 0.9.")
    if options.out.exists() and not options.out.is_dir():
        raise UserError(f"--out={options.out}: this is a file; choose a folder.")
    if (options.out / "masks").is_dir() and not (options.out / PREDICTIONS).is_file():
        raise UserError(f"--out={options.out}: its masks are no predictions and would be overwritten; choose another.")
    device = [f"device={options.device}"] if options.device else []
    inputs = Inputs.of(options.checkpoint, [*options.images, *device])
    photographs = find_photographs(inputs.photographs)
    if unread := inputs.overrides.at("evaluation"):
        raise UserError(f"{next(iter(unread))}: this key is for src.evaluation; here use --tta and --threshold.")
    from src.predicting.results import Wanted, predict_files
    from src.scoring.cleaning import Cleaning
    from src.scoring.ensemble import load_networks
    from src.scoring.inference import refuse_views

    outlive_reader()
    network = load_networks(inputs.checkpoints, inputs.overrides)
    refuse_views(options.tta, network.config.data.image_size)
    threshold = options.threshold if options.threshold is not None else threshold_of(network, options.tta)
    cleaning = cleaning_of(network, threshold, options.tta) if options.clean else None
    if options.smallest:
        cleaning = Cleaning(threshold, threshold, options.smallest * network.scale[0] * network.scale[1])
    wanted = Wanted(threshold, options.tta, options.overlap, cleaning, options.probabilities)
    predict_files(network, photographs, options.out, wanted)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="python -m src.predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=user_path, help="a run's checkpoints/best_model.pth")
    parser.add_argument(
        "images",
        nargs="+",
        help="photographs or folders of them, further checkpoints (.pth), and overrides such as device=cpu",
    )
    parser.add_argument(
        "--out", type=user_path, default=Path("predictions"), help="folder for the results (predictions)"
    )
    add_threshold(parser)
    parser.add_argument(
        "--tta",
        choices=("none", "flips", "d4"),
        default="none",
        help="test-time augmentation: mean over mirrored and turned views (none)",
    )
    parser.add_argument("--overlap", type=float, default=0.25, help="share of a tile's side that tiles share (0.25)")
    parser.add_argument(
        "--clean", action="store_true", help="remove faint and small parts, if that is clearly better on validation"
    )
    parser.add_argument("--smallest", type=int, default=0, metavar="PIXELS", help="remove parts of fewer pixels (0)")
    parser.add_argument(
        "--probabilities", action="store_true", help="also write probabilities/NAME: 0 to 255 for 0 to 1"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), help="where the network runs (auto)")
    return parser.parse_intermixed_args(rejoin_lists(argv))


if __name__ == "__main__":
    sys.exit(run_command(main))
