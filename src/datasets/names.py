"""Which mask belongs to which photograph, by the names of their files.

The stems are equal, or one of them, or both, have an ending or a beginning that says what the file is, as in
``1_sat.jpg`` and ``1_mask.png``; or they differ by upper and lower case. Files in folders below belong together if
those folders have the same names, too. What could mean two things is refused.
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
"""An accent may be stored in two ways that look the same; macOS has another one than the rest."""
Forms = Callable[[str], tuple[str, str, str]]


class Side(NamedTuple):
    """How files of one kind may be named: what can be taken off the end of a stem, and off its beginning."""

    ending: re.Pattern[str]
    beginning: re.Pattern[str]

    def forms(self, stem: str) -> tuple[str, str, str]:
        """The stem as it is, without its ending, and without its beginning."""
        return stem, self.ending.sub("", stem), self.beginning.sub("", stem)


IMAGE = Side(
    re.compile(rf"[_. -]({IMAGE_WORDS})$", re.IGNORECASE), re.compile(rf"^({IMAGE_WORDS})[_. -]", re.IGNORECASE)
)
MASK = Side(
    re.compile(rf"[_. -]({MASK_WORDS}|crack)$", re.IGNORECASE), re.compile(rf"^({MASK_WORDS})[_. -]", re.IGNORECASE)
)
WAYS = ((0, 0), (0, 1), (0, 2), (1, 1), (2, 2), (1, 0), (2, 0), (1, 2), (2, 1))
"""Which forms of a photograph's stem and of a mask's are compared, in turn."""


class Named(NamedTuple):
    """A file, and the folder that it lies in, from where its kind of files begins."""

    path: Path
    folder: str

    @property
    def stem(self) -> str:
        return NFC(self.path.stem)


def named(paths: Iterable[Path], home: Path) -> list[Named]:
    return [Named(path, path.parent.relative_to(home).as_posix()) for path in paths]


def match(images: Sequence[Named], masks: Sequence[Named]) -> tuple[dict[Path, Path], list[tuple[Path, Path]]]:
    """Photograph to mask, and those pairs whose names are not equal. What could mean two things: ``UserError``.

    Equal names come first; of the files that are left over then, those whose names differ least. Where all files of one
    kind lie in one folder, those of the other may lie in any.
    """
    flat = len({one.folder for one in images}) == 1 or len({one.folder for one in masks}) == 1
    pairs: dict[Path, Path] = {}
    taken: set[Path] = set()
    renamed: list[tuple[Path, Path]] = []
    for without_folder, fold, way in product((False, True) if flat else (False,), (False, True), WAYS):
        ours = keyed(images, IMAGE.forms, way[0], (without_folder, fold), pairs)
        theirs = keyed(masks, MASK.forms, way[1], (without_folder, fold), taken)
        found = {only(ours[key]): only(theirs[key]) for key in sorted(ours.keys() & theirs.keys())}
        pairs |= found
        taken.update(found.values())
        renamed += found.items() if fold or way != WAYS[0] else ()
    refuse_rivals(images, masks, pairs)
    return pairs, renamed


def keyed(
    files: Iterable[Named], forms: Forms, form: int, how: tuple[bool, bool], taken: Container[Path]
) -> dict[tuple[str, str], list[Path]]:
    """Folder and stem, in one of its forms, to the files that have it; of files that are not ``taken``.

    ``how``: whether the folder does not matter, and whether upper and lower case do not.
    """
    found: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for one in files:
        if one.path not in taken:
            key = "" if how[0] else one.folder, forms(one.stem)[form]
            found[(key[0].casefold(), key[1].casefold()) if how[1] else key].append(one.path)
    return found


def only(paths: Sequence[Path]) -> Path:
    if len(paths) > 1:
        one, other = sorted(paths)[:2]
        same = "have the same stem" if one.stem == other.stem else "have the same name but for what they are"
        raise UserError(f"{one} and {other} {same}: rename one of them, or leave it out by --exclude {other.name}.")
    return paths[0]


def refuse_rivals(images: Sequence[Named], masks: Sequence[Named], pairs: Mapping[Path, Path]) -> None:
    """A file that is left over, and could as well be the partner of one that has a partner, is a ``UserError``."""
    back = {mask: image for image, mask in pairs.items()}
    for ours, side, theirs, other, partner in ((images, IMAGE, masks, MASK, back), (masks, MASK, images, IMAGE, pairs)):
        held = {key: one.path for one in theirs if one.path in partner for key in keys_of(one, other)}  # any will do
        mine = set(partner.values())
        for one in ours:
            if one.path not in mine and (keys := keys_of(one, side) & held.keys()):
                rival = held[min(keys)]
                raise UserError(
                    f"{one.path} and {partner[rival]} could both belong to {rival}: which does? Leave the other one "
                    "out by --exclude, with its ending."
                )


def partners(images: Iterable[Named], masks: Iterable[Named]) -> set[Path]:
    """The masks, or drawings, that could belong to one of some photographs."""
    keys = {key for one in images for key in keys_of(one, IMAGE)}
    return {one.path for one in masks if keys_of(one, MASK) & keys}


def keys_of(one: Named, side: Side) -> set[tuple[str, str]]:
    return {(one.folder.casefold(), form.casefold()) for form in side.forms(one.stem)}


def apart(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Photographs and masks that lie side by side, all of them pictures.

    A mask has a photograph's stem, where that is a JPEG and it is none; or an ending or beginning of ``MASK``, where
    there is a photograph for at least one file with that.
    """
    kinds: dict[Hashable, set[bool]] = defaultdict(set)
    for path in files:
        kinds[path.parent, path.stem.casefold()].add(path.suffix.lower() in JPEGS)
    both = {key for key, found in kinds.items() if len(found) == 2}
    stems = {(path.parent, form.casefold()) for path in files for form in IMAGE.forms(path.stem)}
    words = Counter(word for path in files for word in mask_words(path, stems))
    masks = {
        path
        for path in files
        if (
            path.suffix.lower() not in JPEGS
            if (path.parent, path.stem.casefold()) in both
            else any(word in words for word in mask_words(path, None))
        )
    }
    return [path for path in files if path not in masks], [path for path in files if path in masks]


def mask_words(path: Path, stems: set[tuple[Path, str]] | None) -> list[str]:
    """The ending and the beginning that make a file a mask; where ``stems`` are given, only if one is left then."""
    found: list[str] = []
    for rule in MASK:
        if (word := rule.search(path.stem)) and (
            stems is None or (path.parent, rule.sub("", path.stem).casefold()) in stems
        ):
            found.append(f"{rule.pattern} {word[1].casefold()}")
    return found


def may_pair(files: Sequence[Path], drawings: Sequence[Path]) -> bool:
    """Whether at least one photograph in a folder has a mask or a drawing beside it."""
    images, masks = apart(files)
    ours = {form.casefold() for path in images for form in IMAGE.forms(path.stem)}
    return any(form.casefold() in ours for path in (*masks, *drawings) for form in MASK.forms(path.stem))


class Exclusion(NamedTuple):
    """The files that a user leaves out, by stem, by name, or by path from ``root`` with or without ending."""

    root: Path
    words: frozenset[str] = frozenset()

    def ways(self, path: Path) -> set[str]:
        """All that a file may be called."""
        inside = path.relative_to(self.root)
        return set(map(NFC, (path.stem, path.name, inside.as_posix(), inside.with_suffix("").as_posix())))

    def has(self, path: Path) -> bool:
        return bool(self.words) and not self.words.isdisjoint(self.ways(path))

    def has_partner_of(self, mask: Path) -> bool:
        """Whether the photograph of a mask is left out."""
        return not self.words.isdisjoint(MASK.forms(NFC(mask.stem)))
