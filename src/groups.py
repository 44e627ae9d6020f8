"""Which files show the same place, and splits that keep those together."""

import csv
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from src.cores import available_cores
from src.data.files import read_image
from src.errors import UserError, unknown
from src.folders import refuse_irregular
from src.leaks import find_kin, grey_of, groups_of_kin
from src.notes import first_five
from src.photographs import Source
from src.schema import SPLITS


@dataclass(frozen=True)
class Grouping:
    """How the user says what belongs together."""

    file: Path | None = None
    column: str | None = None
    pattern: str | None = None
    find: bool = False
    """By the pixels."""


def read_groups(path: Path, column: str | None) -> dict[str, str]:
    """File name or stem to group, from the columns ``file`` and ``column`` (None: the last one); prints which.

    ``UserError``: unreadable, no such column, one file in two groups. Lines with an empty group are left out.
    """
    refuse_irregular(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            header, rows = list(reader.fieldnames or ()), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"Cannot read {path}: {error}.") from error
    column = column or next((name for name in reversed(header) if name != "file"), "")
    if "file" not in header or column not in header:
        raise unknown(f"column of {path}", column if "file" in header else "file", header)
    print(f"Groups: column '{column}' of {path}.")
    groups: dict[str, str] = {}
    for row in rows:
        file, group = (str(row[name] or "").strip() for name in ("file", column))
        if group and groups.setdefault(file, group) != group:
            raise UserError(f"{path}: {file} is in two groups, '{groups[file]}' and '{group}'.")
    return groups


def choose_groups(sources: Mapping[str, Source], root: Path, asked: Grouping) -> dict[str, str]:
    """Name to group: by a pattern in its stem, by the pixels, by a CSV, by groups.csv in ``root``, else alone.

    That is printed as a warning.

    ``UserError``: a column without a group file, images missing from the file or without the pattern, and what
    ``read_groups`` raises.
    """
    if asked.pattern:
        return by_pattern(sources, asked.pattern)
    if asked.find:
        return by_pixels(sources)
    path = asked.file or root / "groups.csv"
    if not asked.file and not path.is_file():
        if asked.column:
            raise UserError(f"--group-column {asked.column} needs a group file: no --groups given and no {path}.")
        print(
            "Warning: no groups.csv, so every file is its own group; photographs of one place may leak between splits. "
            "Say --groups or --group-pattern, or let --find-groups look for those that overlap or touch."
        )
        return {name: name for name in sources}
    table = read_groups(path, asked.column)
    groups = {name: table.get(one.image.name) or table.get(one.image.stem, "") for name, one in sources.items()}
    if missing := [sources[name].image.name for name, group in groups.items() if not group]:
        raise UserError(f"{path} gives no group for {first_five(missing)}.")
    return groups


def by_pixels(sources: Mapping[str, Source]) -> dict[str, str]:
    """Those that show the same place (``src.leaks``) are a group, named for the first of them; prints how many."""
    names = list(sources)
    with ThreadPoolExecutor(available_cores()) as pool:  # each holds a photograph
        greys = list(pool.map(lambda one: grey_of(read_image(one.image)), sources.values()))
    kin = find_kin(greys)
    labels = groups_of_kin(kin, len(names))
    count = len(set(labels))
    print(f"Groups: {len(kin)} pairs of photographs overlap or touch, which makes {count} groups of {len(names)}.")
    return {name: names[labels.index(label)] for name, label in zip(names, labels, strict=True)}


def by_pattern(sources: Mapping[str, Source], pattern: str) -> dict[str, str]:
    """What the pattern, or its first bracket, matches in each stem."""
    try:
        rule = re.compile(pattern)
    except re.error as error:
        raise UserError(f"--group-pattern {pattern}: no regular expression: {error}.") from error
    found = {name: rule.search(one.image.stem) for name, one in sources.items()}
    part = 1 if rule.groups else 0
    if missing := [sources[name].image.name for name, match in found.items() if match is None or match[part] is None]:
        raise UserError(f"--group-pattern {pattern} is not in {first_five(missing)}.")
    return {name: match[part] for name, match in found.items() if match}


def choose_splits(
    sources: Mapping[str, Source], groups: Mapping[str, str], shares: Sequence[float], seed: int, anew: bool
) -> dict[str, str]:
    """Name to split: the data set's own, unless it has none or they are made ``anew``; whole groups otherwise.

    A split that it lacks is taken from its training split. Groups that lie in several of its splits are printed.
    """
    if anew or not any(one.split for one in sources.values()):
        return split_groups(groups, shares, seed)
    own = {name: one.split for name, one in sources.items()}
    lacking = [split for split, share in zip(SPLITS, shares, strict=True) if share > 0 and split not in own.values()]
    if lacking and "train" in own.values():
        print(f"The data set has no {' and no '.join(lacking)} split: taken from its training split, by group.")
        wanted = [share if split in ("train", *lacking) else 0.0 for split, share in zip(SPLITS, shares, strict=True)]
        train = {name: group for name, group in groups.items() if own[name] == "train"}
        own |= split_groups(train, [share / sum(wanted) for share in wanted], seed)
    several = {group: {own[name] for name in own if groups[name] == group} for group in set(groups.values())}
    if leaks := sorted(group for group, splits in several.items() if len(splits) > 1):
        print(
            f"Warning: {len(leaks)} groups lie in several of the data set's own splits, {first_five(leaks)}: scores on "
            "them will be too good. --resplit makes splits anew."
        )
    return own


def split_groups(groups: Mapping[str, str], shares: Sequence[float], seed: int) -> dict[str, str]:
    """File to 'train', 'val' or 'test' for file to group: whole groups, file counts near the three ``shares``.

    The order of ``groups`` does not matter. Where each share is worth the largest group or more, every count misses its
    share by less than that group. ``UserError``: shares not summing to 1 (+-1e-6), fewer groups than shares above 0.
    """
    if len(shares) != len(SPLITS) or min(shares) < 0 or not abs(sum(shares) - 1) <= 1e-6:
        raise UserError(f"--split must be three shares of at least 0 with sum 1; got {shares}, sum {sum(shares):g}.")
    sizes = Counter(groups.values())
    targets = {split: share * len(groups) for split, share in zip(SPLITS, shares, strict=True) if share > 0}
    if len(sizes) < len(targets):
        raise UserError(f"{len(sizes)} groups cannot fill {len(targets)} splits: set a share of --split to 0.")
    shuffler, order = random.Random(seed), sorted(sizes)
    tries = min(100, 1 + 20_000 // len(order))  # one shuffle of few, large groups can end far off, the nearest rarely
    fills = (_fill(shuffler.sample(order, len(order)), sizes, targets) for _ in range(tries))
    _, split_of = min(fills, key=lambda fill: fill[0])
    return {file: split_of[groups[file]] for file in sorted(groups)}


def _fill(order: Sequence[str], sizes: Mapping[str, int], targets: Mapping[str, float]) -> tuple[float, dict[str, str]]:
    """Each group in turn to the split that lacks most; returns the largest miss in files, and group to split."""
    lacks, empty, placed = dict(targets), set(targets), dict[str, str]()
    for group in order:
        last = len(order) - len(placed) <= len(empty)  # keep the last groups for the splits that have none
        split = max((name for name in targets if not last or name in empty), key=lacks.__getitem__)
        placed[group] = split
        lacks[split] -= sizes[group]
        empty.discard(split)
    return max(map(abs, lacks.values())), placed
