"""Lengths and widths of drawn cracks, measured by us and by skan: ``python -m benchmarks.measuring [--masks FOLDER]``.

skan is a peer (``make peers``, then ``.venv-peers/bin/python -m benchmarks.measuring``); without it, its columns are
empty. It measures the skeleton of scikit-image, branch by branch; widths are twice the distance to the background, as
in its manual. With ``--masks`` the lengths of real masks follow, those that differ most first.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, median

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.ndimage import distance_transform_edt
from scipy.spatial import KDTree
from skimage.morphology import skeletonize

from benchmarks.drawn_cracks import Drawn, Points, draw_cracks
from src.data.files import UInt8Array
from src.data.masks import UserRule, choose_mask_rule
from src.data.reading import inspect_masks
from src.errors import run_command
from src.folders import user_path
from src.measuring.cracks import measure
from src.measuring.masks import find_masks

WIDTHS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 30, 40)
ANGLES = (0, 8, 15, 22.5, 30, 37, 45, 60, 72, 90, 105, 135, 150, 170)
SHOWN = 8
"""Real masks that are listed."""


@dataclass(frozen=True)
class Measures:
    """Of a mask, in pixels."""

    length: float
    width: float
    largest: float
    branches: int


def ours(mask: UInt8Array) -> Measures:
    cracks = measure(mask)
    length = sum(crack.length for crack in cracks)
    if not cracks:
        return Measures(0, 0, 0, 0)
    width = fmean([crack.width_mean for crack in cracks], [crack.length for crack in cracks])
    return Measures(length, width, max(crack.width_max for crack in cracks), sum(len(crack.lines) for crack in cracks))


def skans(mask: UInt8Array) -> Measures:
    from skan import Skeleton, summarize  # pyright: ignore[reportMissingImports]

    line = skeletonize(mask > 0)
    if line.sum() < 2:
        return Measures(0, 0, 0, 0)
    branches = summarize(Skeleton(line), separator="_")
    distances = np.asarray(distance_transform_edt(mask))
    widths = 2 * distances[line]
    return Measures(float(branches["branch_distance"].sum()), float(widths.mean()), float(widths.max()), len(branches))


METHODS: dict[str, Callable[[UInt8Array], Measures]] = {"ours": ours, "skan": skans}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.measuring", description=__doc__)
    parser.add_argument("--masks", type=user_path, nargs="*", default=[], help="folders of real masks")
    parser.add_argument("--widths", type=float, nargs="*", default=WIDTHS, help="pixels")
    parser.add_argument("--json", type=user_path, help="file for the errors of every drawn crack")
    options = parser.parse_args(argv)
    names = [name for name in METHODS if name != "skan" or find_spec("skan")]
    found = [
        (drawn, {name: METHODS[name](drawn.mask) for name in names})
        for width in options.widths
        for drawn in draw_cracks(width, ANGLES)
    ]
    console = Console()
    for head, key in (
        ("width", lambda one: one.width),
        ("kind", lambda one: one.kind),
        ("angle", lambda one: one.angle),
    ):
        console.print(table_of(head, key, found, names))
    console.print(places(options.widths))
    if options.json:
        options.json.write_text(json.dumps([as_json(*one) for one in found]))
    for folder in options.masks:
        compare(folder, names, console)


Found = tuple[Drawn, dict[str, Measures]]


def as_json(drawn: Drawn, measures: dict[str, Measures]) -> dict[str, object]:
    about: dict[str, object] = {"kind": drawn.kind, "angle": drawn.angle, "length": drawn.length, "width": drawn.width}
    return about | {name: vars(its) for name, its in measures.items()}


def table_of(head: str, key: Callable[[Drawn], object], found: Sequence[Found], names: Sequence[str]) -> Table:
    """Errors in the mean (and the largest), a row each value of ``key``."""
    table = Table(head, "cracks", box=None)
    for name in names:
        for column in ("length %", "|length| %", "largest", "width px", "|width|", "largest", "max width px"):
            table.add_column(f"{name}\n{column}", justify="right")
    for value in [*dict.fromkeys(key(drawn) for drawn, _ in found), "all"]:
        some = [one for one in found if value in ("all", key(one[0]))]
        table.add_row(str(value), str(len(some)), *(cell for name in names for cell in errors(some, name)))
    return table


def places(widths: Sequence[float]) -> Table:
    """How far our lines are from those that were drawn, in pixels, every half pixel along them."""
    table = Table("width", "mean distance", "95 % within", "mean shift right, down", box=None)
    for width in widths:
        shifts = np.concatenate([shifts_of(drawn) for drawn in draw_cracks(width, ANGLES)])
        away = np.hypot(*shifts.T)
        right, down = shifts.mean(axis=0)
        table.add_row(
            f"{width:g}", f"{away.mean():.2f}", f"{np.quantile(away, 0.95):.2f}", f"{right:+.2f}, {down:+.2f}"
        )
    return table


def shifts_of(drawn: Drawn) -> Points:
    """(K, 2) from the nearest point that was drawn to points of our lines."""
    found = list[Points]()
    truth = np.concatenate(drawn.lines)
    for line in (line for crack in measure(drawn.mask) for line in crack.lines):
        every = np.arange(0, line.along[-1], 0.5)
        points = np.stack([np.interp(every, line.along, axis) for axis in line.points.T], axis=1)
        found.append(points - truth[KDTree(truth).query(points)[1]])
    return np.concatenate(found)


def errors(found: Iterable[Found], name: str) -> list[str]:
    """The mean error of the length, that without its sign, the largest; the same of the width; of the largest width."""
    lengths, widths, largest = [], [], []
    for drawn, measures in found:
        lengths.append(100 * (measures[name].length / drawn.length - 1))
        widths.append(measures[name].width - drawn.width)
        largest.append(measures[name].largest - drawn.width)
    cells = [fmean(lengths), fmean(map(abs, lengths)), max(lengths, key=abs)]
    cells += [fmean(widths), fmean(map(abs, widths)), max(widths, key=abs), fmean(largest)]
    return [f"{cell:+.2f}" if index not in (1, 4) else f"{cell:.2f}" for index, cell in enumerate(cells)]


def compare(folder: Path, names: Sequence[str], console: Console) -> None:
    """Lengths of real masks."""
    masks = [source.path for source in find_masks([folder], None)]
    rule = choose_mask_rule(inspect_masks(masks, UserRule()), UserRule())
    found = [(path.name, {name: METHODS[name](rule.read(path)) for name in names}) for path in masks]
    console.print(f"{folder.name}: {len(found)} masks")
    if len(names) < 2:
        return
    cracked = [one for one in found if min(its.length for its in one[1].values())]
    ratios = [its["skan"].length / its["ours"].length for _, its in cracked]
    both = np.corrcoef([[its[name].length for _, its in cracked] for name in names]).ravel()[1]
    console.print(
        f"length by skan / by us: median {median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}; r {both:.4f}"
    )
    branches = {name: sum(its[name].branches for _, its in cracked) for name in names}
    console.print(f"branches: {branches}")
    table = Table(
        "mask", *(f"{name} {column}" for name in names for column in ("length", "branches", "width")), box=None
    )
    for name, its in sorted(cracked, key=lambda one: -abs(one[1]["skan"].length - one[1]["ours"].length))[:SHOWN]:
        cells = [f"{value:.1f}" for one in names for value in (its[one].length, its[one].branches, its[one].width)]
        table.add_row(name, *cells)
    console.print(table)


if __name__ == "__main__":
    sys.exit(run_command(main))
