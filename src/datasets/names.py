"""Pairs masks with photographs by the names of their files.

Stems match if they are equal, if one or both have an ending or beginning that names the kind of file (``1_sat.jpg`` and
``1_mask.png``), or if they differ only in upper and lower case. Files in subfolders match if the names of these folders
match too. Ambiguous names are refused.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

from src.errors import UserError

IMAGE_WORDS = "sat|image|img|im|rgb|photo"
MASK_WORDS = "mask|label|labels|lab|gt|groundtruth|ground_truth|seg|segmentation|annotation"
JPEGS = (".jpg", ".jpeg")
NFC = partial(unicodedata.normalize, "NFC")
"""Unicode stores an accent in two ways that look the same, and macOS uses another one than other systems."""
Forms = Callable[[str], tuple[str, str, str]]


class Affixes(NamedTuple):
    """Endings and beginnings of a stem that name the kind of file and can be removed."""

    ending: re.Pattern[str]
    beginning: re.Pattern[str]

    def forms(self, stem: str) -> tuple[str, str, str]:
        """The stem as it is, without its ending, and without its beginning."""
        return stem, self.ending.sub("", stem), self.beginning.sub("", stem)


IMAGE = Affixes(
    re.compile(rf"[_. -]({IMAGE_WORDS})$", re.IGNORECASE), re.compile(rf"^({IMAGE_WORDS})[_. -]", re.IGNORECASE)
)
MASK = Affixes(
    re.compile(rf"[_. -]({MASK_WORDS}|crack)$", re.IGNORECASE), re.compile(rf"^({MASK_WORDS})[_. -]", re.IGNORECASE)
)
FORM_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (2, 2), (1, 0), (2, 0), (1, 2), (2, 1))
"""Pairs of forms, of a photograph's stem and of a mask's, in the order in which they are compared."""


class LocatedFile(NamedTuple):
    """A file, and its folder relative to the folder of all photographs or of all masks."""

    path: Path
    folder: str

    @property
    def stem(self) -> str:
        return NFC(self.path.stem)


def locate(paths: Iterable[Path], home: Path) -> list[LocatedFile]:
    return [LocatedFile(path, path.parent.relative_to(home).as_posix()) for path in paths]


def pair_by_name(
    images: Sequence[LocatedFile], masks: Sequence[LocatedFile]
) -> tuple[dict[Path, Path], list[tuple[Path, Path]]]:
    """Map each photograph to its mask; also return the pairs whose names are not equal. Ambiguity is a ``UserError``.

    Equal names are paired first, then the remaining files in the order of increasing difference. If all files of one
    kind are in one folder, the files of the other kind may be in any folder.
    """
    flat = len({one.folder for one in images}) == 1 or len({one.folder for one in masks}) == 1
    pairs: dict[Path, Path] = {}
    taken: set[Path] = set()
    renamed: list[tuple[Path, Path]] = []
    for without_folder, fold, way in product((False, True) if flat else (False,), (False, True), FORM_PAIRS):
        ours = group_by_form(images, IMAGE.forms, way[0], (without_folder, fold), pairs)
        theirs = group_by_form(masks, MASK.forms, way[1], (without_folder, fold), taken)
        found = {single(ours[key]): single(theirs[key]) for key in sorted(ours.keys() & theirs.keys())}
        pairs |= found
        taken.update(found.values())
        renamed += found.items() if fold or way != FORM_PAIRS[0] else ()
    refuse_ambiguous_partners(images, masks, pairs)
    return pairs, renamed


def group_by_form(
    files: Iterable[LocatedFile], forms: Forms, form: int, how: tuple[bool, bool], taken: Container[Path]
) -> dict[tuple[str, str], list[Path]]:
    """Group the files that are not ``taken`` by their folder and by one form of their stem.

    ``how``: whether to ignore the folder, and whether to ignore upper and lower case.
    """
    found: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for one in files:
        if one.path not in taken:
            key = "" if how[0] else one.folder, forms(one.stem)[form]
            found[(key[0].casefold(), key[1].casefold()) if how[1] else key].append(one.path)
    return found


def single(paths: Sequence[Path]) -> Path:
    if len(paths) > 1:
        one, other = sorted(paths)[:2]
        same = "have the same stem" if one.stem == other.stem else "have stems that differ only in the kind of file"
        raise UserError(f"{one} and {other} {same}: rename one of them, or use --exclude {other.name}.")
    return paths[0]


def refuse_ambiguous_partners(
    images: Sequence[LocatedFile], masks: Sequence[LocatedFile], pairs: Mapping[Path, Path]
) -> None:
    """An unpaired file that matches a file which already has a partner is a ``UserError``."""
    back = {mask: image for image, mask in pairs.items()}
    for ours, side, theirs, other, partner in ((images, IMAGE, masks, MASK, back), (masks, MASK, images, IMAGE, pairs)):
        held = {key: one.path for one in theirs if one.path in partner for key in keys_of(one, other)}  # any of them
        mine = set(partner.values())
        for one in ours:
            if one.path not in mine and (keys := keys_of(one, side) & held.keys()):
                rival = held[min(keys)]
                raise UserError(
                    f"{one.path} and {partner[rival]} could both belong to {rival}: use --exclude, with the name and "
                    "ending of the one that does not."
                )


def possible_partners(images: Iterable[LocatedFile], masks: Iterable[LocatedFile]) -> set[Path]:
    """The masks or drawings whose names match at least one of the photographs."""
    keys = {key for one in images for key in keys_of(one, IMAGE)}
    return {one.path for one in masks if keys_of(one, MASK) & keys}


def keys_of(one: LocatedFile, side: Affixes) -> set[tuple[str, str]]:
    return {(one.folder.casefold(), form.casefold()) for form in side.forms(one.stem)}


def split_images_and_masks(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Separate photographs and masks in one folder, all of which are pictures.

    A file is a mask if it is not a JPEG and a JPEG with the same stem exists; or if its stem has an ending or beginning
    of ``MASK`` and at least one file with that ending or beginning has a photograph.
    """
    kinds: dict[Hashable, set[bool]] = defaultdict(set)
    for path in files:
        kinds[path.parent, path.stem.casefold()].add(path.suffix.lower() in JPEGS)
    both = {key for key, found in kinds.items() if len(found) == 2}
    stems = {(path.parent, form.casefold()) for path in files for form in IMAGE.forms(path.stem)}
    words = Counter(word for path in files for word in mask_affixes(path, stems))
    masks = {
        path
        for path in files
        if (
            path.suffix.lower() not in JPEGS
            if (path.parent, path.stem.casefold()) in both
            else any(word in words for word in mask_affixes(path, None))
        )
    }
    return [path for path in files if path not in masks], [path for path in files if path in masks]


def mask_affixes(path: Path, stems: set[tuple[Path, str]] | None) -> list[str]:
    """The endings and beginnings that mark a file as a mask; with ``stems``, only those whose removal gives one."""
    found: list[str] = []
    for rule in MASK:
        if (word := rule.search(path.stem)) and (
            stems is None or (path.parent, rule.sub("", path.stem).casefold()) in stems
        ):
            found.append(f"{rule.pattern} {word[1].casefold()}")
    return found


def has_pairs(files: Sequence[Path], drawings: Sequence[Path]) -> bool:
    """Whether at least one photograph has a mask or a drawing in the same folder."""
    images, masks = split_images_and_masks(files)
    ours = {form.casefold() for path in images for form in IMAGE.forms(path.stem)}
    return any(form.casefold() in ours for path in (*masks, *drawings) for form in MASK.forms(path.stem))


class Exclusion(NamedTuple):
    """The files of ``--exclude``: by stem, name, or path from ``root`` with or without ending."""

    root: Path
    words: frozenset[str] = frozenset()

    def ways(self, path: Path) -> set[str]:
        """Every word of ``--exclude`` that would mean this file."""
        inside = path.relative_to(self.root)
        return set(map(NFC, (path.stem, path.name, inside.as_posix(), inside.with_suffix("").as_posix())))

    def has(self, path: Path) -> bool:
        return bool(self.words) and not self.words.isdisjoint(self.ways(path))

    def has_partner_of(self, mask: Path) -> bool:
        """Whether the photograph of a mask is excluded."""
        return not self.words.isdisjoint(MASK.forms(NFC(mask.stem)))
