"""Photographs whose masks or drawings have a file each, in the folders that ``layouts`` finds."""

from collections.abc import Collection, Sequence
from pathlib import Path

from src.data.files import refuse_outside, shown_size
from src.datasets.drawings import Drawing, ShapeRules
from src.datasets.labelme import is_labelme, read_labelme
from src.datasets.layouts import Place, is_a
from src.datasets.names import Exclusion, apart, match, named, partners
from src.datasets.photographs import Found, Source
from src.datasets.yolo import class_names, is_yolo, read_yolo
from src.folders import visible_files

WRONG_MASK = "042"  # CrackForest gives this image the mask of another one


def read_place(place: Place, exclusion: Exclusion, rules: ShapeRules) -> Found:
    """The photographs of one place with their masks; or, where they have none, with their drawings."""
    near = [path for path in visible_files(place.images) if not exclusion.has(path)]
    far = [path for path in visible_files(place.masks) if not exclusion.has(path)]
    images, masks = pictures(place, near, far)
    pairs, renamed = match(named(images, place.images), named(masks, place.masks))
    found = Found([Source(image, mask, place.split) for image, mask in pairs.items()], renamed=renamed)
    if any(path.suffix.lower() == ".mat" for path in masks):
        skip_crackforest(found, images, pairs)
        return found
    drawings, lone = drawings_of(place, images, pairs, {place.masks: far, place.images: near}, found)
    refuse_outside(exclusion.root, [*drawings, *drawings.values()])
    texts = any(path.suffix.lower() == ".txt" for path in drawings.values())
    names = class_names(place.masks, exclusion.root) if texts else {}
    for image, path in drawings.items():
        found.sources.append(Source(image, read_drawing(path, image, names, rules), place.split))
    used = {image.parent for image in (*pairs, *drawings)} | {place.images}
    theirs = {path.parent for path in (*pairs.values(), *drawings.values())} | {place.masks}
    bare = [path for path in images if path not in pairs and path not in drawings]
    lone += set(masks) - set(pairs.values())
    found.skipped += (gone := left_out_too(place, lone, exclusion))
    found.bare += ((path, place.split) for path in bare if path.parent in used)  # in other folders lies something else
    found.lone += (path for path in lone if path.parent in theirs | used and path not in gone)
    return found


def left_out_too(place: Place, masks: Collection[Path], exclusion: Exclusion) -> set[Path]:
    """Of masks and drawings without photograph those whose photograph the user leaves out."""
    out = [path for path in visible_files(place.images) if exclusion.has(path) and is_a(path)]
    gone = {path for path in masks if exclusion.has_partner_of(path)}
    for home in {place.images, place.masks}:
        gone |= partners(named(out, place.images), named((path for path in masks if home in path.parents), home))
    return gone


def pictures(place: Place, near: Sequence[Path], far: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Photographs, and masks that are pictures or Matlab's files, beside which CrackForest's folder holds pictures."""
    if place.images == place.masks:
        return apart([path for path in near if is_a(path)])
    matlab = [path for path in far if path.suffix.lower() == ".mat"]
    masks = matlab or [path for path in far if is_a(path) and not is_below(place.images, place.masks, path)]
    return [path for path in near if is_a(path) and not is_below(place.masks, place.images, path)], masks


def is_below(inner: Path, outer: Path, path: Path) -> bool:
    """Whether a file lies in a folder that lies in the other one."""
    return outer in inner.parents and inner in path.parents


def drawings_of(
    place: Place,
    images: Collection[Path],
    pairs: Collection[Path],
    files: dict[Path, list[Path]],
    about: Found,
) -> tuple[dict[Path, Path], list[Path]]:
    """Photograph, of those without a mask, to its drawing: in the masks' folder first, then beside it.

    Also the drawings that have no photograph. What was drawn on photographs that have a mask too is a note.
    """
    found: dict[Path, Path] = {}
    lone: list[Path] = []
    for (folder, paths), suffix in ((one, suffix) for one in files.items() for suffix in (".json", ".txt")):
        drawn = [path for path in paths if path.suffix.lower() == suffix and (suffix == ".json" or is_yolo(path))]
        left = [path for path in images if path not in pairs and path not in found]
        more, renamed = match(named(left, place.images), named(drawn, folder))
        found |= more
        about.renamed += renamed
        lone += set(drawn) - set(more.values())
    stems = {path.stem for path in images}
    if double := sorted(path for path in lone if path.stem in stems):
        about.notes.append(
            f"{len(double)} drawings, as {double[0].name}, were not read: their photographs have a mask."
        )
    return found, [path for path in lone if path.stem not in stems and is_drawing(path)]


def is_drawing(path: Path) -> bool:
    """Whether a file that has no photograph should have one: other JSON and empty texts need none."""
    return is_labelme(path) if path.suffix.lower() == ".json" else bool(path.read_text(encoding="utf-8-sig").strip())


def read_drawing(path: Path, image: Path, names: dict[int, str], rules: ShapeRules) -> Drawing:
    if path.suffix.lower() == ".json":
        return read_labelme(path, rules)
    return read_yolo(path, shown_size(image), names, rules)


def skip_crackforest(found: Found, images: Collection[Path], pairs: dict[Path, Path]) -> None:
    """Leave out the photographs that have no mask, and the one whose mask is another one's."""
    bare = [path for path in images if path not in pairs]
    wrong = [one for one in found.sources if one.image.stem == WRONG_MASK]
    found.sources = [one for one in found.sources if one not in wrong]
    found.skipped += (*bare, *(path for one in wrong for path in (one.image, one.file)))
    if bare:
        found.notes.append(
            f"CrackForest: skipped {len(bare)} images (rule: an image without a .mat of its stem has no mask)."
        )
    if wrong:
        found.notes.append(
            f"CrackForest: left out {WRONG_MASK} (rule: the mask of stem {WRONG_MASK} belongs to another image)."
        )
