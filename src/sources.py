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

from src.data.files import IMAGE_SUFFIXES, UInt8Array, list_images, refuse_outside
from src.data.pairs import Pair, by_stem, refuse_sizes, turned
from src.data.reading import Reading
from src.errors import UserError
from src.layouts import Place, coco_files, places, visible
from src.matlab import read_labels
from src.notes import first_five
from src.outlines import Outlines, labels_of, read_coco, read_labelme, refuse_unknown

MASK_ENDINGS = re.compile(r"[_-](mask|label|lab|gt|groundtruth)$", re.IGNORECASE)
WRONG_MASK = "042"  # CrackForest gives this image the mask of another one


@dataclass(frozen=True)
class Source:
    """One photograph with its mask, as they lie in the user's folder."""

    image: Path
    mask: Path | Outlines
    split: str = ""
    """If the data set is split already."""

    @property
    def picture(self) -> Path | None:
        """The mask's file, if it is a picture."""
        return self.mask if isinstance(self.mask, Path) and self.mask.suffix.lower() in IMAGE_SUFFIXES else None

    def read(self, reading: Reading, labels: Collection[str]) -> tuple[UInt8Array, UInt8Array]:
        """RGB photograph and mask in {0, 1}, upright. Unequal sizes, and what cannot be read, are a ``UserError``."""
        if self.picture:
            return Pair(self.image, self.picture).read(reading)
        image = reading.image(self.image)
        drawn = self.mask
        if isinstance(drawn, Path):
            drawn = read_labels(drawn) if drawn.suffix.lower() == ".mat" else read_labelme(drawn, labels)
        shape = (drawn.height, drawn.width) if isinstance(drawn, Outlines) else drawn.shape
        if shape == image.shape[1::-1] and shape != image.shape[:2]:  # drawn as the pixels lie in the file
            drawn = turned(drawn.mask() if isinstance(drawn, Outlines) else drawn, self.image)
            shape = drawn.shape
        refuse_sizes(self.image, image.shape[:2], self.mask if isinstance(self.mask, Path) else "(polygons)", shape)
        return image, drawn.mask() if isinstance(drawn, Outlines) else drawn


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
    if labels:
        refuse_labels(found, root, labels)
    if not found:
        raise UserError(f"{root} has no image and mask with the same stem.")
    refuse_outside(root, [path for one in found for path in (one.image, one.mask) if isinstance(path, Path)])
    named: dict[str, Source] = {}
    for one in found:
        name = f"{one.split}-{one.image.stem}" if one.split and stems[one.image.stem] > 1 else one.image.stem
        if named.setdefault(name, one) != one:
            raise UserError(f"{named[name].image} and {one.image} would both be named {name}: rename one of them.")
    return dict(sorted(named.items()))


def refuse_labels(found: Sequence[Source], root: Path, labels: Collection[str]) -> None:
    """Labels that no polygon has are a ``UserError``; COCO's are looked up where it is read."""
    files = [one.mask for one in found if isinstance(one.mask, Path) and one.mask.suffix.lower() == ".json"]
    if files:
        refuse_unknown(root, labels, {label for path in files for label in labels_of(path)})
    elif not any(isinstance(one.mask, Outlines) for one in found):
        raise UserError(f"--label {' '.join(labels)}: that is for polygons, and {root} has none.")


def sources_of(
    place: Place, root: Path, exclude: Collection[str], unpaired: bool, labels: Collection[str]
) -> Iterator[Source]:
    """The pairs of one place."""
    if coco := coco_files(place, root):
        drawn = {where(name, place, root): one for path in coco for name, one in read_coco(path, labels).items()}
        refuse_outside(root, [path for path in drawn if path.is_file()])
        wanted = {path for path in (*drawn, *list_images(place.images)) if path.stem not in exclude}
        alone = {path for path in wanted if path not in drawn or not path.is_file()}
        refuse_alone(alone, root, unpaired, "in the JSON and in the folder both")
        yield from (Source(path, drawn[path], place.split) for path in sorted(wanted - alone))
        return
    images, masks = side_by_side(place.images) if place.images == place.masks else two_folders(place)
    skipped = {*exclude, *(crackforest_skips(images, masks) if is_crackforest(masks.values()) else ())}
    alone = (images.keys() ^ masks.keys()) - skipped
    refuse_alone({(images | masks)[stem] for stem in alone}, root, unpaired, "with a partner of the same stem")
    yield from (
        Source(images[stem], masks[stem], place.split) for stem in images if stem in masks and stem not in skipped
    )


def where(name: str, place: Place, root: Path) -> Path:
    """The photograph that COCO names: in its folder, or from the root."""
    return root / name if (root / name).is_file() else place.images / name


def refuse_alone(paths: Collection[Path], root: Path, skip: bool, needed: str) -> None:
    """Files without a partner are a ``UserError``, unless they are to be skipped."""
    names = first_five([str(path.relative_to(root) if root in path.parents else path) for path in sorted(paths)])
    if paths and not skip:
        raise UserError(f"{root}: {names} must be there {needed}. Add it, or skip them: --allow-unpaired.")
    if paths:
        print(f"Skipped {len(paths)} files that are not there {needed}: {names}.")


def two_folders(place: Place) -> tuple[dict[str, Path], dict[str, Path]]:
    """Stem to image, and stem to mask, of a folder each; CrackForest's mask folder holds pictures of them too.

    Where a photograph has no mask but labelme's polygons beside it, those count.
    """
    masks = [path for path in visible(place.masks) if path.suffix.lower() == ".mat"]
    masks = masks or [path for path in visible(place.masks) if path.suffix.lower() in {*IMAGE_SUFFIXES, ".json"}]
    images, found = by_stem(list_images(place.images)), by_stem(masks, MASK_ENDINGS)
    drawn = by_stem(path for path in visible(place.images) if path.suffix.lower() == ".json")
    return images, {stem: drawn[stem] for stem in drawn.keys() & images.keys()} | found


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


def is_crackforest(masks: Collection[Path]) -> bool:
    return any(path.suffix.lower() == ".mat" for path in masks)


def crackforest_skips(images: Collection[str], masks: Collection[str]) -> set[str]:
    bare = {stem for stem in images if stem not in masks}
    if bare:
        print(f"CrackForest: skipped {len(bare)} images (rule: an image without a .mat of its stem has no mask).")
    if WRONG_MASK in masks:
        print(f"CrackForest: left out {WRONG_MASK} (rule: the mask of stem {WRONG_MASK} belongs to another image).")
    return bare | {WRONG_MASK}
