"""Which photograph belongs to which mask: ``root/{train,val,test}/{images,masks}``, paired by file stem."""

from pathlib import Path
from typing import NamedTuple

from src.data.files import list_images
from src.errors import UserError
from src.schema import SPLITS


class Pair(NamedTuple):
    image: Path
    mask: Path


def find_pairs(root: Path, split: str) -> list[Pair]:
    """The pairs of one split by stem. A missing or empty folder, or a file without partner, is a ``UserError``."""
    images = _by_stem(_folder(root, split, "images"))
    masks = _by_stem(_folder(root, split, "masks"))
    if not images:
        raise UserError(f"{root / split / 'images'} holds no image; put photographs there, or name another data.root.")
    _refuse_lonely("image", "mask", [images[stem] for stem in images.keys() - masks.keys()])
    _refuse_lonely("mask", "image", [masks[stem] for stem in masks.keys() - images.keys()])
    return [Pair(images[stem], masks[stem]) for stem in sorted(images)]


def _folder(root: Path, split: str, kind: str) -> Path:
    folder = root / split / kind
    if not folder.is_dir():
        missing = folder if root.is_dir() else root
        raise UserError(
            f"No such folder: {missing}. data.root={root} must hold {{{','.join(SPLITS)}}}/{{images,masks}}; "
            "`python -m src.prepare` makes them of your photographs, `python -m src.synthetic` of nothing."
        )
    return folder


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in list_images(folder):
        if path.stem in found:
            raise UserError(f"{found[path.stem]} and {path} have the same stem: which one is meant? Rename one.")
        found[path.stem] = path
    return found


def _refuse_lonely(kind: str, partner: str, paths: list[Path]) -> None:
    if paths:
        shown = ", ".join(str(path) for path in sorted(paths)[:5]) + (" ..." if len(paths) > 5 else "")
        raise UserError(
            f"{len(paths)} {kind}{'s' if len(paths) > 1 else ''} without {partner} of the same stem: {shown}."
        )
