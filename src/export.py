"""Export a trained network: ``python -m src.export CHECKPOINT... --format FORMAT --out DIR [PHOTOGRAPHS...]``.

FORMAT is onnx, torch-export or smp-hub. DIR, which must be new or empty, gets the network, network.json with all that
one must know to use it, and README.md; with onnx also predict.py, which finds the cracks in a photograph.

Several CHECKPOINTs, files that end in .pth, are exported as one network, the mean of their probabilities. The exported
network is run on PHOTOGRAPHS, by default on some of the validation split, and must give what the checkpoint's gives.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from src.atomic import new_folder
from src.config.overrides import rejoin_lists
from src.data.files import list_images
from src.errors import Parser, UserError, outlive_reader, run_command
from src.folders import user_path
from src.inputs import Inputs, add_threshold, find_photographs, refuse_threshold, threshold_of

if TYPE_CHECKING:  # torch: seconds to import, and --help needs none of it
    from src.exporting.formats import Exported
    from src.scoring.inference import Network

FORMATS = ("onnx", "torch-export", "smp-hub")
EXAMPLE = Path(__file__).with_name("exporting") / "predict_onnx.py"
READ = ("data.root", "data.bits", "threads")
"""The keys of the configuration that are read: what the photographs are, and how many threads run."""
COMPARED = 4
"""Photographs of the validation split on which the two networks are compared."""


def main(argv: list[str]) -> None:
    parser = Parser(
        prog="python -m src.export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=user_path, help="a run's checkpoints/best_model.pth")
    parser.add_argument(
        "photographs",
        nargs="*",
        help="photographs or folders of them, further checkpoints (.pth), and overrides such as data.root=",
    )
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument("--out", type=user_path, required=True, help="a new folder")
    add_threshold(parser)
    options = parser.parse_intermixed_args(rejoin_lists(argv))
    if options.out.exists() and not (options.out.is_dir() and not any(options.out.iterdir())):
        raise UserError(f"--out={options.out}: it exists and is not an empty folder; choose another one.")
    refuse_threshold(options.threshold)
    inputs = Inputs.of(options.checkpoint, options.photographs)
    for item in inputs.overrides.items:
        if item.key not in READ:
            raise UserError(f"{item}: this key has no effect here. Legal: {', '.join(READ)}.")
    from src.scoring.ensemble import load_networks

    outlive_reader()
    here = ["device=cpu", "training.mixed_precision=false"]
    network = load_networks(inputs.checkpoints, inputs.overrides.plus(here))
    photographs = find_photographs(inputs.photographs) if inputs.photographs else of_validation(network)
    threshold = options.threshold if options.threshold is not None else threshold_of(network)
    try:
        with new_folder(options.out) as folder:
            given = options.threshold is not None
            write(replace(network, threshold=threshold), photographs, options.format, folder, given)
    except OSError as error:
        raise UserError(f"--out={options.out}: cannot be written: {error.strerror}.") from error
    for path in sorted(options.out.iterdir()):
        print(f"{path}  {path.stat().st_size / 2**20:.3g} MiB")


def of_validation(network: "Network") -> list[Path]:
    folder = network.config.data.root / "val" / "images"
    found = list_images(folder) if folder.is_dir() else []
    if not found:
        raise UserError(
            f"No photographs to compare the exported network on: {folder} has none. Name some, or data.root=."
        )
    return found[:COMPARED]


def write(network: "Network", photographs: Sequence[Path], kind: str, folder: Path, given: bool) -> None:
    """Fill the folder, and print how far the exported network is from the checkpoint's.

    ``given``: the network's threshold is the user's, not that of validation.
    """
    from src.exporting.card import about, card
    from src.exporting.formats import FORMATS, TOLERANCE

    exported = FORMATS[kind](network.model, network.config.data.image_size, folder)
    difference, tiles = compare(network, exported, photographs)
    if not difference <= TOLERANCE:
        raise UserError(
            f"The exported network differs from the checkpoint by a probability of {difference:.2g}, more than "
            f"{TOLERANCE:g}: nothing was written. Try another --format."
        )
    facts = about(network, exported, kind, given) | {"largest_difference": difference}
    (folder / "network.json").write_text(json.dumps(facts, indent=2))
    (folder / "README.md").write_text(card(network, facts))
    if kind == "onnx":
        shutil.copyfile(EXAMPLE, folder / "predict.py")
    sizes = "any multiple of 32 pixels" if exported.any_size else "tiles alone"
    print(f"largest difference of a probability on {tiles} tiles of {len(photographs)} photographs: {difference:.1e}")
    print(f"sizes that it takes: {sizes}")


def compare(network: "Network", exported: "Exported", photographs: Sequence[Path]) -> tuple[float, int]:
    """The largest difference of a probability on the tiles of the photographs, and the number of tiles."""
    from src.data.depth import choose_bits
    from src.data.files import read_image
    from src.exporting.compared import Compared

    both = Compared(**vars(network), exported=exported)
    bits = choose_bits(photographs, network.config.data.bits)
    for path in photographs:
        for _ in both.rows(read_image(path, bits), "none", 0.25):
            pass
    return max(both.differences), len(both.differences)


if __name__ == "__main__":
    sys.exit(run_command(main))
