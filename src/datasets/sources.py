"""Finds the photographs and masks of a folder, in the layouts and formats in which data sets are published.

| layout | example |
|---|---|
| an image and a mask folder | ``images/ masks/``, CrackForest's ``image/ groundTruth/*.mat`` |
| the same in folders that are splits | ``train/images``, ``images/train``, DeepCrack's ``train_img train_lab`` |
| image and mask side by side | Crack500's ``traincrop/a.jpg traincrop/a.png``, ``a.jpg a_mask.png`` |
| drawings | labelme's ``a.jpg a.json``, COCO's ``annotations.json``, YOLO's ``labels/a.txt`` |
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from src.data.files import refuse_outside, upright_size
from src.datasets.coco import is_coco, read_files
from src.datasets.drawings import Drawing, ShapeRules
from src.datasets.layouts import (
    MASK_SUFFIXES,
    SplitFolders,
    distinctive_folders,
    find_split_folders,
    has_suffix,
    no_layout_found,
)
from src.datasets.leftovers import unused
from src.datasets.names import NFC, Exclusion
from src.datasets.notes import first_five
from src.datasets.pairing import read_folders
from src.datasets.photographs import FoundFiles, Source
from src.datasets.unread import refusal
from src.errors import UserError
from src.folders import visible_files


@dataclass(frozen=True)
class Selection:
    """Which files of a folder are used."""

    exclude: tuple[str, ...] = ()
    """Stems, names or paths."""
    allow_unpaired: bool = False
    """Skip photographs without mask, and masks without photograph."""
    unlabelled_is_crack_free: bool = False
    """Photographs without mask have no crack."""
    rules: ShapeRules = field(default_factory=ShapeRules)
    places: tuple[SplitFolders, ...] = ()
    """The folders of photographs and masks; empty: they are found by their layout."""


def find_sources(root: Path, selection: Selection | None = None) -> tuple[dict[str, Source], list[str]]:
    """Map each name to its source, sorted; also return sentences about what was guessed or skipped.

    A name is the file's stem; where stems repeat, its split and folders are put before it. A ``UserError`` is raised
    for an unknown layout, ambiguous names or files, an unknown file in ``exclude``, and files without partner.
    """
    if not root.is_dir():
        raise UserError(f"{root} is not a folder.")
    selection = selection or Selection()
    files = visible_files(root)
    exclusion = Exclusion(root, frozenset(map(NFC, selection.exclude)))
    refuse_unknown_files(exclusion, files)
    found = read_all(root, files, exclusion, selection)
    if not found.sources:
        gone = f"--exclude leaves no photograph of {root} with a mask or drawing." if exclusion.words else ""
        raise UserError(refusal(files) or unpaired_sentence(found, root) or gone or no_layout_found(root))
    refuse_outside(root, [path for one in found.sources for path in (one.image, one.file)])
    refuse_outside(root, [path for path, _ in found.unmasked])
    handle_unlabelled(found, root, selection)
    refuse_partly_split(found.sources)
    used = {path for one in found.sources for path in (one.image, one.file)} | set(found.skipped)
    left = [path for path in files if not exclusion.has(path) and not exclusion.has_partner_of(path)]
    notes = [
        *found.notes,
        *note_unequal_names(found.renamed),
        *check_labels(found.sources, root, selection.rules),
        *unused(root, left, used),
    ]
    return unique_names(found.sources, root), notes


def read_all(root: Path, files: Sequence[Path], exclusion: Exclusion, selection: Selection) -> FoundFiles:
    """The photographs that COCO files describe, if there are any; otherwise those in the folders of a layout."""
    coco = [] if selection.places else [path for path in files if not exclusion.has(path) and is_coco(path)]
    if coco:
        refuse_outside(root, coco)
        return read_files(root, coco, exclusion, selection.rules)
    found = FoundFiles()
    for place in selection.places or find_split_folders(root):
        found.add(read_folders(place, exclusion, selection.rules))
    return found


def refuse_unknown_files(exclusion: Exclusion, files: Sequence[Path]) -> None:
    """A word of ``--exclude`` that matches no photograph, mask or file of drawings is a ``UserError``."""
    files = [path for path in files if has_suffix(path, MASK_SUFFIXES)]
    known = {way for path in files for way in exclusion.ways(path)} if exclusion.words else set[str]()
    if foreign := sorted(exclusion.words - known):
        raise UserError(
            f"--exclude: {exclusion.root} has no photograph, mask or file of drawings with the stem (name without "
            f"ending), name or path {first_five(foreign)}."
        )


def handle_unlabelled(found: FoundFiles, root: Path, selection: Selection) -> None:
    """Photographs without mask count as free of cracks, are skipped, or are a ``UserError``; so are lone masks."""
    if selection.unlabelled_is_crack_free:
        for path, split in found.unmasked:
            height, width = upright_size(path)
            found.sources.append(Source(path, Drawing(path, width, height), split))
        found.notes.append(f"{len(found.unmasked)} photographs without mask or drawing count as free of cracks.")
        found.unmasked = []
    if (sentence := unpaired_sentence(found, root)) and not selection.allow_unpaired:
        free = "; if photographs without mask have no crack: --unlabelled-is-crack-free" if found.unmasked else ""
        raise UserError(f"{sentence} Add the partners, or skip these files: --allow-unpaired{free}.")
    found.notes += [f"Skipped: {sentence}"] if sentence else []
    found.skipped += [*(path for path, _ in found.unmasked), *found.orphan_masks]


def unpaired_sentence(found: FoundFiles, root: Path) -> str:
    """The sentence about files without partner; empty if there are none."""
    paths = sorted([*(path for path, _ in found.unmasked), *found.orphan_masks])
    names = [*(str(path.relative_to(root)) for path in paths), *found.missing]
    what = f"{len(names)} files of {root} have no partner"
    return f"{what}: {first_five(names)}." if names else ""


def refuse_partly_split(sources: Sequence[Source]) -> None:
    """A ``UserError`` if some photographs are in a split and others are not."""
    inside, outside = ([one.image for one in sources if bool(one.split) is own] for own in (True, False))
    if inside and outside:
        raise UserError(
            f"{inside[0]} is in a split, but {outside[0]} is not: prepare them separately, or move it into one."
        )


def check_labels(sources: Sequence[Source], root: Path, rules: ShapeRules) -> list[str]:
    """A note if several labels count as crack.

    ``--label`` with an unknown label, and ``--line-width`` without lines, are a ``UserError``.
    """
    drawings = [one.mask for one in sources if isinstance(one.mask, Drawing)]
    known = sorted({label for drawing in drawings for label in drawing.labels})
    if rules.labels and not drawings:
        raise UserError(f"--label {' '.join(rules.labels)}: this option is for drawings, and {root} has none.")
    if unknown := sorted(set(rules.labels) - set(known)):
        raise UserError(f"--label {unknown[0]}: no such label in {root}. Its labels: {', '.join(known) or 'none'}.")
    if rules.line_width and not any(drawing.lines for drawing in drawings):
        raise UserError(f"--line-width {rules.line_width}: {root} has no lines that count as crack.")
    many = len(known) > 1 and not rules.labels
    return [f"All {len(known)} labels count as crack: {first_five(known)}. Choose some with --label."] if many else []


def note_unequal_names(pairs: Sequence[tuple[Path, Path]]) -> list[str]:
    """A note about pairs whose names are not equal."""
    if not pairs:
        return []
    image, mask = pairs[0]
    return [f"{len(pairs)} pairs have unequal names, such as {image.name} and {mask.name}."]


def unique_names(sources: Sequence[Source], root: Path) -> dict[str, Source]:
    """Give every source the shortest name that is unique. Two with the same name are a ``UserError``."""
    stems = Counter(one.image.stem for one in sources)
    ways: tuple[Callable[[Source], Sequence[str]], ...] = (
        lambda one: (one.split,),
        lambda one: (one.split, *distinctive_folders(one.image, root)),
        lambda one: one.image.parent.relative_to(root).parts,
    )
    named: dict[str, list[Source]] = {}
    for way in ways:
        named = defaultdict(list)
        for one in sources:
            before = way(one) if stems[one.image.stem] > 1 else ()
            named["-".join(part for part in (*before, one.image.stem) if part)].append(one)
        if len(named) == len(sources):
            return {name: found[0] for name, found in sorted(named.items())}
    name, (one, other, *_) = next((name, found) for name, found in named.items() if len(found) > 1)
    raise UserError(
        f"{one.image} and {other.image} would both be named {name}: rename one, or use --exclude "
        f"{other.image.name}."
    )
