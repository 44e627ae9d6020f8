"""The layouts that data sets come in: which folders hold photographs, and which their masks or drawings."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from src.data.files import IMAGE_SUFFIXES
from src.datasets.names import may_pair
from src.datasets.yolo import split_folders
from src.errors import UserError
from src.folders import is_visible, visible_files

IMAGE_FOLDERS = frozenset({"image", "images", "img", "imgs", "photo", "photos", "jpegimages"})
MASK_FOLDERS = frozenset(
    {"mask", "masks", "label", "labels", "lab", "groundtruth", "gt", "annotation", "annotations", "ann", "json"}
    | {"segmentation", "segmentationclass"}
)
SPLIT_WORDS = {"train": "train|training|trn", "val": "val|valid|validation|dev", "test": "test|testing"}
DRAWING_SUFFIXES = frozenset({".json", ".txt"})
MASK_SUFFIXES = IMAGE_SUFFIXES | DRAWING_SUFFIXES | {".mat"}
DEEPEST = 5
"""Folders below the user's own in which a data set is looked for."""


@dataclass(frozen=True)
class Place:
    """Two folders, or twice the same, whose files are paired; and the split that they are."""

    split: str
    images: Path
    masks: Path


def places(root: Path) -> list[Place]:
    """Where the pairs of a data set lie: in the folder itself, or in folders below; empty if nowhere.

    What links lead to once more is one place: where it really lies, or by the shortest way.
    """
    home, found = root.resolve(), places_in(root, DEEPEST)

    def way(place: Place) -> tuple[bool, int]:
        return place.images.resolve() != home / place.images.relative_to(root), len(place.images.parts)

    kept: dict[tuple[str, Path, Path], Place] = {}
    for place in sorted(found, key=way):
        kept.setdefault((place.split, place.images.resolve(), place.masks.resolve()), place)
    return [place for place in found if place in kept.values()]


def places_in(folder: Path, depth: int) -> list[Place]:
    """Those of the first layout that fits; else those of the folders in it, together."""
    inner = folders_in(folder)
    for layout in (splits_of_yolo, splits_of_folders, splits_inside, halves, two_folders, side_by_side):
        if found := layout(folder, inner):
            return found
    return [place for path in inner for place in (places_in(path, depth - 1) if depth else [])]


def splits_of_yolo(folder: Path, _: Sequence[Path]) -> list[Place]:
    """What ``data.yaml`` says."""
    return [Place(*found) for found in split_folders(folder)]


def folders_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and is_visible(path.name))


def splits_of_folders(folder: Path, inner: Sequence[Path]) -> list[Place]:
    """``train/images train/masks``, or ``train/`` with both side by side."""
    splits = by_split([(split_of(path.name), path) for path in inner])
    if splits and two_folders(folder, inner):
        raise UserError(
            f"{folder} holds {', '.join(path.name for path in splits.values())}, and photographs with masks beside "
            "that: prepare them apart, or give those the folder of a split too."
        )
    found = [(split, path, places_in(path, 1)) for split, path in splits.items()]
    if any(below for _, _, below in found) and (empty := [path for _, path, below in found if not below]):
        raise UserError(nothing_in(empty[0]))
    return [replace(place, split=split) for split, _, below in found for place in below]


def splits_inside(folder: Path, inner: Sequence[Path]) -> list[Place]:
    """``images/train masks/train``."""
    flat = [path for path in inner if is_word(path, IMAGE_FOLDERS)]
    flat = flat or [path for path in inner if has_word(path, IMAGE_FOLDERS) and not has_word(path, MASK_FOLDERS)]
    if len(flat) != 1 or not (splits := splits_in(flat[0])):
        return []
    masks = by_split([found for path in inner if path != flat[0] for found in splits_in(path).items()])
    return [with_masks(split, path, masks.get(split)) for split, path in splits.items()]


def halves(folder: Path, inner: Sequence[Path]) -> list[Place]:
    """DeepCrack's ``train_img train_lab``."""
    found = [(*half, path) for path in inner if (half := half_of(path.name))]
    images = by_split([(split, path) for split, kind, path in found if kind == "image"])
    masks = by_split([(split, path) for split, kind, path in found if kind == "mask"])
    return [with_masks(split, path, masks.get(split)) for split, path in images.items()]


def two_folders(folder: Path, inner: Sequence[Path]) -> list[Place]:
    """``images masks``; or names that have such a word in them, if there is one of each, as ``Raw_images``."""
    for is_named in (is_word, has_word):
        masks = with_files([path for path in inner if is_named(path, MASK_FOLDERS)], MASK_SUFFIXES)
        images = [path for path in inner if is_named(path, IMAGE_FOLDERS) and path not in masks]
        images = with_files(images, IMAGE_SUFFIXES)
        if len(images) == 1 and len(masks) == 1:
            return [Place("", images[0], masks[0])]
        if images and masks:
            names = ", ".join(path.name for path in (*images, *masks))
            raise UserError(f"{folder} holds several folders of photographs or masks, {names}: take away all but two.")
    return []


def with_files(folders: list[Path], suffixes: frozenset[str]) -> list[Path]:
    """Of several folders those that hold such files."""
    return [path for path in folders if len(folders) == 1 or any(is_a(file, suffixes) for file in visible_files(path))]


def side_by_side(folder: Path, _: Sequence[Path]) -> list[Place]:
    """``a.jpg a.png``, ``a.jpg a_mask.png``, ``a.jpg a.json``."""
    files = [path for path in sorted(folder.iterdir()) if is_visible(path.name) and not path.is_dir()]
    drawings = [path for path in files if is_a(path, DRAWING_SUFFIXES)]
    return [Place("", folder, folder)] if may_pair([path for path in files if is_a(path)], drawings) else []


def by_split(found: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    """Split to its folder; two folders of one split are a ``UserError``."""
    folders: dict[str, Path] = {}
    for split, path in found:
        if split and folders.setdefault(split, path) != path:
            raise UserError(f"{folders[split]} and {path} are both a {split} split: put them together, or rename one.")
    return folders


def splits_in(folder: Path) -> dict[str, Path]:
    return by_split([(split_of(path.name), path) for path in folders_in(folder)])


def with_masks(split: str, images: Path, masks: Path | None) -> Place:
    """A split whose photographs lie in one folder, and whose masks in another, or beside them."""
    if masks is None and not any(is_a(path, DRAWING_SUFFIXES) for path in visible_files(images)):
        raise UserError(f"{images} has no folder of masks beside it: put it there, or take the photographs away.")
    return Place(split, images, masks or images)


def nothing_in(folder: Path) -> str:
    """The sentence about a folder in which no photographs and masks are recognised."""
    return (
        f"{folder} has no photographs and masks in a layout that is known: a folder for photographs "
        f"({', '.join(sorted(IMAGE_FOLDERS))}) and one for masks ({', '.join(sorted(MASK_FOLDERS))}), both side by "
        "side in one folder, or drawings of labelme, COCO or YOLO."
    )


def is_a(path: Path, suffixes: frozenset[str] = IMAGE_SUFFIXES) -> bool:
    return path.suffix.lower() in suffixes


def is_word(path: Path, words: frozenset[str]) -> bool:
    return path.name.lower().replace("_", "") in words


def has_word(path: Path, words: frozenset[str]) -> bool:
    """``Raw_images`` and ``binary masks``."""
    return not words.isdisjoint(re.split(r"[^a-z]+", path.name.lower()))


def split_of(name: str) -> str:
    """``train`` for ``training``, ``TrainCrop``, ``train_set`` or ``train2017``; empty for no split's name."""
    for split, words in SPLIT_WORDS.items():
        if re.fullmatch(rf"({words})[_-]?(crop|data|set)?[_-]?\d*", name, re.IGNORECASE):
            return split
    return ""


def split_in(name: str) -> str:
    """``train`` for ``instances_train2017``; empty for a name with no split's word, or with those of several."""
    words = re.split(r"[^a-z]+", name.lower())
    found = {split for split in map(split_of, words) if split}
    return found.pop() if len(found) == 1 else ""


def half_of(name: str) -> tuple[str, str] | None:
    """``train_img`` is the images of train, ``test_lab`` the masks of test."""
    before, _, after = name.replace("-", "_").rpartition("_")
    if split := split_of(before):
        kind = "image" if after.lower() in IMAGE_FOLDERS else "mask" if after.lower() in MASK_FOLDERS else ""
        return (split, kind) if kind else None
    return None


def split_of_path(path: Path, root: Path) -> str:
    """The split whose folder a file below ``root`` lies in, the nearest one; empty for none."""
    for part in reversed(path.relative_to(root).parts[:-1]):
        if split := split_of(part) or (half_of(part) or ("",))[0]:
            return split
    return ""


def telling_folders(path: Path, root: Path) -> list[str]:
    """The folders between ``root`` and a file that are not named for what they hold, as its split or photographs."""
    parts = path.relative_to(root).parts[:-1]
    named = IMAGE_FOLDERS | MASK_FOLDERS
    return [part for part in parts if not (split_of(part) or half_of(part) or has_word(Path(part), named))]
