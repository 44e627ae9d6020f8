"""Two sweeps side by side: ``python -m analysis.compare A B``: what differs, the best so far, and which found more."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from analysis.figures import best_so_far, drawn_progress
from analysis.image_counts import METRICS, ImageCounts, load_image_counts
from analysis.intervals import Interval, Scored, interval
from analysis.leaderboard import PLAIN_WIDTH, headline
from analysis.results import SweepResults, load_sweep, read_verdict
from analysis.verdict import span, words_of_more
from src.errors import Parser, UserError, outlive_reader, run_command, unknown
from src.folders import user_path
from src.tables import PlainConsole
from sweeps.about import PATH_KEYS

SHARES = (0.25, 0.5, 1.0)
"""Of the epochs that both have spent: where their best so far is told."""


def main(argv: list[str]) -> None:
    parser = Parser(prog="python -m analysis.compare", description=__doc__)
    parser.add_argument("one", metavar="A", help="a sweep's folder under outputs/sweeps")
    parser.add_argument("other", metavar="B", help="another, or an older version of it")
    parser.add_argument("--metric", help="to compare by, if not A's own")
    parser.add_argument("--out", type=user_path, help="folder for the figure (default: compare/A_B/ beside the sweeps)")
    parser.add_argument(
        "--output-root", type=user_path, help="the output_root of the sweeps, if not the configured one"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args(argv)
    one, other = (load_sweep(name, options.output_root) for name in (options.one, options.other))
    if one.folder == other.folder:
        raise UserError(f"{one.name} is compared with itself: name two sweeps.")
    metric = options.metric or one.metric
    if metric not in METRICS:
        raise unknown("metric to compare by", metric, METRICS)
    outlive_reader()
    console = PlainConsole(PLAIN_WIDTH)
    for sweep in (one, other):
        console.print(headline(sweep))
    console.print(drawn_differences(one, other))
    curves = {sweep.name: best_so_far(sweep, metric) for sweep in (one, other)}
    for name, curve in curves.items():
        if curve.empty:
            raise UserError(f"No trial of {name} has a {metric} yet: nothing can be compared.")
    console.print(drawn_curves(curves, metric))
    for sentence in [*fresh(one, other, metric), *other_data(one, other)]:
        console.print(sentence)
    out = options.out or one.folder.parents[1] / "compare" / f"{one.name}_{other.name}"
    console.print(f"Figure: {write_figure(curves, metric, out)}")


def write_figure(curves: dict[str, pd.DataFrame], metric: str, folder: Path) -> Path:
    """The best so far of both, as ``best_so_far.png`` and ``.csv``; returns the picture's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "best_so_far.png"
    drawn_progress(curves, metric).savefig(path, dpi=130)
    rows = pd.concat([curve.assign(sweep=name) for name, curve in curves.items()])
    rows.to_csv(path.with_suffix(".csv"), index=False)
    return path


def settings(sweep: SweepResults) -> dict[str, str]:
    """What made a sweep what it is, as names and texts; files of code by their digests."""
    about = sweep.about
    made = {key: value for key, value in about["provenance"].items() if key not in ("time", "packages")}
    parts = {"budget": about["budget"], "resources": about["resources"], "made": made | about["provenance"]["packages"]}
    more = {f"{part}: {key}": str(value) for part, values in parts.items() for key, value in values.items()}
    own = {key: value for key, value in sweep.identity.items() if key.removeprefix("fixed: ") not in PATH_KEYS}
    return {"question": str(about.get("question", ""))} | own | more


def differing(one: SweepResults, other: SweepResults) -> list[tuple[str, str, str]]:
    """What is not the same: its name, and how each sweep has it; all files of code together, by their names alone."""
    here, there = settings(one), settings(other)
    names = [name for name in dict.fromkeys([*here, *there]) if here.get(name) != there.get(name)]
    files = [name for name in names if name.endswith((".py", ".yaml"))]
    lines = [(name, here.get(name, "-"), there.get(name, "-")) for name in names if name not in files]
    return [*lines, *([("code", f"{len(files)} files: {', '.join(files)}", "")] if files else [])]


def drawn_differences(one: SweepResults, other: SweepResults) -> Table:
    """What is not the same, for a terminal."""
    table = Table("differs", one.name, other.name, box=None, pad_edge=False, header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    for line in differing(one, other) or [("nothing", "", "")]:
        table.add_row(*line)
    return table


def drawn_curves(curves: dict[str, pd.DataFrame], metric: str) -> Table:
    """The best so far at equal numbers of epochs, and at each sweep's end."""
    table = Table("epochs", *curves, box=None, pad_edge=False, header_style="bold", title=f"best {metric} after epochs")
    table.title_justify = "left"
    common = min(int(curve["epochs"].iloc[-1]) for curve in curves.values())
    for epochs in dict.fromkeys(max(1, round(share * common)) for share in SHARES):
        table.add_row(str(epochs), *(best_at(curve, epochs) for curve in curves.values()))
    last = max(int(curve["epochs"].iloc[-1]) for curve in curves.values())
    if last > common:
        table.add_row(str(last), *(best_at(curve, last) for curve in curves.values()))
    return table


def best_at(curve: pd.DataFrame, epochs: int) -> str:
    """The best value after so many epochs; nothing before the first value and after the end."""
    at: Any = curve[curve["epochs"] <= epochs]
    return "" if at.empty or epochs > curve["epochs"].iloc[-1] else f"{at['best'].iloc[-1]:.4f}"


def fresh(one: SweepResults, other: SweepResults, metric: str) -> list[str]:
    """How much better one's choice is than the other's on fresh seeds and the same test images, with an interval."""
    missing = [sweep.name for sweep in (one, other) if sweep.find_verdict() is None]
    if missing:
        commands = ", ".join(f"retrain-best {name}" for name in missing)
        return [
            f"These are scores of one seed, the best of many. How sure a difference is takes fresh seeds: {commands}."
        ]
    (chosen, runs), (its_choice, its_runs) = (retrained(sweep) for sweep in (one, other))
    seeds = sorted(set(runs) & set(its_runs))
    if len(seeds) < 2:
        return ["On fresh seeds nothing can be told: the choices of both need two seeds in common, better five."]
    if not same_images([*runs.values(), *its_runs.values()]):
        return ["On fresh seeds nothing can be told: the test images are not the same."]
    pair = (scored([found[seed] for seed in seeds], metric) for found in (runs, its_runs))
    said = told(f"{one.name}'s choice {chosen}", f"{other.name}'s {its_choice}", interval(*pair), metric)
    return [*said, *unlike_trainings(one, other)]


def unlike_trainings(one: SweepResults, other: SweepResults) -> list[str]:
    """A warning if the fresh seeds of the two were not trained as long."""
    epochs = [read_verdict(folder).get("epochs") for sweep in (one, other) if (folder := sweep.find_verdict())]
    if None in epochs or len(set(epochs)) < 2:
        return []
    here, there = epochs
    return [f"The first was trained for {here} epochs, the other for {there}: a part of the difference may be that."]


def retrained(sweep: SweepResults) -> tuple[str, dict[int, ImageCounts]]:
    """The configuration that a sweep's verdict has chosen, and its trainings by seed."""
    folder = sweep.find_verdict()
    assert folder is not None
    chosen = str(read_verdict(folder)["chosen"])
    return chosen, load_image_counts(folder, chosen)


def same_images(runs: list[ImageCounts]) -> bool:
    first = runs[0]
    return all((run.images, run.crack_pixels) == (first.images, first.crack_pixels) for run in runs)


def scored(runs: list[ImageCounts], metric: str) -> Scored:
    return Scored(np.stack([run.parts(metric) for run in runs]), runs[0].groups)


def told(one: str, other: str, found: Interval, metric: str) -> list[str]:
    """A difference of test scores in words."""
    size = f"{metric.removeprefix('val/')} {found.mean:+.4f} {span(found)}"
    on = f"on the test split, with {found.seeds} fresh seeds and images of {found.groups} groups"
    if found.low > 0:
        return [f"{one} is better than {other} {on}: {size}."]
    if found.high < 0:
        return [f"{one} is worse than {other} {on}: {size}."]
    if not found.sure:
        return [f"{one} and {other} differ by {size}; how sure that is, images of one group do not tell."]
    return [f"{one} and {other} cannot be told apart {on}: {size}.", words_of_more(found)]


def other_data(one: SweepResults, other: SweepResults) -> list[str]:
    """A warning if the search's scores are not of the same images."""
    if one.identity.get("data") == other.identity.get("data"):
        return []
    return ["Their photographs or image sizes are not the same, so scores of the search cannot be compared."]


if __name__ == "__main__":
    sys.exit(run_command(main))
