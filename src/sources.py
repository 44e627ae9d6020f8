"""Photographs and masks as people have them: which belongs to which, in the layouts that data sets come in.

| layout | example |
|---|---|
| an image and a mask folder | ``images/ masks/``, CrackForest's ``image/ groundTruth/*.mat`` |
| the same in folders that are splits | ``train/images``, ``images/train``, DeepCrack's ``train_img train_lab`` |
| image and mask side by side | Crack500's ``traincrop/a.jpg traincrop/a.png``, ``a.jpg a_mask.png`` |
| polygons | labelme's ``a.jpg a.json``, COCO's ``annotations.json`` |
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from scipy.io import loadmat  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from src.data.files import IMAGE_SUFFIXES, UInt8Array, read_image, refuse_outside
from src.data.masks import Colour
from src.data.pairs import Pair, refuse_sizes
from src.errors import UserError
from src.folders import refuse_irregular
from src.outlines import Outlines, is_coco, read_coco, read_labelme

IMAGE_FOLDERS = frozenset({"image", "images", "img", "imgs"})
MASK_FOLDERS = frozenset(
    {"mask", "masks", "label", "labels", "lab", "groundtruth", "ground_truth", "gt", "annotations"}
)
SPLIT_WORDS = {"train": "train|training|trn", "val": "val|valid|validation|dev", "test": "test|testing"}
MASK_ENDINGS = re.compile(r"[_-](mask|label|lab|gt|groundtruth)$", re.IGNORECASE)
WRONG_MASK = "042"  # CrackForest gives this image the mask of another one


@dataclass(frozen=True)
class Source:
    """One photograph with its mask, as they lie in the user's folder."""

    image: Path
    mask: Path | Outlines
    split: str = ""
    """If the data set is split already."""

    def read(self, crack: Colour | None, labels: Collection[str]) -> tuple[UInt8Array, UInt8Array]:
        """RGB photograph and mask in {0, 1}, upright. Unequal sizes, and what cannot be read, are a ``UserError``."""
        if isinstance(self.mask, Path) and self.mask.suffix.lower() not in (".mat", ".json"):
            return Pair(self.image, self.mask).read(crack)
        image = read_image(self.image)
        drawn = self.mask
        if isinstance(drawn, Path):
            drawn = read_labels(drawn) if drawn.suffix.lower() == ".mat" else read_labelme(drawn, labels)
        shape = (drawn.height, drawn.width) if isinstance(drawn, Outlines) else drawn.shape
        refuse_sizes(self.image, image.shape[:2], self.mask if isinstance(self.mask, Path) else "(polygons)", shape)
        return image, drawn.mask() if isinstance(drawn, Outlines) else drawn


@dataclass(frozen=True)
class Place:
    """Two folders, or twice the same, whose files are paired; and the split that they are."""

    split: str
    images: Path
    masks: Path


def find_sources(root: Path, exclude: Collection[str], unpaired: bool, labels: Collection[str]) -> dict[str, Source]:
    """Name to source, sorted; prints what it leaves out. A name is the file's stem, after its split if that is needed.

    ``UserError``: no layout that is known, a stem twice, an unknown stem in ``exclude``, files without partner.
    """
    if not root.is_dir():
        raise UserError(f"{root} is not a folder.")
    found = [source for place in places(root) for source in sources_of(place, root, exclude, unpaired, labels)]
    stems = Counter(source.image.stem for source in found)
    if foreign := sorted(set(exclude) - {path.stem for path in root.rglob("*")}):
        raise UserError(f"--exclude: {root} has no file of the stem (name without ending) {first_five(foreign)}.")
    if labels and not any(isinstance(one.mask, Outlines) or one.mask.suffix.lower() == ".json" for one in found):
        raise UserError(f"--label {labels}: that is for polygons, and {root} has none.")
    if not found:
        raise UserError(f"{root} has no image and mask with the same stem.")
    refuse_outside(root, [path for one in found for path in (one.image, one.mask) if isinstance(path, Path)])
    named = {f"{one.split}-{one.image.stem}" if stems[one.image.stem] > 1 else one.image.stem: one for one in found}
    return dict(sorted(named.items()))


def places(root: Path) -> list[Place]:
    """Where the pairs of a data set lie: one place, or one a split. None that is known: a ``UserError``."""
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    splits = {path: split for path in folders if (split := split_of(path.name))}
    if splits:
        return [Place(split, *folders_of(path)) for path, split in splits.items()]
    flat = [path for path in folders if path.name.lower() in IMAGE_FOLDERS]
    if len(flat) == 1 and (inner := {split_of(path.name): path for path in flat[0].iterdir() if path.is_dir()}):
        masks = {split_of(path.name): path for path in folders_of(root)[1].iterdir() if path.is_dir()}
        return [Place(split, path, masks[split]) for split, path in inner.items() if split and split in masks]
    halves = [(path, *half) for path in folders if (half := half_of(path.name))]
    if halves:
        by_split = {(split, kind): path for path, split, kind in halves}
        return [
            Place(split, path, by_split[split, "mask"])
            for (split, kind), path in by_split.items()
            if kind == "image" and (split, "mask") in by_split
        ]
    return [Place("", *folders_of(root))]


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
    if not images and not masks and list(image_files(root)):
        return root, root
    if len(images) == 1 and not masks and coco_files(Place("", images[0], images[0]), root):
        return images[0], images[0]
    raise UserError(
        f"{root} needs one folder named {' or '.join(sorted(IMAGE_FOLDERS))}, and one named "
        f"{' or '.join(sorted(MASK_FOLDERS))}, or both side by side; it has {len(images)} and {len(masks)}."
    )


def image_files(folder: Path) -> Iterator[Path]:
    yield from (path for path in visible(folder) if path.suffix.lower() in IMAGE_SUFFIXES)


def visible(folder: Path) -> list[Path]:
    """The files of a folder by name, but for hidden ones: macOS puts ._NAME.jpg beside NAME.jpg."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir())


def sources_of(
    place: Place, root: Path, exclude: Collection[str], unpaired: bool, labels: Collection[str]
) -> Iterator[Source]:
    """The pairs of one place."""
    if coco := coco_files(place, root):
        for path in coco:
            for name, outlines in read_coco(path, labels).items():
                image = place.images / name
                if image.stem not in exclude and (image.is_file() or not unpaired):
                    yield Source(image, outlines, place.split)
        return
    images, masks = side_by_side(place.images) if place.images == place.masks else two_folders(place)
    skipped = {*exclude, *(crackforest_skips(images, masks) if is_crackforest(masks.values()) else ())}
    alone = sorted((images.keys() ^ masks.keys()) - skipped)
    names = first_five([str((images | masks)[stem].relative_to(root)) for stem in alone])
    if alone and not unpaired:
        raise UserError(f"{root}: no partner of the same stem for {names}. Add it, or skip them: --allow-unpaired.")
    if alone:
        print(f"Skipped {len(alone)} files without a partner of the same stem: {names}.")
    yield from (
        Source(images[stem], masks[stem], place.split) for stem in images if stem in masks and stem not in skipped
    )


def coco_files(place: Place, root: Path) -> list[Path]:
    """COCO's JSON files of a place: in its folders, or in the root (for a split with its name in theirs)."""
    near = {path for folder in (place.images, place.masks) for path in visible(folder)}
    beside = {path for path in (*visible(root), *visible_in(root / "annotations"))}
    ours = {path for path in beside if not place.split or re.search(f"({SPLIT_WORDS[place.split]})", path.stem)}
    return [path for path in sorted(near | ours) if path.suffix.lower() == ".json" and is_coco(path)]


def visible_in(folder: Path) -> list[Path]:
    return visible(folder) if folder.is_dir() else []


def two_folders(place: Place) -> tuple[dict[str, Path], dict[str, Path]]:
    """Stem to image, and stem to mask, of a folder each; CrackForest's mask folder holds pictures of them too."""
    masks = [path for path in visible(place.masks) if path.suffix.lower() == ".mat"]
    masks = masks or [path for path in visible(place.masks) if path.suffix.lower() in {*IMAGE_SUFFIXES, ".json"}]
    return by_stem(image_files(place.images)), by_stem(masks, MASK_ENDINGS)


def side_by_side(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Stem to image, and stem to mask, of one folder: ``a.jpg`` with ``a.png``, ``a.json`` or ``a_mask.png``."""
    files = [path for path in visible(folder) if path.suffix.lower() in {*IMAGE_SUFFIXES, ".json"}]
    jpegs = {path.stem for path in files if path.suffix.lower() in (".jpg", ".jpeg")}
    masks = [
        path
        for path in files
        if path.suffix.lower() == ".json"
        or MASK_ENDINGS.search(path.stem)
        or (path.stem in jpegs and path.suffix.lower() not in (".jpg", ".jpeg"))
    ]
    return by_stem(path for path in files if path not in masks), by_stem(masks, MASK_ENDINGS)


def by_stem(paths: Iterator[Path] | Sequence[Path], ending: re.Pattern[str] | None = None) -> dict[str, Path]:
    """Stem, without its ending, to file; a stem twice is a ``UserError``."""
    found: dict[str, Path] = {}
    for path in paths:
        stem = ending.sub("", path.stem) if ending else path.stem
        if found.setdefault(stem, path) != path:
            raise UserError(f"{found[stem]} and {path} have the same stem: rename or remove one of them.")
    return found


def is_crackforest(masks: Collection[Path]) -> bool:
    return any(path.suffix.lower() == ".mat" for path in masks)


def crackforest_skips(images: Collection[str], masks: Collection[str]) -> set[str]:
    bare = {stem for stem in images if stem not in masks}
    if bare:
        print(f"CrackForest: skipped {len(bare)} images (rule: an image without a .mat of its stem has no mask).")
    if WRONG_MASK in masks:
        print(f"CrackForest: left out {WRONG_MASK} (rule: the mask of stem {WRONG_MASK} belongs to another image).")
    return bare | {WRONG_MASK}


def first_five(items: Sequence[str]) -> str:
    """Up to five items as words, and how many more there are."""
    return ", ".join(items[:5]) + (f" and {len(items) - 5} more" if len(items) > 5 else "")


def read_labels(path: Path) -> UInt8Array:
    """Mask of a CrackForest .mat: (H, W) uint8 in {0, 1}, 1 = labels 2 and 4 of 1..4. ``UserError`` naming the file."""
    refuse_irregular(path)
    try:
        labels = np.asarray(cast(Any, loadmat(path, simplify_cells=True))["groundTruth"]["Segmentation"])
    except Exception as error:  # a damaged file makes scipy raise anything from OSError to zlib.error
        raise UserError(f"Cannot read {path} as CrackForest's groundTruth.Segmentation: {error!r}.") from error
    if labels.ndim != 2 or not np.isin(labels, (1, 2, 3, 4)).all():
        raise UserError(f"{path}: groundTruth.Segmentation must be a matrix of labels 1 to 4.")
    return np.isin(labels, (2, 4)).astype(np.uint8)
