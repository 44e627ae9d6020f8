"""Folds of all photographs of a data folder, each a data folder of its own (``retrain-best --folds K``).

Fold k has the k-th part of the places for its test split, the next part for validation, and all others for training. So
every photograph is tested once, by networks that have not seen its place.
"""

import csv
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from src.atomic import new_folder
from src.config.schema import SPLITS
from src.data.pairs import Pair, find_pairs, manifest_groups
from src.errors import UserError
from src.folders import move_aside

FOLDER = "folds"
HEADER = ("file", "split", "group")


class Photograph(NamedTuple):
    """A pair with its name in the folds."""

    name: str
    pair: Pair
    group: str


def photographs_of(root: Path) -> list[Photograph]:
    """All pairs of a data folder, by name. A stem that occurs in two splits gets the split's name in front."""
    found = [(split, pair) for split in SPLITS for pair in find_pairs(root, split)]
    groups, stems = manifest_groups(root), Counter(pair.image.stem for _, pair in found)
    names = [pair.image.stem if stems[pair.image.stem] == 1 else f"{split}_{pair.image.stem}" for split, pair in found]
    if len(set(names)) < len(names):
        raise UserError(f"{root}: photographs of different splits have names that only differ by 'SPLIT_': rename one.")
    photographs = [
        Photograph(name, pair, groups.get(f"{split}/{pair.image.stem}", name))
        for name, (split, pair) in zip(names, found, strict=True)
    ]
    return sorted(photographs, key=lambda one: one.name)


def parts_of(groups: Sequence[str], count: int) -> dict[str, int]:
    """Map each group to a part from 0 to ``count - 1``, with photographs spread evenly.

    The largest group goes first, each to the part with the fewest photographs; equal ones in an order by their names'
    hashes, because names in order are often places in order.
    """
    sizes = Counter(groups)
    if count > len(sizes):
        raise UserError(
            f"--folds={count}: the photographs are of {len(sizes)} places or groups; at most so many folds."
        )
    filled, part_of = [0] * count, dict[str, int]()
    for group in sorted(sizes, key=lambda name: (-sizes[name], hashlib.sha256(name.encode()).digest())):
        part_of[group] = filled.index(min(filled))
        filled[part_of[group]] += sizes[group]
    return part_of


def split_in_fold(part: int, fold: int, count: int) -> str:
    """The split of a part in a fold."""
    return {fold: "test", (fold + 1) % count: "val"}.get(part, "train")


def describe_folds(root: Path, count: int) -> str:
    """The number of folds and a hash of who is in which, for the identity of a race."""
    photographs = photographs_of(root)
    parts = parts_of([one.group for one in photographs], count)
    content = json.dumps([[one.name, parts[one.group]] for one in photographs])
    return f"{count}, {hashlib.sha256(content.encode()).hexdigest()[:12]}"


def make_folds(root: Path, count: int, out: Path) -> list[Path]:
    """The data folders of the folds in ``out``, from 1; what is there stays, because it is part of the race's identity.

    Files are hard links to those of ``root``, or copies where the disk is another one.
    """
    folds = [out / str(number + 1) for number in range(count)]
    if all(fold.is_dir() for fold in folds):
        return folds
    if out.exists():
        move_aside(out)
    photographs = photographs_of(root)
    parts = parts_of([one.group for one in photographs], count)
    try:
        with new_folder(out) as partial:
            for number in range(count):
                write_fold(photographs, parts, number, partial / str(number + 1))
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


def link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
