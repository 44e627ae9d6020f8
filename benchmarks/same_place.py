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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from src.data.files import UInt8Array, read_image
from src.data.masks import read_mask
from src.errors import run_command
from src.folders import user_path
from src.leaks import Kin, find_kin, grey_of, groups_of_kin

DATA = Path(__file__).parents[2] / "shared" / "data"
REAL = {"crack500_tiles": ("images", "scene"), "cfd": ("image", "group"), "sut": ("images", "group")}
UNNAMED = {
    "cfd": [("034.jpg", "102.jpg"), ("075.jpg", "077.jpg")],
    "sut": [("100.jpg", "31.jpg"), ("114.jpg", "75.jpg"), ("27.jpg", "81.jpg")],
}
"""Pairs of one place that groups.csv lacks. CrackForest's show the same crack, seen by eye, one laid on the other; of
SUT's 21 to 171 of 4000 features agree on one homography, of 59 unrelated pairs at most 6."""
SIDE, COUNT = 256, 40
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


def asphalt(random: np.random.Generator, side: int = 2 * SIDE) -> UInt8Array:
    """Stones of several sizes."""
    sizes = (0.7, 1.5, 3.0)
    layers = [cv2.GaussianBlur(random.normal(0, 1, (side, side)), (0, 0), sigma) * sigma for sigma in sizes]
    return (128 + 30 * np.sum(layers, axis=0)).clip(0, 255).astype(np.uint8)


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


Change = Callable[[UInt8Array, np.random.Generator], "UInt8Array | np.ndarray[tuple[int, ...], np.dtype[np.float64]]"]


def line(grey: UInt8Array, random: np.random.Generator):
    return lined(grey, random, 100)


def lane(grey: UInt8Array, random: np.random.Generator):
    return laned(grey, 90)


def shadow(grey: UInt8Array, random: np.random.Generator):
    return shadowed(grey, 120)


def lined(grey: UInt8Array, random: np.random.Generator, top: int):
    found = grey.astype(float)
    found[top : top + int(random.integers(3, 14))] = 40
    return found


def laned(grey: UInt8Array, top: int):
    found = grey.astype(float)
    found[top : top + 60] += 80
    return found


def shadowed(grey: UInt8Array, top: int):
    found = grey.astype(float)
    found[:top] *= 0.5
    return found


def height(random: np.random.Generator) -> int:
    """One of eight, so that a few pictures of a set have the same, and most another one: nothing is common to all."""
    return int(random.choice(np.linspace(20, SIDE - 80, 8)))


def paving(grey: UInt8Array, random: np.random.Generator):
    found = grey.astype(float)
    for begin in range(0, SIDE, 32):
        found[begin : begin + 4] *= 0.5
        found[:, begin : begin + 4] *= 0.5
    return found


def framed(grey: UInt8Array, random: np.random.Generator):
    found = np.full_like(grey, 255)
    found[8:-8, 8:-8] = grey[8:-8, 8:-8]
    return stored(found, 70)


def black_framed(grey: UInt8Array, random: np.random.Generator):
    return 255 - framed(255 - grey, random)


def vignette(grey: UInt8Array, random: np.random.Generator):
    away = np.hypot(*np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j])
    return grey * (1 - 0.5 * away**2)


def smooth(grey: UInt8Array, random: np.random.Generator):
    return stored(cv2.GaussianBlur(grey, (0, 0), 6).astype(np.uint8), 60)


def gradient(grey: UInt8Array, random: np.random.Generator):
    slope = np.linspace(40, 220, SIDE)
    return slope[:, None] + slope[None] / 4 + random.normal(0, 1.5, (SIDE, SIDE)) - 20


def watermark(grey: UInt8Array, random: np.random.Generator):
    found = grey.copy()
    cv2.putText(found, "2024-05-17 Survey 7", (20, 230), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 2)
    cv2.circle(found, (210, 40), 22, 255, 3)
    cv2.line(found, (195, 40), (225, 40), 0, 3)
    return stored(found, 80)


def large_mark(grey: UInt8Array, random: np.random.Generator):
    found = grey.copy()
    for row in (90, 140, 190):
        cv2.putText(found, "PREVIEW", (15, row), cv2.FONT_HERSHEY_TRIPLEX, 1.6, 255, 3)
    return found


def blocks(grey: UInt8Array, random: np.random.Generator):
    return stored(grey, 8)


UNRELATED: dict[str, Change] = {
    "plain": lambda grey, random: grey,
    "a dark line": line,
    "a lane marking": lane,
    "the edge of a shadow": shadow,
    "dark lines, few at one height": lambda grey, random: lined(grey, random, height(random)),
    "lanes, few at one height": lambda grey, random: laned(grey, height(random)),
    "shadows, few at one height": lambda grey, random: shadowed(grey, height(random)),
    "paving": paving,
    "a white frame": framed,
    "a black frame": black_framed,
    "a vignette": vignette,
    "smooth as concrete": smooth,
    "one gradient": gradient,
    "a logo and a date": watermark,
    "a large watermark": large_mark,
    "blocks of JPEG": blocks,
}


def unrelated(pictures: Sequence[UInt8Array], of: str) -> Iterator[Case]:
    """Of each picture one piece, all changed alike: none belongs together."""
    for name, change in UNRELATED.items():
        random = np.random.default_rng(1)
        greys = [change(picture[:SIDE, :SIDE], random).clip(0, 255).astype(np.uint8) for picture in pictures]
        yield Case(f"{of}: {name}", greys, frozenset())


def stored(grey: UInt8Array, quality: int) -> UInt8Array:
    """As JPEG."""
    found = cv2.imdecode(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)
    assert found is not None
    return found.astype(np.uint8)


def turned(grey: UInt8Array, angle: float, scale: float) -> UInt8Array:
    """A piece of ``SIDE`` around the middle."""
    middle = grey.shape[1] / 2, grey.shape[0] / 2
    matrix = cv2.getRotationMatrix2D(middle, angle, scale)
    matrix[:, 2] += SIDE / 2 - np.array(middle)
    return cv2.warpAffine(grey, matrix, (SIDE, SIDE), flags=cv2.INTER_AREA).astype(np.uint8)


def resized(grey: UInt8Array, side: int) -> UInt8Array:
    return cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8)


def piece(grey: UInt8Array, top: int, left: int) -> UInt8Array:
    return grey[top : top + SIDE, left : left + SIDE]


RELATED: dict[str, Callable[[UInt8Array], list[UInt8Array]]] = {
    "tiles that touch": lambda grey: [piece(grey, 0, 0), piece(grey, 0, SIDE)],
    "tiles that touch, stored again": lambda grey: [stored(piece(grey, 0, x), 85) for x in (0, SIDE)],
    "overlap of 10 %": lambda grey: [piece(grey, 0, 0), piece(grey, 20, 230)],
    "overlap of 25 %": lambda grey: [piece(grey, 0, 0), piece(grey, 20, 190)],
    "overlap of 50 %": lambda grey: [piece(grey, 0, 0), stored(piece(grey, 20, 120), 85)],
    "turned and smaller": lambda grey: [piece(grey, 100, 100), turned(grey, 25, 0.8)],
    "turned and larger": lambda grey: [piece(grey, 128, 128), turned(grey, -40, 1.25)],
    "five that overlap": lambda grey: [stored(piece(grey, 10 * n, 50 * n), 90) for n in range(5)],
    "stored again": lambda grey: [piece(grey, 0, 0), stored(resized(piece(grey, 0, 0), 200), 60)],
    "mirrored": lambda grey: [piece(grey, 0, 0), stored(np.ascontiguousarray(piece(grey, 0, 0)[:, ::-1]), 80)],
}


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
    kin = find_kin(case.greys)
    seconds = time.perf_counter() - begun
    found = [score(case, kind, pairs_of([pair for pair in kin if pair.why == kind]), seconds) for kind in KINDS]
    labels = groups_of_kin(kin, len(case.greys))
    together = same([str(label) for label in labels])
    rows = [*(one for one in found if one.pairs), score(case, "all", pairs_of(kin), seconds)]
    return [*rows, score(case, "groups", set(together), seconds)]


def pairs_of(kin: Sequence[Kin]) -> set[tuple[int, int]]:
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
