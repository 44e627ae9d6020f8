"""What is wrong with a data set, before any hours are spent on it: ``python -m src.check DATA_ROOT``.

DATA_ROOT holds {train,val,test}/{images,masks}. What would spoil a result is a problem (exit code 2), what may be meant
a warning: files that cannot be read or have no partner, the same place in two splits, masks that are almost full or
look inverted, constant images; masks without crack, unusual shares of crack, masks that do not seem to fit their
photograph.
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
from src.data.files import UInt8Array, more_pages
from src.data.masks import Said, Survey, choose_meaning, survey
from src.data.pairs import Pair, look_for_pairs, manifest_groups
from src.data.reading import Reading
from src.datasets.copies import copies
from src.datasets.duplicates import find_kin, grey_of
from src.datasets.mask_alignment import fit
from src.errors import Parser, UserError, run_command
from src.folders import in_full, user_path

FULL = 0.5
"""Share of crack from which a mask is almost full, or inverted."""
FLAT = 2.0
"""Standard deviation in grey levels, below which an image is constant."""
UNUSUAL = 3.5
"""Robust standard deviations (1.4826 times the median deviation) of the logarithm of the share of crack."""
UNFIT, BRIGHT = 2.0, -3.0
"""Of ``src.datasets.mask_alignment``: between them a mask may belong to another photograph. Cracks full of light sand,
or sealed, are as much brighter as others are darker."""
SMALL = 64
"""Pixels of the longer side, for the quick part."""
SHOWN = 8
IN_TWO = "pairs of one place in two splits"
SAME_IN_TWO = "pairs of the same picture in two splits"
GROUPS_IN_TWO = "groups in several splits"
CURE = (
    "`python -m src.prepare SOURCE --out NEW --find-groups` keeps one place in one split (with --resplit where SOURCE "
    "has splits of its own)"
)
CURES: dict[str, str] = dict.fromkeys((IN_TWO, SAME_IN_TWO, GROUPS_IN_TWO), f"; {CURE}")


@dataclass
class Findings:
    """Names by what is wrong with them."""

    problems: dict[str, list[str]] = field(default_factory=lambda: defaultdict[str, list[str]](list))
    warnings: dict[str, list[str]] = field(default_factory=lambda: defaultdict[str, list[str]](list))

    def lines(self, most: int = SHOWN) -> Iterator[str]:
        """A line each: problems first."""
        for kind, found in (("problem", self.problems), ("warning", self.warnings)):
            for what, names in found.items():
                more = f" and {len(names) - most} more (--all)" if len(names) > most else ""
                yield f"{kind}: {len(names)} {what}: {', '.join(names[:most])}{more}{CURES.get(what, '')}"


@dataclass(frozen=True)
class Look:
    """What is known of one pair after it was read."""

    name: str
    split: str
    picture: UInt8Array
    """Grey, small."""
    share: float
    """Of crack, 0..1."""
    contrast: float
    fit: float


def check(root: Path) -> tuple[Findings, list[Look]]:
    """Read everything once, and say what is wrong."""
    if not root.is_dir():
        raise UserError(f"No such folder: {in_full(root)}.")
    found = Findings()
    pairs: list[tuple[str, Pair]] = []
    for split in SPLITS:
        try:
            there, problems = look_for_pairs(root, split)
        except UserError as error:
            there, problems = [], [str(error)]
        pairs += [(split, pair) for pair in there]
        if problems:
            found.problems["of folders and partners"] += problems
    reading = judge_files([pair for _, pair in pairs], found)
    looks: list[Look] = []
    with ThreadPoolExecutor(available_cores()) as pool:  # each holds a photograph
        for seen in pool.map(lambda one: look(one[0], one[1], reading), pairs):
            if isinstance(seen, Look):
                looks.append(seen)
            else:
                found.problems["pairs that cannot be used"].append(seen)
    judge_masks(looks, found)
    judge_fit(looks, found)
    judge_leaks(looks, manifest_groups(root), found)
    return found, looks


def judge_files(pairs: Sequence[Pair], found: Findings) -> Reading:
    """How the files are to be read, all in one way; masks that cannot be are left to ``look``."""
    with ThreadPoolExecutor(available_cores()) as pool:
        surveys = [one for one in pool.map(lambda pair: survey_or_none(pair.mask), pairs) if one and not one.refusal]
        pages = list(pool.map(lambda path: (path, more_pages(path)), [path for pair in pairs for path in pair]))
    try:
        choose_meaning(surveys, Said())
    except UserError as error:
        found.problems["masks that differ in what is crack"].append(str(error))
    bits = used_bits(pair.image for pair in pairs)
    if bits and bits < 16:
        found.warnings["rule for all photographs of 16 bits"].append(
            f"they use {bits} bits: say data.bits={bits} to every command"
        )
    for path, count in pages:
        if count:
            found.warnings["files with more pages or frames, of which the first is read"].append(f"{path} {count}")
    return Reading(bits=bits)


def survey_or_none(mask: Path) -> Survey | None:
    try:
        return survey(mask, Said())
    except UserError:
        return None


def look(split: str, pair: Pair, reading: Reading) -> Look | str:
    """Read one pair; the sentence if that cannot be."""
    try:
        image, mask = pair.read(reading)
    except UserError as error:
        return str(error)
    grey = grey_of(image)
    name = f"{split}/{pair.image.stem}"
    return Look(name, split, grey, float(mask.mean()), contrast_of(image), fit(image, mask))


def contrast_of(image: UInt8Array) -> float:
    """Standard deviation of an image's brightness; shrunk, asphalt would have none."""
    return float(cv2.meanStdDev(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[1].item())


def judge_masks(looks: Sequence[Look], found: Findings) -> None:
    """What the masks and images alone tell."""
    shares = np.array([seen.share for seen in looks])
    logs = np.log(shares[shares > 0])
    middle = float(np.median(logs)) if len(logs) else 0.0
    spread = 1.4826 * float(np.median(np.abs(logs - middle))) if len(logs) else 0.0
    for seen in looks:
        if seen.contrast < FLAT:
            found.problems["constant images"].append(seen.name)
        if seen.share >= FULL:
            found.problems["masks that are almost full or look inverted"].append(f"{seen.name} {seen.share:.0%}")
        elif seen.share == 0:
            found.warnings["masks without crack"].append(seen.name)
        elif spread and abs(np.log(seen.share) - middle) > UNUSUAL * spread:
            found.warnings[f"unusual shares of crack (median {np.exp(middle):.2%})"].append(
                f"{seen.name} {seen.share:.2%}"
            )
    for split in SPLITS:
        if (mine := [seen.share for seen in looks if seen.split == split]) and not any(mine):
            found.problems["splits without any crack"].append(split)


def judge_fit(looks: Sequence[Look], found: Findings) -> None:
    """Which masks may be those of other photographs; of those with too little crack nothing can be said (nan)."""
    for seen in sorted((seen for seen in looks if BRIGHT < seen.fit < UNFIT), key=lambda seen: seen.fit):
        found.warnings["masks that may not fit their photograph, the least first"].append(
            f"{seen.name} {seen.fit:+.1f}"
        )


def judge_leaks(looks: Sequence[Look], groups: Mapping[str, str], found: Findings) -> None:
    """The same place in two splits: by the manifest's groups, and by the pixels."""
    splits: dict[str, set[str]] = defaultdict(set)
    for seen in looks:
        splits[groups.get(seen.name, seen.name)].add(seen.split)
    for group, where in splits.items():
        if len(where) > 1:
            found.problems[GROUPS_IN_TWO].append(f"{group} ({', '.join(sorted(where))})")
    for kin in find_kin([seen.picture for seen in looks]):
        one, other = looks[kin.one], looks[kin.other]
        if one.split != other.split:
            found.problems[IN_TWO].append(f"{one.name} and {other.name} ({kin.why})")


def quick_problems(data: Data, splits: Sequence[str] = SPLITS) -> list[str]:
    """The cheap part, on the decoded images that a training has anyway: problems in lines."""
    found = Findings()
    looks: list[Look] = []
    cracks: dict[str, list[int] | None] = {}
    for split in splits:
        cached = open_split(data, split)
        cracks[split] = cached.crack
        for index, stem in enumerate(cached.stems):
            image, mask = cached.sample(index)
            image = np.asarray(image)
            grey = grey_of(image, SMALL)
            looks.append(Look(f"{split}/{stem}", split, grey, float(mask.mean()), contrast_of(image), np.nan))
    judge_masks(looks, found)
    if len({tuple(crack) for crack in cracks.values() if crack}) > 1:
        said = ", ".join(f"{split} {crack[0]}" for split, crack in cracks.items() if crack)
        found.problems["splits whose masks have another value for crack"].append(said)
    for one, other in copies([seen.picture for seen in looks]):
        if looks[one].split != looks[other].split:
            pair = f"{looks[one].name} and {looks[other].name}"
            found.problems[SAME_IN_TWO].append(pair)
    found.warnings.clear()
    return list(found.lines())


def main(argv: list[str]) -> None:
    parser = Parser(prog="python -m src.check", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("root", type=user_path, metavar="DATA_ROOT")
    parser.add_argument("--all", action="store_true", help="name all photographs, and not only the first of a kind")
    options = parser.parse_args(argv)
    found, looks = check(options.root)
    for line in found.lines(len(looks) if options.all else SHOWN):
        print(line)
    count = sum(len(names) for names in found.problems.values())
    print(f"{len(looks)} pairs of {options.root} read, {count} problems.")
    if count:
        raise UserError(f"{options.root} has {count} problems, which are listed above.")


if __name__ == "__main__":
    sys.exit(run_command(main))
