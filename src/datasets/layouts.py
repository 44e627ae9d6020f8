"""Recognises the layout of a data set: which folders hold photographs, and which hold masks or drawings."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from src.data.files import IMAGE_SUFFIXES
from src.datasets.names import has_pairs
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
"""Levels of subfolders that are searched for a data set."""


@dataclass(frozen=True)
class SplitFolders:
    """The folders of photographs and masks of one split; both may be the same folder. ``split`` may be empty."""

    split: str
    images: Path
    masks: Path


def find_split_folders(root: Path) -> list[SplitFolders]:
    """The folders of a data set, at ``root`` or below it; empty if no layout is recognised.

    Folders that are reached several times through links count once: by their real path, or else the shortest.
    """
    home, found = root.resolve(), split_folders_in(root, DEEPEST)

    def way(place: SplitFolders) -> tuple[bool, int]:
        return place.images.resolve() != home / place.images.relative_to(root), len(place.images.parts)

    kept: dict[tuple[str, Path, Path], SplitFolders] = {}
    for place in sorted(found, key=way):
        kept.setdefault((place.split, place.images.resolve(), place.masks.resolve()), place)
    return [place for place in found if place in kept.values()]


def split_folders_in(folder: Path, depth: int) -> list[SplitFolders]:
    """The folders of the first layout that fits; without one, those of all subfolders."""
    inner = folders_in(folder)
    for layout in (yolo_splits, splits_outside, splits_inside, split_kind_folders, two_folders, side_by_side):
        if found := layout(folder, inner):
            return found
    return [place for path in inner for place in (split_folders_in(path, depth - 1) if depth else [])]


def yolo_splits(folder: Path, _: Sequence[Path]) -> list[SplitFolders]:
    """The folders that ``data.yaml`` names."""
    return [SplitFolders(*found) for found in split_folders(folder)]


def folders_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and is_visible(path.name))


def splits_outside(folder: Path, inner: Sequence[Path]) -> list[SplitFolders]:
    """``train/images train/masks``, or ``train/`` with both side by side."""
    splits = by_split([(split_of(path.name), path) for path in inner])
    if splits and two_folders(folder, inner):
        raise UserError(
            f"{folder} holds {', '.join(path.name for path in splits.values())}, and also photographs with "
            "masks: prepare them separately, or move those into the folder of a split."
        )
    found = [(split, path, split_folders_in(path, 1)) for split, path in splits.items()]
    if any(below for _, _, below in found) and (empty := [path for _, path, below in found if not below]):
        raise UserError(no_layout_found(empty[0]))
    return [replace(place, split=split) for split, _, below in found for place in below]


def splits_inside(folder: Path, inner: Sequence[Path]) -> list[SplitFolders]:
    """``images/train masks/train``."""
    flat = [path for path in inner if is_named(path, IMAGE_FOLDERS)]
    flat = flat or [
        path for path in inner if contains_word(path, IMAGE_FOLDERS) and not contains_word(path, MASK_FOLDERS)
    ]
    if len(flat) != 1 or not (splits := splits_in(flat[0])):
        return []
    masks = by_split([found for path in inner if path != flat[0] for found in splits_in(path).items()])
    return [with_masks(split, path, masks.get(split)) for split, path in splits.items()]


def split_kind_folders(folder: Path, inner: Sequence[Path]) -> list[SplitFolders]:
    """DeepCrack's ``train_img train_lab``."""
    found = [(*half, path) for path in inner if (half := split_and_kind(path.name))]
    images = by_split([(split, path) for split, kind, path in found if kind == "image"])
    masks = by_split([(split, path) for split, kind, path in found if kind == "mask"])
    return [with_masks(split, path, masks.get(split)) for split, path in images.items()]


def two_folders(folder: Path, inner: Sequence[Path]) -> list[SplitFolders]:
    """``images masks``; or one folder each whose name contains such a word, as ``Raw_images``."""
    for matches in (is_named, contains_word):
        masks = with_files([path for path in inner if matches(path, MASK_FOLDERS)], MASK_SUFFIXES)
        images = [path for path in inner if matches(path, IMAGE_FOLDERS) and path not in masks]
        images = with_files(images, IMAGE_SUFFIXES)
        if len(images) == 1 and len(masks) == 1:
            return [SplitFolders("", images[0], masks[0])]
        if images and masks:
            names = ", ".join(path.name for path in (*images, *masks))
            raise UserError(f"{folder} holds several folders of photographs or masks, {names}: remove all but two.")
    return []


def with_files(folders: list[Path], suffixes: frozenset[str]) -> list[Path]:
    """The folders that hold files with these suffixes; a single folder is returned unchecked."""
    return [
        path for path in folders if len(folders) == 1 or any(has_suffix(file, suffixes) for file in visible_files(path))
    ]


def side_by_side(folder: Path, _: Sequence[Path]) -> list[SplitFolders]:
    """``a.jpg a.png``, ``a.jpg a_mask.png``, ``a.jpg a.json``."""
    files = [path for path in sorted(folder.iterdir()) if is_visible(path.name) and not path.is_dir()]
    drawings = [path for path in files if has_suffix(path, DRAWING_SUFFIXES)]
    return (
        [SplitFolders("", folder, folder)] if has_pairs([path for path in files if has_suffix(path)], drawings) else []
    )


def by_split(found: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    """Map each split to its folder; two folders of one split are a ``UserError``."""
    folders: dict[str, Path] = {}
    for split, path in found:
        if split and folders.setdefault(split, path) != path:
            raise UserError(f"{folders[split]} and {path} are both a {split} split: merge them, or rename one.")
    return folders


def splits_in(folder: Path) -> dict[str, Path]:
    return by_split([(split_of(path.name), path) for path in folders_in(folder)])


def with_masks(split: str, images: Path, masks: Path | None) -> SplitFolders:
    """The folders of a split; without a folder of masks, drawings must be beside the photographs."""
    if masks is None and not any(has_suffix(path, DRAWING_SUFFIXES) for path in visible_files(images)):
        raise UserError(f"{images} has no folder of masks beside it: add one, or remove the photographs.")
    return SplitFolders(split, images, masks or images)


def no_layout_found(folder: Path) -> str:
    """The error sentence for a folder whose layout is not recognised."""
    return (
        f"{folder} has no photographs and masks in a known layout. Known are: a folder for photographs "
        f"({', '.join(sorted(IMAGE_FOLDERS))}) and one for masks ({', '.join(sorted(MASK_FOLDERS))}), both "
        "together in one folder, or drawings of labelme, COCO or YOLO."
    )


def has_suffix(path: Path, suffixes: frozenset[str] = IMAGE_SUFFIXES) -> bool:
    return path.suffix.lower() in suffixes


def is_named(path: Path, words: frozenset[str]) -> bool:
    return path.name.lower().replace("_", "") in words


def contains_word(path: Path, words: frozenset[str]) -> bool:
    """``Raw_images`` and ``binary masks``."""
    return not words.isdisjoint(re.split(r"[^a-z]+", path.name.lower()))


def split_of(name: str) -> str:
    """``train`` for ``training``, ``TrainCrop``, ``train_set`` or ``train2017``; empty if the name is no split's."""
    for split, words in SPLIT_WORDS.items():
        if re.fullmatch(rf"({words})[_-]?(crop|data|set)?[_-]?\d*", name, re.IGNORECASE):
            return split
    return ""


def split_in(name: str) -> str:
    """``train`` for ``instances_train2017``; empty if a name contains the words of no split, or of several."""
    words = re.split(r"[^a-z]+", name.lower())
    found = {split for split in map(split_of, words) if split}
    return found.pop() if len(found) == 1 else ""


def split_and_kind(name: str) -> tuple[str, str] | None:
    """``("train", "image")`` for ``train_img``, ``("test", "mask")`` for ``test_lab``; otherwise None."""
    before, _, after = name.replace("-", "_").rpartition("_")
    if split := split_of(before):
        kind = "image" if after.lower() in IMAGE_FOLDERS else "mask" if after.lower() in MASK_FOLDERS else ""
        return (split, kind) if kind else None
    return None


def split_of_path(path: Path, root: Path) -> str:
    """The split of the nearest folder above a file that is named for one; empty if there is none."""
    for part in reversed(path.relative_to(root).parts[:-1]):
        if split := split_of(part) or (split_and_kind(part) or ("",))[0]:
            return split
    return ""


def distinctive_folders(path: Path, root: Path) -> list[str]:
    """The folders between ``root`` and a file whose names are not those of a split or of images or masks."""
    parts = path.relative_to(root).parts[:-1]
    named = IMAGE_FOLDERS | MASK_FOLDERS
    return [part for part in parts if not (split_of(part) or split_and_kind(part) or contains_word(Path(part), named))]
