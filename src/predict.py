"""Find the cracks in new photographs: ``python -m src.predict CHECKPOINT... IMAGES... [--out DIR] [KEY=VALUE ...]``.

IMAGES are files or folders, of any size. Each becomes DIR/masks/NAME.png (crack 255, else 0) and DIR/overlays/NAME.png.
A photograph is resized to the scale of the training images and, if it is larger than these, predicted in tiles. Of
several CHECKPOINTs, files that end in .pth, the mean of the probabilities is taken.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from src.config.overrides import rejoin_lists
from src.data.depth import choose_bits
from src.data.files import read_image
from src.errors import Parser, UserError, outlive_reader, run_command
from src.folders import user_path
from src.inputs import Inputs, add_threshold, find_photographs, refuse_threshold, threshold_of

if TYPE_CHECKING:  # torch: seconds to import, and --help needs none of it
    from src.data.files import UInt8Array
    from src.scoring.inference import Network


def main(argv: list[str]) -> None:
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
    options = parser.parse_intermixed_args(rejoin_lists(argv))
    refuse_threshold(options.threshold)
    if not 0 <= options.overlap <= 0.9:
        raise UserError(f"--overlap={options.overlap}: must be from 0 to 0.9.")
    if options.out.exists() and not options.out.is_dir():
        raise UserError(f"--out={options.out}: this is a file; choose a folder.")
    if (options.out / "images").is_dir() and (options.out / "masks").is_dir():
        raise UserError(
            f"--out={options.out}: this is a data set, whose masks would be overwritten; choose another folder."
        )
    inputs = Inputs.of(options.checkpoint, options.images)
    photographs = find_photographs(inputs.photographs)
    if unread := inputs.overrides.at("evaluation"):
        raise UserError(f"{next(iter(unread))}: this key is for src.evaluation; here use --tta and --threshold.")
    from src.scoring.ensemble import load_networks
    from src.scoring.inference import refuse_views

    outlive_reader()
    network = load_networks(inputs.checkpoints, inputs.overrides)
    refuse_views(options.tta, network.config.data.image_size)
    threshold = options.threshold if options.threshold is not None else threshold_of(network, options.tta)
    predict_files(network, photographs, options.out, (threshold, options.tta, options.overlap))


def predict_files(network: "Network", photographs: Sequence[Path], out: Path, how: tuple[float, str, float]) -> None:
    """Write mask and overlay of each photograph and print its share of crack. ``how``: threshold, tta, overlap.

    Unreadable files are skipped, and are a ``UserError`` at the end.
    """
    from src.scoring.pictures import overlay, write_picture

    for name in ("masks", "overlays"):
        (out / name).mkdir(parents=True, exist_ok=True)
    unreadable = list[str]()
    bits = choose_bits(photographs, network.config.data.bits)
    for path in photographs:
        try:
            image = read_image(path, bits)
            predicted = predict_photograph(network, image, how)
        except UserError as error:
            unreadable.append(str(error))
            continue
        share = predicted.mean()
        overlay(image, predicted)
        predicted *= 255
        write_picture(predicted, out / "masks" / f"{path.stem}.png")
        del predicted  # frees the memory of a large photograph
        write_picture(image, out / "overlays" / f"{path.stem}.png")
        print(f"{path}  {share:.2%} crack", flush=True)
    print(f"{out}  (threshold {how[0]:.3f}; crack is blue in the overlays)")
    if unreadable:
        raise UserError(
            f"{len(unreadable)} of {len(photographs)} photographs could not be read. {' '.join(unreadable)}"
        )


def predict_photograph(network: "Network", image: "UInt8Array", how: tuple[float, str, float]) -> "UInt8Array":
    """Mask (H, W) in {0, 1} at the photograph's own size, with a progress bar on a terminal."""
    import numpy as np
    from rich.progress import Progress

    threshold, tta, overlap = how
    predicted, top = np.empty(image.shape[:2], np.uint8), 0
    with Progress(transient=True, disable=not (sys.stdout and sys.stdout.isatty())) as bar:
        task = bar.add_task(f"{image.shape[1]}x{image.shape[0]} pixels", total=len(image))
        for probs in network.rows(image, tta, overlap):
            predicted[top : top + len(probs)] = probs >= threshold
            top += len(probs)
            bar.advance(task, len(probs))
    return predicted


if __name__ == "__main__":
    sys.exit(run_command(main))
