"""The words of a command that uses trained networks: checkpoints, photographs, and overrides."""

from argparse import ArgumentParser
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from src.config.overrides import Overrides
from src.data.files import IMAGE_SUFFIXES, images_below, list_images
from src.errors import UserError
from src.folders import in_full, refuse_irregular, user_path

if TYPE_CHECKING:  # torch: seconds to import, and --help needs none of it
    from src.scoring.cleaning import Cleaning
    from src.scoring.inference import Network

CHECKPOINT_SUFFIX = ".pth"
PREDICTIONS = "predictions.csv"
"""The table that ``src.predict`` writes; its columns ``mask`` and ``photograph`` name the files."""


@dataclass(frozen=True)
class Inputs:
    """What a command line names."""

    checkpoints: tuple[Path, ...]
    """The first word, and all others that end in .pth."""
    photographs: tuple[Path, ...]
    """Files and folders of them."""
    overrides: Overrides

    @classmethod
    def of(cls, checkpoint: Path, words: Sequence[str]) -> "Inputs":
        """Sort the words after the first one."""
        overrides = [word for word in words if is_override(word)]
        paths = [user_path(word) for word in words if not is_override(word)]
        checkpoints = (checkpoint, *(path for path in paths if path.suffix == CHECKPOINT_SUFFIX))
        for path in checkpoints:
            refuse_irregular(path)
        photographs = tuple(path for path in paths if path.suffix != CHECKPOINT_SUFFIX)
        return cls(checkpoints, photographs, Overrides.parse(overrides))


def is_override(word: str) -> bool:
    """Whether a word is an override such as ``device=cpu``, and not a file of that name or with a file's ending."""
    endings = (*IMAGE_SUFFIXES, CHECKPOINT_SUFFIX)
    return "=" in word and not Path(word).exists() and Path(word).suffix.lower() not in endings


def add_threshold(parser: ArgumentParser) -> None:
    """The option ``--threshold``."""
    parser.add_argument("--threshold", type=float, help="probability of crack (default: the best on validation)")


def refuse_threshold(threshold: float | None) -> None:
    """A ``UserError`` for a threshold that is no probability."""
    if threshold is not None and not 0 <= threshold <= 1:
        raise UserError(f"--threshold={threshold}: must be from 0 to 1.")


def threshold_of(network: "Network", tta: str = "none") -> float:
    """The best threshold on validation.

    With ``tta``, and for the mean of several networks, it is computed anew, which needs the validation split.
    """
    from src.scoring.evaluate import choose_threshold
    from src.scoring.metrics import BINS

    with split_is_needed(network, tta, "threshold", "use --threshold"):
        return choose_threshold(network, tta) / BINS


def cleaning_of(network: "Network", threshold: float, tta: str = "none") -> "Cleaning":
    """The best cleaning on validation: the checkpoint's, if it is for these probabilities and this threshold."""
    from src.scoring.evaluate import find_cleaning

    with split_is_needed(network, tta, "cleaning", "leave out --clean"):
        return find_cleaning(network, tta, threshold)


@contextmanager
def split_is_needed(network: "Network", tta: str, what: str, cure: str) -> Generator[None]:
    """In the sentence of a ``UserError`` within, say that ``what`` is chosen on the validation split."""
    try:
        yield
    except UserError as error:
        whose = f"--tta={tta}" if tta != "none" else "The mean of several networks" if network.members else "This"
        raise UserError(
            f"{whose} needs its own {what} from the validation split; without it, {cure}. {error}"
        ) from error


def find_photographs(paths: Sequence[Path]) -> list[Path]:
    """The files, and those in the folders. Equal stems are a ``UserError``: their results would have the same name."""
    found = dict[str, Path]()
    for given in paths:
        if not given.is_dir() and not given.is_file():
            raise UserError(f"No such photograph: {in_full(given)}.")
        if given.is_dir() and (below := images_below(given)):
            print(f"Skipped {len(below)} image files in subfolders of {given}, such as {below[0]}: pass these too.")
    for path in (file for given in paths for file in (list_images(given) if given.is_dir() else [given])):
        if found.setdefault(path.stem, path).resolve() != path.resolve():
            raise UserError(
                f"{found[path.stem]} and {path} have the same stem, and so would their masks: predict them separately."
            )
    if not found:
        raise UserError(f"No photograph in {', '.join(map(str, paths)) or 'the arguments'}.")
    return list(found.values())
