"""Pairs the photographs of a folder with masks or drawings, one file for each photograph."""

from collections.abc import Collection, Sequence
from pathlib import Path

from src.data.files import refuse_outside, upright_size
from src.datasets.drawings import Drawing, ShapeRules
from src.datasets.labelme import is_labelme, read_labelme
from src.datasets.layouts import SplitFolders, has_suffix
from src.datasets.names import Exclusion, locate, pair_by_name, possible_partners, split_images_and_masks
from src.datasets.photographs import FoundFiles, Source
from src.datasets.yolo import class_names, is_yolo, read_yolo
from src.folders import visible_files

WRONG_MASK = "042"  # CrackForest's mask of this image belongs to another image


def read_folders(place: SplitFolders, exclusion: Exclusion, rules: ShapeRules) -> FoundFiles:
    """The photographs of two folders with their masks, or with their drawings where they have no mask."""
    near = [path for path in visible_files(place.images) if not exclusion.has(path)]
    far = [path for path in visible_files(place.masks) if not exclusion.has(path)]
    images, masks = pictures(place, near, far)
    pairs, renamed = pair_by_name(locate(images, place.images), locate(masks, place.masks))
    found = FoundFiles([Source(image, mask, place.split) for image, mask in pairs.items()], renamed=renamed)
    if any(path.suffix.lower() == ".mat" for path in masks):
        skip_unusable_crackforest(found, images, pairs)
        return found
    drawings, lone = pair_drawings(place, images, pairs, {place.masks: far, place.images: near}, found)
    refuse_outside(exclusion.root, [*drawings, *drawings.values()])
    texts = any(path.suffix.lower() == ".txt" for path in drawings.values())
    names = class_names(place.masks, exclusion.root) if texts else {}
    for image, path in drawings.items():
        found.sources.append(Source(image, read_drawing(path, image, names, rules), place.split))
    used = {image.parent for image in (*pairs, *drawings)} | {place.images}
    theirs = {path.parent for path in (*pairs.values(), *drawings.values())} | {place.masks}
    bare = [path for path in images if path not in pairs and path not in drawings]
    lone += set(masks) - set(pairs.values())
    found.skipped += (gone := masks_of_excluded(place, lone, exclusion))
    found.unmasked += ((path, place.split) for path in bare if path.parent in used)  # other folders hold other things
    found.orphan_masks += (path for path in lone if path.parent in theirs | used and path not in gone)
    return found


def masks_of_excluded(place: SplitFolders, masks: Collection[Path], exclusion: Exclusion) -> set[Path]:
    """The masks and drawings without photograph whose photograph is excluded by the user."""
    out = [path for path in visible_files(place.images) if exclusion.has(path) and has_suffix(path)]
    gone = {path for path in masks if exclusion.has_partner_of(path)}
    for home in {place.images, place.masks}:
        gone |= possible_partners(
            locate(out, place.images), locate((path for path in masks if home in path.parents), home)
        )
    return gone


def pictures(place: SplitFolders, near: Sequence[Path], far: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Photographs, and masks that are pictures or Matlab files. Where Matlab files exist, pictures are no masks."""
    if place.images == place.masks:
        return split_images_and_masks([path for path in near if has_suffix(path)])
    matlab = [path for path in far if path.suffix.lower() == ".mat"]
    masks = matlab or [path for path in far if has_suffix(path) and not is_below(place.images, place.masks, path)]
    return [path for path in near if has_suffix(path) and not is_below(place.masks, place.images, path)], masks


def is_below(inner: Path, outer: Path, path: Path) -> bool:
    """Whether a file is in ``inner`` and ``inner`` is in ``outer``."""
    return outer in inner.parents and inner in path.parents


def pair_drawings(
    place: SplitFolders,
    images: Collection[Path],
    pairs: Collection[Path],
    files: dict[Path, list[Path]],
    about: FoundFiles,
) -> tuple[dict[Path, Path], list[Path]]:
    """Map photographs without mask to their drawings, from the masks' folder first, then from their own folder.

    Also return the drawings without photograph. Drawings of photographs that have a mask are counted in a note.
    """
    found: dict[Path, Path] = {}
    lone: list[Path] = []
    for (folder, paths), suffix in ((one, suffix) for one in files.items() for suffix in (".json", ".txt")):
        drawn = [path for path in paths if path.suffix.lower() == suffix and (suffix == ".json" or is_yolo(path))]
        left = [path for path in images if path not in pairs and path not in found]
        more, renamed = pair_by_name(locate(left, place.images), locate(drawn, folder))
        found |= more
        about.renamed += renamed
        lone += set(drawn) - set(more.values())
    stems = {path.stem for path in images}
    if double := sorted(path for path in lone if path.stem in stems):
        about.notes.append(
            f"{len(double)} drawings, such as {double[0].name}, were not read: their photographs have a mask."
        )
    return found, [path for path in lone if path.stem not in stems and is_drawing(path)]


def is_drawing(path: Path) -> bool:
    """Whether a file without photograph is a drawing. Other JSON and empty text files are not."""
    return is_labelme(path) if path.suffix.lower() == ".json" else bool(path.read_text(encoding="utf-8-sig").strip())


def read_drawing(path: Path, image: Path, names: dict[int, str], rules: ShapeRules) -> Drawing:
    if path.suffix.lower() == ".json":
        return read_labelme(path, rules)
    return read_yolo(path, upright_size(image), names, rules)


def skip_unusable_crackforest(found: FoundFiles, images: Collection[Path], pairs: dict[Path, Path]) -> None:
    """Skip the photographs without mask, and the one with the mask of another image."""
    bare = [path for path in images if path not in pairs]
    wrong = [one for one in found.sources if one.image.stem == WRONG_MASK]
    found.sources = [one for one in found.sources if one not in wrong]
    found.skipped += (*bare, *(path for one in wrong for path in (one.image, one.file)))
    if bare:
        found.notes.append(
            f"CrackForest: skipped {len(bare)} images without a .mat file of the same stem, which have no mask."
        )
    if wrong:
        found.notes.append(f"CrackForest: skipped {WRONG_MASK}, whose mask belongs to another image.")
