"""Folds of all photographs of a data folder, each a data folder of its own (``retrain-best --folds K``).

Fold k has the k-th part of the places for its test split, the next part for validation, and all others for training. So
every photograph is tested once, by networks that have not seen its place.
"""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from src.atomic import link_or_copy, new_folder
from src.config.schema import SPLITS, Data
from src.data.cache import open_split
from src.data.pairs import Pair, find_pairs, manifest_groups
from src.errors import UserError
from src.folders import move_aside

FOLDER = "folds"
DESCRIBED = "folds.txt"
"""The file that says which photographs the folds in a folder are made of."""
HEADER = ("file", "split", "group")


class Photograph(NamedTuple):
    """A pair with its name in the folds."""

    name: str
    pair: Pair
    group: str
    has_crack: bool


def photographs_of(data: Data) -> list[Photograph]:
    """All pairs of a data folder, by name. A stem that occurs in two splits gets the split's name in front."""
    root = data.root
    found = [
        (split, pair, bool(cached.crack_rows(index).any()))
        for split in SPLITS
        for cached in [open_split(data, split)]
        for index, pair in enumerate(find_pairs(root, split))
    ]
    groups, stems = manifest_groups(root), Counter(pair.image.stem for _, pair, _ in found)
    names = [stem if stems[stem := pair.image.stem] == 1 else f"{split}_{stem}" for split, pair, _ in found]
    if len(set(names)) < len(names):
        raise UserError(f"{root}: photographs of different splits have names that only differ by 'SPLIT_': rename one.")
    photographs = [
        Photograph(name, pair, groups.get(f"{split}/{pair.image.stem}", name), has_crack)
        for name, (split, pair, has_crack) in zip(names, found, strict=True)
    ]
    return sorted(photographs, key=lambda one: one.name)


def parts_of(groups: Sequence[str], cracked: Container[str], count: int) -> dict[str, int]:
    """Map each group to a part from 0 to ``count - 1``, with photographs spread evenly.

    Groups with cracks come first, so that every part has one, then the largest; each goes to the part with the fewest
    photographs. Equal ones are in an order by their names' hashes, because names in order are often places in order.
    """
    sizes = Counter(groups)
    if count > (most := sum(group in cracked for group in sizes)):
        raise UserError(f"--folds={count}: there are {most} places, or groups, with a crack; at most so many folds.")
    filled, part_of = [0] * count, dict[str, int]()

    def order(group: str) -> tuple[bool, int, bytes]:
        return group not in cracked, -sizes[group], hashlib.sha256(group.encode()).digest()

    for group in sorted(sizes, key=order):
        part_of[group] = filled.index(min(filled))
        filled[part_of[group]] += sizes[group]
    return part_of


def split_in_fold(part: int, fold: int, count: int) -> str:
    """The split of a part in a fold."""
    return {fold: "test", (fold + 1) % count: "val"}.get(part, "train")


def assign(photographs: Sequence[Photograph], count: int) -> dict[str, int]:
    """The part of each group."""
    return parts_of([one.group for one in photographs], {one.group for one in photographs if one.has_crack}, count)


def describe_folds(photographs: Sequence[Photograph], count: int) -> str:
    """The number of folds and a hash of who is in which, for the identity of a race."""
    parts = assign(photographs, count)
    content = json.dumps([[one.name, parts[one.group]] for one in photographs])
    return f"{count}, {hashlib.sha256(content.encode()).hexdigest()[:12]}"


def make_folds(data: Data, count: int, out: Path) -> list[Path]:
    """The data folders of the folds in ``out``, from 1. Those of the same photographs in the same folds stay.

    Files are hard links to those of the data folder, or copies where the disk is another one.
    """
    folds = [out / str(number + 1) for number in range(count)]
    photographs = photographs_of(data)
    parts = assign(photographs, count)
    content = (
        f"{describe_folds(photographs, count)}, {', '.join(open_split(data, split).fingerprint for split in SPLITS)}"
    )
    if (out / DESCRIBED).is_file() and (out / DESCRIBED).read_text() == content:
        return folds
    if out.exists():
        move_aside(out)
    try:
        with new_folder(out) as partial:
            for number in range(count):
                write_fold(photographs, parts, number, partial / str(number + 1))
            (partial / DESCRIBED).write_text(content)
    except OSError as error:
        raise UserError(f"Cannot write {out}: {error.strerror}.") from error
    return folds


def write_fold(photographs: Sequence[Photograph], parts: Mapping[str, int], number: int, folder: Path) -> None:
    """One fold as a data folder with its manifest."""
    count = max(parts.values()) + 1
    for split in SPLITS:
        for kind in ("images", "masks"):
            (folder / split / kind).mkdir(parents=True)
    rows = [(one.name, split_in_fold(parts[one.group], number, count), one.group) for one in photographs]
    for (name, split, _), one in zip(rows, photographs, strict=True):
        for kind, path in (("images", one.pair.image), ("masks", one.pair.mask)):
            link_or_copy(path, folder / split / kind / f"{name}{path.suffix}")
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([HEADER, *rows])
