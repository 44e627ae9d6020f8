"""Check a data set before training on it: ``python -m src.check DATA_ROOT``.

DATA_ROOT holds {train,val,test}/{images,masks}. Problems would spoil a result (exit code 2): files that are unreadable
or unpaired, the same place in two splits, masks that are almost full or look inverted, constant images. Warnings may be
intended: masks without crack, unusual shares of crack, masks that do not seem to fit their photograph.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from src.config.schema import SPLITS, Data
from src.cores import available_cores
from src.data.cache import open_split
from src.data.depth import used_bits
from src.data.files import UInt8Array, count_more_pages
from src.data.masks import MaskInfo, UserRule, choose_mask_rule, inspect_mask
from src.data.pairs import Pair, manifest_groups, scan_pairs
from src.data.reading import Reading
from src.datasets.copies import copies
from src.datasets.duplicates import find_duplicates, grey_of
from src.datasets.mask_alignment import alignment_score
from src.errors import Parser, UserError, run_command
from src.folders import in_full, user_path

FULL = 0.5
"""Share of crack from which a mask is almost full or inverted."""
FLAT = 2.0
"""Standard deviation in grey levels below which an image is constant."""
UNUSUAL = 3.5
"""Robust standard deviations (1.4826 times the median deviation) from which the log of a share is unusual."""
UNFIT = 2.0
"""Score of ``src.datasets.mask_alignment`` below which a mask may belong to another photograph."""
BRIGHT = -3.0
"""Score below which a mask fits again: cracks that are sealed or full of light sand are brighter than their
surroundings."""
SMALL = 64
"""Pixels of the longer side for ``quick_problems``."""
SHOWN = 8
"""Names that are printed for each kind of problem."""
IN_TWO = "pairs of photographs of the same place in two splits"
SAME_IN_TWO = "pairs of copies in two splits"
GROUPS_IN_TWO = "groups in several splits"
CURE = (
    "`python -m src.prepare SOURCE --out NEW --find-groups` keeps each place in one split (with --resplit if SOURCE "
    "has splits of its own)"
)
CURES: dict[str, str] = dict.fromkeys((IN_TWO, SAME_IN_TWO, GROUPS_IN_TWO), f"; {CURE}")


@dataclass
class Findings:
    """Problems and warnings: the kind, and the names of the photographs or files."""

    problems: dict[str, list[str]] = field(default_factory=lambda: defaultdict[str, list[str]](list))
    warnings: dict[str, list[str]] = field(default_factory=lambda: defaultdict[str, list[str]](list))

    def lines(self, most: int = SHOWN) -> Iterator[str]:
        """One line per kind, problems first."""
        for kind, found in (("problem", self.problems), ("warning", self.warnings)):
            for what, names in found.items():
                more = f" and {len(names) - most} more (--all)" if len(names) > most else ""
                yield f"{kind}: {len(names)} {what}: {', '.join(names[:most])}{more}{CURES.get(what, '')}"


@dataclass(frozen=True)
class PairStats:
    """Facts about one pair, collected when it is read."""

    name: str
    split: str
    picture: UInt8Array
    """Small, in grey."""
    share: float
    """Share of crack, 0..1."""
    contrast: float
    alignment: float


def check(root: Path) -> tuple[Findings, list[PairStats]]:
    """Read all files once and return the findings, with the facts about each pair."""
    if not root.is_dir():
        raise UserError(f"No such folder: {in_full(root)}.")
    found = Findings()
    pairs: list[tuple[str, Pair]] = []
    for split in SPLITS:
        try:
            there, problems = scan_pairs(root, split)
        except UserError as error:
            there, problems = [], [str(error)]
        pairs += [(split, pair) for pair in there]
        if problems:
            found.problems["missing folders or unpaired files"] += problems
    reading = check_files([pair for _, pair in pairs], found)
    stats: list[PairStats] = []
    with ThreadPoolExecutor(available_cores()) as pool:  # each holds a photograph
        for result in pool.map(lambda one: read_stats(one[0], one[1], reading), pairs):
            if isinstance(result, PairStats):
                stats.append(result)
            else:
                found.problems["pairs that cannot be used"].append(result)
    check_masks(stats, found)
    check_alignment(stats, found)
    check_splits(stats, manifest_groups(root), found)
    return found, stats


def check_files(pairs: Sequence[Pair], found: Findings) -> Reading:
    """Check the rules for all files together; unreadable masks are reported by ``read_stats``."""
    with ThreadPoolExecutor(available_cores()) as pool:
        infos = [one for one in pool.map(lambda pair: inspect_or_none(pair.mask), pairs) if one and not one.refusal]
        pages = list(pool.map(lambda path: (path, count_more_pages(path)), [path for pair in pairs for path in pair]))
    try:
        choose_mask_rule(infos, UserRule())
    except UserError as error:
        found.problems["masks that disagree on the value of crack"].append(str(error))
    bits = used_bits(pair.image for pair in pairs)
    if bits and bits < 16:
        found.warnings["data set of 16-bit photographs with fewer bits"].append(
            f"they use {bits} bits: add data.bits={bits} when you train, search or predict"
        )
    for path, count in pages:
        if count:
            found.warnings["files with more pages or frames, of which only the first is read"].append(f"{path} {count}")
    return Reading(bits=bits)


def inspect_or_none(mask: Path) -> MaskInfo | None:
    try:
        return inspect_mask(mask, UserRule())
    except UserError:
        return None


def read_stats(split: str, pair: Pair, reading: Reading) -> PairStats | str:
    """Read one pair; returns the error sentence if that fails."""
    try:
        image, mask = pair.read(reading)
    except UserError as error:
        return str(error)
    grey = grey_of(image)
    name = f"{split}/{pair.image.stem}"
    return PairStats(name, split, grey, float(mask.mean()), contrast_of(image), alignment_score(image, mask))


def contrast_of(image: UInt8Array) -> float:
    """Standard deviation of an image's brightness. It is not shrunk first, since that would smooth asphalt."""
    return float(cv2.meanStdDev(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[1].item())


def check_masks(stats: Sequence[PairStats], found: Findings) -> None:
    """Find constant images and suspicious masks."""
    shares = np.array([pair.share for pair in stats])
    logs = np.log(shares[shares > 0])
    middle = float(np.median(logs)) if len(logs) else 0.0
    spread = 1.4826 * float(np.median(np.abs(logs - middle))) if len(logs) else 0.0
    for pair in stats:
        if pair.contrast < FLAT:
            found.problems["constant images"].append(pair.name)
        if pair.share >= FULL:
            found.problems["masks that are almost full or look inverted"].append(f"{pair.name} {pair.share:.0%}")
        elif pair.share == 0:
            found.warnings["masks without crack"].append(pair.name)
        elif spread and abs(np.log(pair.share) - middle) > UNUSUAL * spread:
            found.warnings[f"unusual shares of crack (median {np.exp(middle):.2%})"].append(
                f"{pair.name} {pair.share:.2%}"
            )
    for split in SPLITS:
        if (mine := [pair.share for pair in stats if pair.split == split]) and not any(mine):
            found.problems["splits without any crack"].append(split)


def check_alignment(stats: Sequence[PairStats], found: Findings) -> None:
    """Warn about masks that may belong to other photographs. Masks with too little crack have no score (nan)."""
    for pair in sorted((pair for pair in stats if BRIGHT < pair.alignment < UNFIT), key=lambda pair: pair.alignment):
        found.warnings["masks that may not fit their photograph, the worst first"].append(
            f"{pair.name} {pair.alignment:+.1f}"
        )


def check_splits(stats: Sequence[PairStats], groups: Mapping[str, str], found: Findings) -> None:
    """Find the same place in two splits: by the manifest's groups, and by comparing pixels."""
    splits: dict[str, set[str]] = defaultdict(set)
    for pair in stats:
        splits[groups.get(pair.name, pair.name)].add(pair.split)
    for group, where in splits.items():
        if len(where) > 1:
            found.problems[GROUPS_IN_TWO].append(f"{group} ({', '.join(sorted(where))})")
    for duplicate in find_duplicates([pair.picture for pair in stats]):
        one, other = stats[duplicate.one], stats[duplicate.other]
        if one.split != other.split:
            found.problems[IN_TWO].append(f"{one.name} and {other.name} ({duplicate.reason})")


def quick_problems(data: Data, splits: Sequence[str] = SPLITS) -> list[str]:
    """The cheap checks, on the decoded images that a training uses anyway. Returns the problems, one line each."""
    found = Findings()
    stats: list[PairStats] = []
    cracks: dict[str, list[int] | None] = {}
    for split in splits:
        cached = open_split(data, split)
        cracks[split] = cached.crack
        for index, stem in enumerate(cached.stems):
            image, mask = cached.sample(index)
            image = np.asarray(image)
            grey = grey_of(image, SMALL)
            stats.append(PairStats(f"{split}/{stem}", split, grey, float(mask.mean()), contrast_of(image), np.nan))
    check_masks(stats, found)
    if len({tuple(crack) for crack in cracks.values() if crack}) > 1:
        values = ", ".join(f"{split} {crack[0]}" for split, crack in cracks.items() if crack)
        found.problems["splits whose masks have different values for crack"].append(values)
    for one, other in copies([pair.picture for pair in stats]):
        if stats[one].split != stats[other].split:
            pair = f"{stats[one].name} and {stats[other].name}"
            found.problems[SAME_IN_TWO].append(pair)
    found.warnings.clear()
    return list(found.lines())


def main(argv: list[str]) -> None:
    parser = Parser(prog="python -m src.check", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("root", type=user_path, metavar="DATA_ROOT")
    parser.add_argument(
        "--all", action="store_true", help="print the names of all photographs, not only the first of each kind"
    )
    options = parser.parse_args(argv)
    found, stats = check(options.root)
    for line in found.lines(len(stats) if options.all else SHOWN):
        print(line)
    count = sum(len(names) for names in found.problems.values())
    print(f"{len(stats)} pairs of {options.root} read, {count} problems.")
    if count:
        raise UserError(f"{options.root} has {count} problems; they are listed above.")


if __name__ == "__main__":
    sys.exit(run_command(main))
