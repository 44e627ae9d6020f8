"""The layouts that data sets come in: which folders hold photographs, and which their masks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.data.files import list_images
from src.errors import UserError
from src.outlines import is_coco

IMAGE_FOLDERS = frozenset({"image", "images", "img", "imgs"})
MASK_FOLDERS = frozenset(
    {"mask", "masks", "label", "labels", "lab", "groundtruth", "ground_truth", "gt", "annotations"}
)
SPLIT_WORDS = {"train": "train|training|trn", "val": "val|valid|validation|dev", "test": "test|testing"}


@dataclass(frozen=True)
class Place:
    """Two folders, or twice the same, whose files are paired; and the split that they are."""

    split: str
    images: Path
    masks: Path


def places(root: Path) -> list[Place]:
    """Where the pairs of a data set lie: one place, or one a split. None that is known: a ``UserError``."""
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if splits := by_split([(split_of(path.name), path) for path in folders]):
        return [Place(split, *folders_of(path)) for split, path in splits.items()]
    flat = [path for path in folders if path.name.lower() in IMAGE_FOLDERS]
    if len(flat) == 1 and (inner := splits_in(flat[0])):
        masks = {split: path for folder in folders if folder != flat[0] for split, path in splits_in(folder).items()}
        return [with_masks(split, path, masks.get(split), root) for split, path in inner.items()]
    halves = [(*half, path) for path in folders if (half := half_of(path.name))]
    images = by_split([(split, path) for split, kind, path in halves if kind == "image"])
    masks = by_split([(split, path) for split, kind, path in halves if kind == "mask"])
    if images:
        return [with_masks(split, path, masks.get(split), root) for split, path in images.items()]
    return [Place("", *folders_of(root))]


def by_split(found: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    """Split to its folder; two folders of one split are a ``UserError``."""
    folders: dict[str, Path] = {}
    for split, path in found:
        if split and folders.setdefault(split, path) != path:
            raise UserError(f"{folders[split]} and {path} are both a {split} split: put them together, or rename one.")
    return folders


def splits_in(folder: Path) -> dict[str, Path]:
    return by_split([(split_of(path.name), path) for path in sorted(folder.iterdir()) if path.is_dir()])


def with_masks(split: str, images: Path, masks: Path | None, root: Path) -> Place:
    """A split whose photographs lie in one folder, and whose masks in another or in COCO's JSON."""
    if masks is None and not coco_files(Place(split, images, images), root):
        raise UserError(f"{images} has no folder of masks beside it: put it there, or take the photographs away.")
    return Place(split, images, masks or images)


def split_of(name: str) -> str:
    """``train`` for ``training``, ``TrainCrop`` or ``train_set``; empty for no split's name."""
    for split, words in SPLIT_WORDS.items():
        if re.fullmatch(f"({words})[_-]?(crop|data|set)?", name, re.IGNORECASE):
            return split
    return ""


def half_of(name: str) -> tuple[str, str] | None:
    """``train_img`` is the images of train, ``test_lab`` the masks of test."""
    before, _, after = name.replace("-", "_").rpartition("_")
    if split := split_of(before):
        kind = "image" if after.lower() in IMAGE_FOLDERS else "mask" if after.lower() in MASK_FOLDERS else ""
        return (split, kind) if kind else None
    return None


def folders_of(root: Path) -> tuple[Path, Path]:
    """The image and the mask folder in ``root``; itself twice if both lie side by side in it."""
    inner = [path for path in root.iterdir() if path.is_dir()]
    images, masks = ([path for path in inner if path.name.lower() in names] for names in (IMAGE_FOLDERS, MASK_FOLDERS))
    if len(images) == 1 and len(masks) == 1:
        return images[0], masks[0]
    if not images and not masks and list_images(root):
        return root, root
    if len(images) == 1 and not masks and coco_files(Place("", images[0], images[0]), root):
        return images[0], images[0]
    raise UserError(
        f"{root} needs one folder named {' or '.join(sorted(IMAGE_FOLDERS))}, and one named "
        f"{' or '.join(sorted(MASK_FOLDERS))}, or both side by side; it has {len(images)} and {len(masks)}."
    )


def visible(folder: Path) -> list[Path]:
    """The files of a folder by name, but for hidden ones: macOS puts ._NAME.jpg beside NAME.jpg."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir())


def coco_files(place: Place, root: Path) -> list[Path]:
    """COCO's JSON files of a place: in its folders, or in the root (for a split with its name in theirs)."""
    near = {path for folder in (place.images, place.masks) for path in visible(folder)}
    beside = {path for path in (*visible(root), *visible_in(root / "annotations"))}
    ours = {path for path in beside if not place.split or re.search(f"({SPLIT_WORDS[place.split]})", path.stem)}
    return [path for path in sorted(near | ours) if path.suffix.lower() == ".json" and is_coco(path)]


def visible_in(folder: Path) -> list[Path]:
    return visible(folder) if folder.is_dir() else []
