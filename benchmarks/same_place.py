"""How right is what is found to show one place: ``python -m benchmarks.same_place [FOLDER] [--only WORD]``.

Two kinds of sets. Real ones, where FOLDER (default: ``shared/data`` beside the checkout) has them: CrackForest, SUT and
Crack500's tiles, whose groups.csv says what belongs together. Made ones, from SUT's photographs if they are there and
from synthetic asphalt: unrelated pictures that something makes look related (a line, a lane, a shadow, a frame, a
watermark, ...), of which none belongs together, and pieces of one picture (tiles, overlapping, turned, stored again),
which do. Printed are, for each set and kind, the pairs found, how many are right, and the share of all that belong
together that are found, by pair and by the groups that pairs make.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.made_places import RELATED, SIDE, UNRELATED, asphalt, height, piece
from src.data.files import UInt8Array, read_image
from src.data.masks import read_mask
from src.datasets.duplicates import DuplicatePair, find_duplicates, grey_of, label_groups
from src.errors import run_command
from src.folders import user_path

DATA = Path(__file__).parents[2] / "shared" / "data"
REAL = {"crack500_tiles": ("images", "scene"), "cfd": ("image", "group"), "sut": ("images", "group")}
UNNAMED = {
    "cfd": [("034.jpg", "102.jpg"), ("075.jpg", "077.jpg")],
    "sut": [("100.jpg", "31.jpg"), ("114.jpg", "75.jpg"), ("27.jpg", "81.jpg")],
}
"""Pairs of one place that groups.csv lacks. CrackForest's show the same crack, seen by eye, one laid on the other; of
SUT's 21 to 171 of 4000 features agree on one homography, of 59 unrelated pairs at most 6."""
COUNT = 40
"""Pictures of a made set."""
LINE = "{:60} {:>7}  {:17} {:>6} {:>6} {:>10} {:>7} {:>8}"
KINDS = ("the same picture", "overlap", "touch")


@dataclass(frozen=True)
class Case:
    """Pictures, and which of them belong together: (lower, higher) numbers."""

    name: str
    greys: Sequence[UInt8Array]
    together: frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Score:
    """What was found of one kind, or of all."""

    case: str
    kind: str
    pairs: int
    right: int
    recall: float
    """Share of the pairs that belong together."""
    seconds: float


def real(folder: Path) -> Iterator[Case]:
    """The sets whose groups are known."""
    for name, (images, column) in REAL.items():
        if not (folder / name).is_dir():
            print(f"{name} is not in {folder}: left out.")
            continue
        with (folder / name / "groups.csv").open() as stream:
            rows = [row for row in csv.DictReader(stream) if (folder / name / images / row["file"]).is_file()]
        together = same([row[column] for row in rows])
        number = {row["file"]: index for index, row in enumerate(rows)}
        more = (sorted((number[one], number[other])) for one, other in UNNAMED.get(name, ()))
        greys = [grey_of(read_image(folder / name / images / row["file"])) for row in rows]
        yield Case(name, greys, together | {(one, other) for one, other in more})


def same(groups: Sequence[str]) -> frozenset[tuple[int, int]]:
    """All pairs of equal groups."""
    count = len(groups)
    return frozenset((one, two) for one in range(count) for two in range(one + 1, count) if groups[one] == groups[two])


def photographs(folder: Path) -> dict[str, list[UInt8Array]]:
    """What made sets are made of: synthetic ones, and SUT's, one of each place."""
    random = np.random.default_rng(0)
    found = {"synthetic": [asphalt(random) for _ in range(COUNT)]}
    if (folder / "sut").is_dir():
        with (folder / "sut" / "groups.csv").open() as stream:
            firsts = {row["group"]: row["file"] for row in csv.DictReader(stream)}
        again = {other for _, other in UNNAMED["sut"]}
        files = [file for file in firsts.values() if file not in again][:COUNT]
        found["SUT"] = [grey_of(read_image(folder / "sut" / "images" / file))[:512, :512] for file in files]
    return found


def unrelated(pictures: Sequence[UInt8Array], of: str) -> Iterator[Case]:
    """Of each picture one piece, all changed alike: none belongs together."""
    for name, change in UNRELATED.items():
        random = np.random.default_rng(1)
        greys = [change(picture[:SIDE, :SIDE], random).clip(0, 255).astype(np.uint8) for picture in pictures]
        yield Case(f"{of}: {name}", greys, frozenset())


def related(pictures: Sequence[UInt8Array], of: str) -> Iterator[Case]:
    """Pieces of each picture, which belong together."""
    for name, cut in RELATED.items():
        pieces = [(index, grey) for index, picture in enumerate(pictures) for grey in cut(picture)]
        yield Case(f"{of}: {name}", [grey for _, grey in pieces], same([str(index) for index, _ in pieces]))


def meeting_cracks(folder: Path) -> Iterator[Case]:
    """Of each of SUT's photographs a piece whose crack meets the right or left border at one of a few heights."""
    if not (folder / "sut").is_dir():
        return
    with (folder / "sut" / "groups.csv").open() as stream:
        firsts = {row["group"]: Path(row["file"]) for row in csv.DictReader(stream)}
    again = {other for _, other in UNNAMED["sut"]}
    random, greys = np.random.default_rng(2), list[UInt8Array]()
    for file in (file for file in firsts.values() if file.name not in again):
        grey = grey_of(read_image(folder / "sut" / "images" / file))
        mask = read_mask(folder / "sut" / "masks" / f"{file.stem}.png")
        right, top = bool(len(greys) % 2), height(random)
        rows, columns = np.nonzero(mask)
        first_row, first_column = rows - top, columns - (SIDE - 1 if right else 0)
        fits = (first_row >= 0) & (first_row + SIDE <= mask.shape[0]) & (first_column >= 0)
        fits &= first_column + SIDE <= mask.shape[1]
        if fits.any():
            which = int(random.choice(np.flatnonzero(fits)))
            greys.append(piece(grey, int(first_row[which]), int(first_column[which])))
    yield Case("SUT: real cracks that meet borders, few at one height", greys, frozenset())


def cases(folder: Path) -> Iterator[Case]:
    yield from real(folder)
    for of, pictures in photographs(folder).items():
        yield from unrelated(pictures, of)
        yield from related(pictures, of)
    yield from meeting_cracks(folder)


def scores(case: Case) -> list[Score]:
    """Of each kind that was found, of all, and of the groups that they make."""
    begun = time.perf_counter()
    kin = find_duplicates(case.greys)
    seconds = time.perf_counter() - begun
    found = [score(case, kind, pairs_of([pair for pair in kin if pair.reason == kind]), seconds) for kind in KINDS]
    labels = label_groups(kin, len(case.greys))
    together = same([str(label) for label in labels])
    rows = [*(one for one in found if one.pairs), score(case, "all", pairs_of(kin), seconds)]
    return [*rows, score(case, "groups", set(together), seconds)]


def pairs_of(kin: Sequence[DuplicatePair]) -> set[tuple[int, int]]:
    return {(pair.one, pair.other) for pair in kin}


def score(case: Case, kind: str, pairs: set[tuple[int, int]], seconds: float) -> Score:
    right = len(pairs & case.together)
    return Score(case.name, kind, len(pairs), right, right / max(1, len(case.together)), seconds)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.same_place")
    parser.add_argument("folder", type=user_path, nargs="?", default=DATA, metavar="FOLDER")
    parser.add_argument("--only", default="", metavar="WORD", help="sets whose names hold it")
    parser.add_argument("--json", type=user_path)
    options = parser.parse_args(argv)
    print(LINE.format("pictures", "belong", "kind", "pairs", "right", "precision", "recall", "seconds"))
    found: list[Score] = []
    for case in cases(options.folder):
        if options.only in case.name:
            for one in scores(case):
                found.append(one)
                precision = f"{one.right / one.pairs:.3f}" if one.pairs else "-"
                recall = f"{one.recall:.3f}" if case.together else "-"
                name, belong = f"{case.name} ({len(case.greys)})", str(len(case.together))
                numbers = (one.kind, one.pairs, one.right, precision, recall, f"{one.seconds:.1f}")
                print(LINE.format(name, belong, *numbers), flush=True)
    for kind in (*KINDS, "all"):
        mine = [one for one in found if one.kind == kind]
        pairs, right = sum(one.pairs for one in mine), sum(one.right for one in mine)
        print(f"{kind}: {right} of {pairs} pairs are right{f', {right / pairs:.4f}' if pairs else ''}.")
    if options.json:
        options.json.write_text(json.dumps([one.__dict__ for one in found]))


if __name__ == "__main__":
    sys.exit(run_command(main))
