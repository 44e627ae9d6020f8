"""Find the cracks in new photographs: ``python -m src.predict CHECKPOINT IMAGES... [--out DIR] [KEY=VALUE ...]``.

IMAGES are files or folders, of any size. Each becomes DIR/masks/NAME.png (crack 255, else 0) and DIR/overlays/NAME.png.
A photograph is seen at the scale of the training images and, where it is larger than they were, in overlapping tiles.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from src.config.overrides import Overrides, rejoin_lists
from src.data.depth import choose_bits
from src.data.files import IMAGE_SUFFIXES, images_below, list_images, read_image
from src.errors import Parser, UserError, outlive_reader, run_command
from src.folders import in_full, refuse_irregular, user_path

if TYPE_CHECKING:  # torch: seconds to import, and --help needs none of it
    from src.data.files import UInt8Array
    from src.scoring.inference import Network


def main(argv: list[str]) -> None:
    parser = Parser(
        prog="python -m src.predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=user_path, help="a run's checkpoints/best_model.pth")
    parser.add_argument("images", nargs="+", help="photographs or folders of them, and overrides such as device=cpu")
    parser.add_argument(
        "--out", type=user_path, default=Path("predictions"), help="folder for the results (predictions)"
    )
    parser.add_argument("--threshold", type=float, help="probability of crack, if not the one that validation chose")
    parser.add_argument("--tta", choices=("none", "flips", "d4"), default="none", help="mean over views (none)")
    parser.add_argument("--overlap", type=float, default=0.25, help="share of a tile's side that tiles share (0.25)")
    options = parser.parse_intermixed_args(rejoin_lists(argv))
    if options.threshold is not None and not 0 <= options.threshold <= 1:
        raise UserError(f"--threshold={options.threshold}: must be from 0 to 1.")
    if not 0 <= options.overlap <= 0.9:
        raise UserError(f"--overlap={options.overlap}: must be from 0 to 0.9.")
    if options.out.exists() and not options.out.is_dir():
        raise UserError(f"--out={options.out}: that is a file; name a folder.")
    if (options.out / "images").is_dir() and (options.out / "masks").is_dir():
        raise UserError(f"--out={options.out}: its masks belong to its images, and would be replaced; name another.")
    overrides = Overrides.parse(word for word in options.images if is_override(word))
    photographs = find_photographs([user_path(word) for word in options.images if not is_override(word)])
    if unread := overrides.at("evaluation"):
        raise UserError(f"{next(iter(unread))}: that is for evaluation; predictions have --tta and --threshold.")
    refuse_irregular(options.checkpoint)
    from src.scoring.inference import load_network, refuse_views

    outlive_reader()
    network = load_network(options.checkpoint, overrides)
    refuse_views(options.tta, network.config.data.image_size)
    threshold = options.threshold if options.threshold is not None else threshold_of(network, options.tta)
    predict_files(network, photographs, options.out, (threshold, options.tta, options.overlap))


def is_override(word: str) -> bool:
    """``device=cpu``; a photograph may have such a name too, but then it is there, or ends like one."""
    return "=" in word and not Path(word).exists() and Path(word).suffix.lower() not in IMAGE_SUFFIXES


def threshold_of(network: "Network", tta: str) -> float:
    """What validation chose. With views it is chosen anew, for which the validation split must be there."""
    from src.scoring.evaluate import choose_threshold
    from src.scoring.metrics import BINS

    try:
        return choose_threshold(network, tta) / BINS
    except UserError as error:
        raise UserError(
            f"--tta={tta} wants a threshold of its own, of the validation split; without that say --threshold. {error}"
        ) from error


def find_photographs(paths: Sequence[Path]) -> list[Path]:
    """The files, and those in the folders; two of one stem are a ``UserError``: their results would have one name."""
    found = dict[str, Path]()
    for given in paths:
        if not given.is_dir() and not given.is_file():
            raise UserError(f"No such photograph: {in_full(given)}.")
        if given.is_dir() and (below := images_below(given)):
            print(f"Left out {len(below)} image files in folders below {given}, as {below[0]}: name those folders too.")
    for path in (file for given in paths for file in (list_images(given) if given.is_dir() else [given])):
        if found.setdefault(path.stem, path).resolve() != path.resolve():
            raise UserError(
                f"{found[path.stem]} and {path} have one stem, and so would their masks: predict them apart."
            )
    if not found:
        raise UserError(f"No photograph in {', '.join(map(str, paths)) or 'the arguments'}.")
    return list(found.values())


def predict_files(network: "Network", photographs: Sequence[Path], out: Path, how: tuple[float, str, float]) -> None:
    """Write mask and overlay of each photograph and print its share of crack. ``how``: threshold, views, overlap.

    A file that cannot be read does not keep the others from it; at the end it is a ``UserError``.
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
        del predicted  # a large photograph leaves no room for both
        write_picture(image, out / "overlays" / f"{path.stem}.png")
        print(f"{path}  {share:.2%} crack", flush=True)
    print(f"{out}  (threshold {how[0]:.3f}; crack is blue in the overlays)")
    if unreadable:
        raise UserError(f"{len(unreadable)} of {len(photographs)} photographs were left out. {' '.join(unreadable)}")


def predict_photograph(network: "Network", image: "UInt8Array", how: tuple[float, str, float]) -> "UInt8Array":
    """Mask (H, W) in {0, 1} at the photograph's own size; a bar on a terminal shows how far it is."""
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
