"""Photographs and masks as people have them: which belongs to which, in the layouts and formats that data sets come in.

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

from src.data.files import refuse_outside, shown_size
from src.datasets.coco import is_coco, read_files
from src.datasets.drawings import Drawing, ShapeRules
from src.datasets.layouts import MASK_SUFFIXES, is_a, nothing_in, places, telling_folders
from src.datasets.leftovers import unused
from src.datasets.names import NFC, Exclusion
from src.datasets.notes import first_five
from src.datasets.pairing import read_place
from src.datasets.photographs import Found, Source
from src.datasets.unread import refusal
from src.errors import UserError
from src.folders import visible_files


@dataclass(frozen=True)
class Selection:
    """Which files are taken."""

    exclude: tuple[str, ...] = ()
    """Stems, names or paths."""
    allow_unpaired: bool = False
    """Skip photographs without mask, and masks without photograph."""
    unlabelled_is_crack_free: bool = False
    """Photographs without mask have no crack."""
    rules: ShapeRules = field(default_factory=ShapeRules)


def find_sources(root: Path, selection: Selection | None = None) -> tuple[dict[str, Source], list[str]]:
    """Name to source, sorted, and sentences about what was guessed or left out.

    A name is the file's stem; where stems repeat, its split and folders stand before it. ``UserError``: no layout that
    is known, names or files that could mean two things, an unknown file in ``exclude``, files without partner.
    """
    if not root.is_dir():
        raise UserError(f"{root} is not a folder.")
    selection = selection or Selection()
    files = visible_files(root)
    exclusion = Exclusion(root, frozenset(map(NFC, selection.exclude)))
    refuse_unknown_files(exclusion, files)
    found = read_all(root, files, exclusion, selection.rules)
    if not found.sources:
        gone = f"--exclude leaves no photograph of {root} with a mask or drawing." if exclusion.words else ""
        raise UserError(refusal(files) or alone(found, root) or gone or nothing_in(root))
    refuse_outside(root, [path for one in found.sources for path in (one.image, one.file)])
    refuse_outside(root, [path for path, _ in found.bare])
    settle_unlabelled(found, root, selection)
    refuse_half_split(found.sources)
    used = {path for one in found.sources for path in (one.image, one.file)} | set(found.skipped)
    left = [path for path in files if not exclusion.has(path) and not exclusion.has_partner_of(path)]
    notes = [
        *found.notes,
        *unequal(found.renamed),
        *judge_labels(found.sources, root, selection.rules),
        *unused(root, left, used),
    ]
    return name_all(found.sources, root), notes


def read_all(root: Path, files: Sequence[Path], exclusion: Exclusion, rules: ShapeRules) -> Found:
    """What COCO's files describe, if there are some; else what lies in the folders of a layout."""
    if coco := [path for path in files if not exclusion.has(path) and is_coco(path)]:
        refuse_outside(root, coco)
        return read_files(root, coco, exclusion, rules)
    found = Found()
    for place in places(root):
        found.add(read_place(place, exclusion, rules))
    return found


def refuse_unknown_files(exclusion: Exclusion, files: Sequence[Path]) -> None:
    """What is left out must be a photograph, a mask or a file of drawings: nothing else can be."""
    files = [path for path in files if is_a(path, MASK_SUFFIXES)]
    known = {way for path in files for way in exclusion.ways(path)} if exclusion.words else set[str]()
    if foreign := sorted(exclusion.words - known):
        raise UserError(
            f"--exclude: {exclusion.root} has no photograph, mask or file of drawings with the stem (name without "
            f"ending), name or path {first_five(foreign)}."
        )


def settle_unlabelled(found: Found, root: Path, selection: Selection) -> None:
    """Photographs without mask are free of cracks, or skipped, or a ``UserError``, as are masks without photograph."""
    if selection.unlabelled_is_crack_free:
        for path, split in found.bare:
            height, width = shown_size(path)
            found.sources.append(Source(path, Drawing(path, width, height), split))
        found.notes.append(f"{len(found.bare)} photographs without mask or drawing count as free of cracks.")
        found.bare = []
    if (sentence := alone(found, root)) and not selection.allow_unpaired:
        free = "; if photographs without mask have no crack: --unlabelled-is-crack-free" if found.bare else ""
        raise UserError(f"{sentence} Add it, or skip them: --allow-unpaired{free}.")
    found.notes += [f"Skipped: {sentence}"] if sentence else []
    found.skipped += [*(path for path, _ in found.bare), *found.lone]


def alone(found: Found, root: Path) -> str:
    """The sentence about files that have no partner; empty if there are none."""
    paths = sorted([*(path for path, _ in found.bare), *found.lone])
    names = [*(str(path.relative_to(root)) for path in paths), *found.missing]
    what = f"{len(names)} files of {root} have no partner, a photograph with its mask or drawing"
    return f"{what}: {first_five(names)}." if names else ""


def refuse_half_split(sources: Sequence[Source]) -> None:
    """Photographs that lie in splits, beside some that lie in none, are a ``UserError``."""
    inside, outside = ([one.image for one in sources if bool(one.split) is own] for own in (True, False))
    if inside and outside:
        raise UserError(f"{inside[0]} is in a split, and {outside[0]} in none: prepare them apart, or give it one.")


def judge_labels(sources: Sequence[Source], root: Path, rules: ShapeRules) -> list[str]:
    """A note about several labels that all count as crack.

    Labels that no drawing has, and a width of lines where there is none, are a ``UserError``.
    """
    drawings = [one.mask for one in sources if isinstance(one.mask, Drawing)]
    known = sorted({label for drawing in drawings for label in drawing.labels})
    if rules.labels and not drawings:
        raise UserError(f"--label {' '.join(rules.labels)}: that is for drawings, and {root} has none.")
    if unknown := sorted(set(rules.labels) - set(known)):
        raise UserError(f"--label {unknown[0]}: {root} has no such label, but {', '.join(known) or 'none'}.")
    if rules.line_width and not any(drawing.lines for drawing in drawings):
        raise UserError(f"--line-width {rules.line_width}: {root} has no line that counts as crack.")
    many = len(known) > 1 and not rules.labels
    return [f"All {len(known)} labels count as crack, {first_five(known)}: --label chooses."] if many else []


def unequal(pairs: Sequence[tuple[Path, Path]]) -> list[str]:
    """The note about pairs whose names are not equal."""
    if not pairs:
        return []
    image, mask = pairs[0]
    return [f"{len(pairs)} pairs have names that are not equal, as {image.name} and {mask.name}."]


def name_all(sources: Sequence[Source], root: Path) -> dict[str, Source]:
    """The shortest names that tell all apart. Two of one name are a ``UserError``."""
    stems = Counter(one.image.stem for one in sources)
    ways: tuple[Callable[[Source], Sequence[str]], ...] = (
        lambda one: (one.split,),
        lambda one: (one.split, *telling_folders(one.image, root)),
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
        f"{one.image} and {other.image} would both be named {name}: rename one, or leave it out: --exclude "
        f"{other.image.name}."
    )
