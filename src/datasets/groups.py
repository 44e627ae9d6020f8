"""Groups photographs of the same place, and splits a data set so that groups stay together."""

import csv
import hashlib
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from src.config.schema import SPLITS
from src.cores import available_cores
from src.data.depth import used_bits
from src.data.files import read_image
from src.data.pairs import manifest_groups
from src.datasets.duplicates import DuplicatePair, find_duplicates, grey_of, label_groups
from src.datasets.names import NFC
from src.datasets.notes import first_five
from src.datasets.photographs import Source
from src.errors import UserError, unknown
from src.folders import refuse_irregular

DELIMITERS = ",;\t"
"""Characters that may separate the columns of groups.csv."""


@dataclass(frozen=True)
class GroupingOptions:
    """The user's options for groups."""

    file: Path | None = None
    column: str | None = None
    pattern: str | None = None
    find: bool = False
    """Also compare pixels."""


def read_groups(path: Path, column: str | None) -> dict[str, str]:
    """Map each file's path, name or stem to its group, from the columns ``file`` and ``column`` (None: the last one).

    Prints the column. Lines with an empty group are skipped. An unreadable file, a missing or repeated column, and a
    file in two groups are a ``UserError``.
    """
    header, rows = read_table(path)
    column = column or next((name for name in reversed(header) if name not in ("file", "")), "")
    if "file" not in header or column not in header:
        raise unknown(f"column of {path}", column if "file" in header else "file", header)
    if twice := sorted(name for name, count in Counter(header).items() if name and count > 1):
        raise UserError(f"{path} has {header.count(twice[0])} columns named '{twice[0]}': rename or remove one.")
    print(f"Groups: column '{column}' of {path}.")
    groups: dict[str, str] = {}
    for row in rows:
        file, group = (str(row[name] or "").strip() for name in ("file", column))
        file = NFC(file.replace("\\", "/"))
        if group and groups.setdefault(file, group) != group:
            raise UserError(f"{path}: {file} is in two groups, '{groups[file]}' and '{group}'.")
    return groups


def read_table(path: Path) -> tuple[list[str], list[dict[str, str | None]]]:
    """The header and rows of a CSV separated by commas, semicolons or tabs, whichever the header uses."""
    refuse_irregular(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = stream.readlines()
        if lines and lines[0].lower().startswith("sep="):  # a line that spreadsheets write to name the separator
            del lines[0]
        reader = csv.DictReader(lines, skipinitialspace=True, delimiter=delimiter_of(lines[0] if lines else ""))
        reader.fieldnames = header = [name.strip() for name in reader.fieldnames or ()]
        return header, list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"Cannot read {path}: {error}.") from error


def delimiter_of(header: str) -> str:
    """The character that separates a header into columns, one of which is ``file``; without one, a comma."""
    for mark in DELIMITERS:
        columns = next(csv.reader([header], delimiter=mark, skipinitialspace=True), [])
        if len(columns) > 1 and "file" in (column.strip() for column in columns):
            return mark
    return next((mark for mark in DELIMITERS if mark in header), ",")


def choose_groups(
    sources: Mapping[str, Source], root: Path, options: GroupingOptions, joined_later: bool = False
) -> dict[str, str]:
    """Map each name to its group: by a pattern in its stem or path, or by a CSV (default: groups.csv in ``root``).

    With ``find``, photographs that the pixels link are joined too, unless they will be ``joined_later``. Without
    any of these each photograph is a group of its own, and a warning is printed. A column without a group file, images
    missing from the file or without the pattern, and what ``read_groups`` refuses, are a ``UserError``.
    """
    given = by_pattern(sources, root, options.pattern) if options.pattern else by_table(sources, root, options)
    if options.find and not joined_later:
        return by_pixels(sources, given)
    if given is None and not options.find:
        print(
            "Warning: no groups.csv, so every file is its own group; photographs of one place may leak between splits. "
            "Use --groups or --group-pattern, or --find-groups to find photographs that overlap or touch."
        )
    return given or {name: name for name in sources}


def by_table(sources: Mapping[str, Source], root: Path, options: GroupingOptions) -> dict[str, str] | None:
    """Map each name to its group by a CSV, or by the manifest of a data folder; None if there is neither.

    A line that matches two photographs of one name in different folders is a ``UserError``.
    """
    path = options.file or root / "groups.csv"
    if not options.file and not path.is_file():
        if options.column:
            raise UserError(f"--group-column {options.column} needs a group file: no --groups given and no {path}.")
        return by_manifest(sources, root)
    table = read_groups(path, options.column)
    lines = {
        name: next((way for way in possible_names(one, root) if way in table), "") for name, one in sources.items()
    }
    if missing := [relative_name(sources[name], root) for name, line in lines.items() if not line]:
        raise UserError(f"{path} gives no group for {first_five(missing)}.")
    named: dict[str, str] = {}
    for name, line in lines.items():
        if (other := named.setdefault(line, name)) != name:
            one, two = (relative_name(sources[each], root) for each in (other, name))
            raise UserError(f"{path}: {line} could be {one} or {two}: write the path in the column 'file'.")
    return {name: table[line] for name, line in lines.items()}


def by_manifest(sources: Mapping[str, Source], root: Path) -> dict[str, str] | None:
    """Map each name to its group where ``root`` is the output of src.prepare: tiles of one photograph stay together."""
    known = manifest_groups(root)
    if known:
        print(f"Groups: those of {root / 'manifest.csv'}.")
    return {name: known.get(f"{one.split}/{one.image.stem}", name) for name, one in sources.items()} if known else None


def relative_name(source: Source, root: Path) -> str:
    return source.image.relative_to(root).as_posix()


def possible_names(source: Source, root: Path) -> Iterator[str]:
    """The photograph's path from ``root``, then with fewer and fewer folders, each with and without its ending."""
    inside = Path(NFC(relative_name(source, root)))
    for first in range(len(inside.parts)):
        way = Path(*inside.parts[first:])
        yield from (way.as_posix(), way.with_suffix("").as_posix())


def by_pixels(sources: Mapping[str, Source], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Join photographs that show the same place (``duplicates``), and the ``given`` groups that they belong to.

    Prints how many were found. A group has the alphabetically first name of those that it joins: of the given groups,
    or else of the photographs. So it keeps its name unless that one is excluded.
    """
    names = list(sources)
    bits = used_bits(one.image for one in sources.values())
    with ThreadPoolExecutor(available_cores()) as pool:  # each holds a photograph
        greys = list(pool.map(lambda one: grey_of(read_image(one.image, bits)), sources.values()))
    pairs = find_duplicates(greys)
    own = [given[name] for name in names] if given else names
    labels = label_groups(
        [*pairs, *(DuplicatePair(own.index(group), index, "given") for index, group in enumerate(own))], len(own)
    )
    first = {label: min(group for group, its in zip(own, labels, strict=True) if its == label) for label in set(labels)}
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(Counter(pair.reason for pair in pairs).items()))
    print(
        f"Groups: {len(pairs)} pairs of photographs show one place ({reasons or 'none'}), "
        f"which makes {len(first)} groups of {len(names)}."
    )
    return {name: first[label] for name, label in zip(names, labels, strict=True)}


def by_pattern(sources: Mapping[str, Source], root: Path, pattern: str) -> dict[str, str]:
    """The match of the pattern, or of its first bracket, in each stem; of a pattern with a /, in each path."""
    try:
        rule = re.compile(pattern)
    except re.error as error:
        raise UserError(f"--group-pattern {pattern}: not a regular expression: {error}.") from error
    paths = {name: one.image.relative_to(root).with_suffix("") for name, one in sources.items()}
    found = {name: rule.search(path.as_posix() if "/" in pattern else path.name) for name, path in paths.items()}
    part = 1 if rule.groups else 0
    if missing := [
        relative_name(sources[name], root) for name, match in found.items() if match is None or match[part] is None
    ]:
        raise UserError(f"--group-pattern {pattern} does not match {first_five(missing)}.")
    return {name: match[part] for name, match in found.items() if match}


def choose_splits(
    sources: Mapping[str, Source], groups: Mapping[str, str], shares: Sequence[float], seed: int, anew: bool
) -> dict[str, str]:
    """Map each name to its split: the data set's own, or new ones of whole groups if it has none or with ``anew``.

    A split that it lacks is taken from its training split. Groups that are in several of its splits are printed.
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
            f"Warning: {len(leaks)} groups are in several of the data set's own splits, {first_five(leaks)}: scores on "
            "them will be too good. --resplit makes new splits."
        )
    return own


def split_groups(groups: Mapping[str, str], shares: Sequence[float], seed: int) -> dict[str, str]:
    """Map each file to 'train', 'val' or 'test': whole groups, with file counts near the three ``shares``.

    The groups are put in a row, in an order that depends only on their names and the seed, and the row is cut in three.
    So removing a file hardly moves other files: at each of the two cuts at most one group changes to the neighbouring
    split. The exceptions are a group that thereby passes the size of the smallest share (larger groups come first, in
    the largest split), and so few groups that a split would be empty.

    The order of ``groups`` does not matter. If each share is at least as large as the largest group, no count misses
    its share by more than that group. Shares that do not sum to 1 (+-1e-6), and fewer groups than shares above 0, are a
    ``UserError``.
    """
    if len(shares) != len(SPLITS) or min(shares) < 0 or not abs(sum(shares) - 1) <= 1e-6:
        raise UserError(f"--split must be three shares of at least 0 with sum 1; got {shares}, sum {sum(shares):g}.")
    sizes = Counter(groups.values())
    wanted = [(share * len(groups), split) for split, share in zip(SPLITS, shares, strict=True) if share > 0]
    if len(sizes) < len(wanted):
        raise UserError(f"{len(sizes)} groups cannot fill {len(wanted)} splits: set a share of --split to 0.")
    wanted.sort(key=lambda one: -one[0])
    smallest = wanted[-1][0]
    row = sorted(sizes, key=lambda group: (sizes[group] <= smallest, draw(seed, group), group))
    middles = list(accumulate(sizes[group] for group in row))
    middles = [end - sizes[group] / 2 for end, group in zip(middles, row, strict=True)]
    split_of: dict[str, str] = {}
    begin, filled = 0, 0.0
    for later, (target, split) in zip(reversed(range(len(wanted))), wanted, strict=True):
        filled += target
        end = bisect_left(middles, filled) if later else len(row)
        end = min(max(end, begin + 1), len(row) - later)  # each split has a group
        split_of |= dict.fromkeys(row[begin:end], split)
        begin = end
    return {file: split_of[groups[file]] for file in sorted(groups)}


def draw(seed: int, group: str) -> bytes:
    """The sort key of a group, independent of the other groups."""
    return hashlib.sha256(f"{seed} {group}".encode()).digest()
