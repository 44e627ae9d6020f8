"""Which files show the same place, and splits that keep those together."""

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
from src.datasets.duplicates import Kin, find_kin, grey_of, groups_of_kin
from src.datasets.names import NFC
from src.datasets.notes import first_five
from src.datasets.photographs import Source
from src.errors import UserError, unknown
from src.folders import refuse_irregular

DIVIDERS = ",;\t"
"""What may divide the columns of groups.csv."""


@dataclass(frozen=True)
class Grouping:
    """How the user says what belongs together."""

    file: Path | None = None
    column: str | None = None
    pattern: str | None = None
    find: bool = False
    """By the pixels too."""


def read_groups(path: Path, column: str | None) -> dict[str, str]:
    """File's path, name or stem to group, from the columns ``file`` and ``column`` (None: the last one); prints which.

    ``UserError``: unreadable, no such column, a column twice, one file in two groups. Lines with an empty group are
    left out.
    """
    header, rows = read_table(path)
    column = column or next((name for name in reversed(header) if name not in ("file", "")), "")
    if "file" not in header or column not in header:
        raise unknown(f"column of {path}", column if "file" in header else "file", header)
    if twice := sorted(name for name, count in Counter(header).items() if name and count > 1):
        raise UserError(f"{path} has the column '{twice[0]}' {header.count(twice[0])} times: rename or remove one.")
    print(f"Groups: column '{column}' of {path}.")
    groups: dict[str, str] = {}
    for row in rows:
        file, group = (str(row[name] or "").strip() for name in ("file", column))
        file = NFC(file.replace("\\", "/"))
        if group and groups.setdefault(file, group) != group:
            raise UserError(f"{path}: {file} is in two groups, '{groups[file]}' and '{group}'.")
    return groups


def read_table(path: Path) -> tuple[list[str], list[dict[str, str | None]]]:
    """The header and the lines of a CSV that is divided by commas, semicolons or tabs: the header tells by which."""
    refuse_irregular(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = stream.readlines()
        if lines and lines[0].lower().startswith("sep="):  # a spreadsheet's own line, which names what divides
            del lines[0]
        reader = csv.DictReader(lines, skipinitialspace=True, delimiter=divider(lines[0] if lines else ""))
        reader.fieldnames = header = [name.strip() for name in reader.fieldnames or ()]
        return header, list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"Cannot read {path}: {error}.") from error


def divider(header: str) -> str:
    """What divides a header into columns of which one is ``file``; a comma if nothing does."""
    for mark in DIVIDERS:
        columns = next(csv.reader([header], delimiter=mark, skipinitialspace=True), [])
        if len(columns) > 1 and "file" in (column.strip() for column in columns):
            return mark
    return next((mark for mark in DIVIDERS if mark in header), ",")


def choose_groups(sources: Mapping[str, Source], root: Path, asked: Grouping) -> dict[str, str]:
    """Name to group: by a pattern in its stem or path, or by a CSV (default: groups.csv in ``root``), and by the
    pixels, if that is asked for: what the one or the other puts together is one group. Without any of them each is
    alone, which is printed as a warning.

    ``UserError``: a column without a group file, images missing from the file or without the pattern, and what
    ``read_groups`` raises.
    """
    said = by_pattern(sources, root, asked.pattern) if asked.pattern else by_table(sources, root, asked)
    if asked.find:
        return by_pixels(sources, said)
    if said is None:
        print(
            "Warning: no groups.csv, so every file is its own group; photographs of one place may leak between splits. "
            "Say --groups or --group-pattern, or let --find-groups look for those that overlap or touch."
        )
    return said or {name: name for name in sources}


def by_table(sources: Mapping[str, Source], root: Path, asked: Grouping) -> dict[str, str] | None:
    """Name to group by a CSV, or by the manifest of a data folder; None if there is none and none is asked for.

    A line that names two photographs of one name in different folders is a ``UserError``.
    """
    path = asked.file or root / "groups.csv"
    if not asked.file and not path.is_file():
        if asked.column:
            raise UserError(f"--group-column {asked.column} needs a group file: no --groups given and no {path}.")
        return by_manifest(sources, root)
    table = read_groups(path, asked.column)
    lines = {name: next((way for way in ways_to_name(one, root) if way in table), "") for name, one in sources.items()}
    if missing := [said_of(sources[name], root) for name, line in lines.items() if not line]:
        raise UserError(f"{path} gives no group for {first_five(missing)}.")
    named: dict[str, str] = {}
    for name, line in lines.items():
        if (other := named.setdefault(line, name)) != name:
            one, two = (said_of(sources[each], root) for each in (other, name))
            raise UserError(f"{path}: {line} could be {one} or {two}: write their paths in the column 'file'.")
    return {name: table[line] for name, line in lines.items()}


def by_manifest(sources: Mapping[str, Source], root: Path) -> dict[str, str] | None:
    """Name to group, where ``root`` is what src.prepare has written: tiles of one photograph stay together."""
    known = manifest_groups(root)
    if known:
        print(f"Groups: those of {root / 'manifest.csv'}.")
    return {name: known.get(f"{one.split}/{one.image.stem}", name) for name, one in sources.items()} if known else None


def said_of(source: Source, root: Path) -> str:
    return source.image.relative_to(root).as_posix()


def ways_to_name(source: Source, root: Path) -> Iterator[str]:
    """The photograph's path from ``root``, then ever less of its folders, each with and without its ending."""
    inside = Path(NFC(said_of(source, root)))
    for first in range(len(inside.parts)):
        way = Path(*inside.parts[first:])
        yield from (way.as_posix(), way.with_suffix("").as_posix())


def by_pixels(sources: Mapping[str, Source], said: Mapping[str, str] | None = None) -> dict[str, str]:
    """Those that show the same place (``duplicates``) are a group, with all that are ``said`` to belong to them; prints
    how many.

    A group is named for the first, by name, of what it joins: groups that are said, or else photographs. So it keeps
    its name unless that one is left out.
    """
    names = list(sources)
    bits = used_bits(one.image for one in sources.values())
    with ThreadPoolExecutor(available_cores()) as pool:  # each holds a photograph
        greys = list(pool.map(lambda one: grey_of(read_image(one.image, bits)), sources.values()))
    kin = find_kin(greys)
    own = [said[name] for name in names] if said else names
    labels = groups_of_kin([*kin, *(Kin(own.index(group), index, "said") for index, group in enumerate(own))], len(own))
    first = {label: min(group for group, its in zip(own, labels, strict=True) if its == label) for label in set(labels)}
    whys = ", ".join(f"{count} {why}" for why, count in sorted(Counter(pair.why for pair in kin).items()))
    print(
        f"Groups: {len(kin)} pairs of photographs show one place ({whys or 'none'}), "
        f"which makes {len(first)} groups of {len(names)}."
    )
    return {name: first[label] for name, label in zip(names, labels, strict=True)}


def by_pattern(sources: Mapping[str, Source], root: Path, pattern: str) -> dict[str, str]:
    """What the pattern, or its first bracket, matches in each stem; one with a / in each path from ``root``."""
    try:
        rule = re.compile(pattern)
    except re.error as error:
        raise UserError(f"--group-pattern {pattern}: no regular expression: {error}.") from error
    paths = {name: one.image.relative_to(root).with_suffix("") for name, one in sources.items()}
    found = {name: rule.search(path.as_posix() if "/" in pattern else path.name) for name, path in paths.items()}
    part = 1 if rule.groups else 0
    if missing := [
        said_of(sources[name], root) for name, match in found.items() if match is None or match[part] is None
    ]:
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

    Each group's place in a row is drawn from its name and the seed alone, and the row is cut in three. So a file that
    is left out moves the cuts by less than itself, and hardly any other file: at each of the two cuts one group at
    most goes to the neighbouring split, unless a group grows or shrinks past the smallest share by it (those that are
    larger stand first, in the largest split), or there are so few groups that a split would be empty.

    The order of ``groups`` does not matter. Where each share is worth the largest group or more, no count misses its
    share by more than that group. ``UserError``: shares not summing to 1 (+-1e-6), fewer groups than shares above 0.
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
    """A group's place in the row, whatever other groups there are."""
    return hashlib.sha256(f"{seed} {group}".encode()).digest()
