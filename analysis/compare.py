"""Compares two sweeps: ``python -m analysis.compare A B``: their settings, best scores, and results on fresh seeds."""

import sys
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from analysis.figures import best_so_far, plot_progress
from analysis.image_counts import SeedCounts, load_image_counts, scored
from analysis.intervals import Interval, interval
from analysis.leaderboard import PLAIN_WIDTH, summary_line
from analysis.results import SweepResults, load_sweep, read_verdict
from analysis.verdict import interval_text, seeds_needed_sentence
from src.errors import Parser, UserError, outlive_reader, run_command, unknown
from src.folders import user_path
from src.rankable import RANKABLE
from src.tables import PlainConsole
from sweeps.about import PATH_KEYS

SHARES = (0.25, 0.5, 1.0)
"""The best scores so far are compared after these shares of the epochs that both sweeps have spent."""


def main(argv: list[str]) -> None:
    parser = Parser(prog="python -m analysis.compare", description=__doc__)
    parser.add_argument("one", metavar="A", help="a sweep's folder under outputs/sweeps")
    parser.add_argument("other", metavar="B", help="another sweep, or an older version of the same one")
    parser.add_argument("--metric", help="metric to compare by (default: A's metric)")
    parser.add_argument("--out", type=user_path, help="folder for the figure (default: compare/A_B/ next to sweeps/)")
    parser.add_argument(
        "--output-root", type=user_path, help="the output_root of the sweeps (default: the configured one)"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args(argv)
    one, other = (load_sweep(name, options.output_root) for name in (options.one, options.other))
    if one.folder == other.folder:
        raise UserError(f"{one.name} would be compared with itself: name two different sweeps.")
    metric = options.metric or one.metric
    if metric not in RANKABLE:
        raise unknown("metric to compare by", metric, RANKABLE)
    outlive_reader()
    console = PlainConsole(PLAIN_WIDTH)
    for sweep in (one, other):
        console.print(summary_line(sweep))
    console.print(differences_table(one, other))
    curves = {sweep.name: best_so_far(sweep, metric) for sweep in (one, other)}
    for name, curve in curves.items():
        if curve.empty:
            raise UserError(f"No trial of {name} has a value of {metric} yet, so there is nothing to compare.")
    console.print(curves_table(curves, metric))
    for sentence in [*fresh_seed_sentences(one, other, metric), *different_data_warning(one, other)]:
        console.print(sentence)
    out = options.out or one.folder.parents[1] / "compare" / f"{one.name}_{other.name}"
    console.print(f"Figure: {write_figure(curves, metric, out)}")


def write_figure(curves: dict[str, pd.DataFrame], metric: str, folder: Path) -> Path:
    """Write both best-so-far curves as ``best_so_far.png`` and ``.csv``; returns the path of the figure."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "best_so_far.png"
    plot_progress(curves, metric).savefig(path, dpi=130)
    rows = pd.concat([curve.assign(sweep=name) for name, curve in curves.items()])
    rows.to_csv(path.with_suffix(".csv"), index=False)
    return path


def settings(sweep: SweepResults) -> dict[str, str]:
    """All settings of a sweep, as names and texts; files of code with their digests."""
    about = sweep.about
    made = {key: value for key, value in about["provenance"].items() if key not in ("time", "packages")}
    parts = {"budget": about["budget"], "resources": about["resources"], "made": made | about["provenance"]["packages"]}
    more = {f"{part}: {key}": str(value) for part, values in parts.items() for key, value in values.items()}
    own = {key: value for key, value in sweep.identity.items() if key.removeprefix("fixed: ") not in PATH_KEYS}
    return {"question": str(about.get("question", ""))} | own | more


def differing(one: SweepResults, other: SweepResults) -> list[tuple[str, str, str]]:
    """The settings that differ: name, and value in each sweep. All files of code are in one line with their names."""
    here, there = settings(one), settings(other)
    names = [name for name in dict.fromkeys([*here, *there]) if here.get(name) != there.get(name)]
    files = [name for name in names if name.endswith((".py", ".yaml"))]
    lines = [(name, here.get(name, "-"), there.get(name, "-")) for name in names if name not in files]
    return [*lines, *([("code", f"{len(files)} files: {', '.join(files)}", "")] if files else [])]


def differences_table(one: SweepResults, other: SweepResults) -> Table:
    """The settings that differ, as a table for the terminal."""
    table = Table("differs", one.name, other.name, box=None, pad_edge=False, header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    for line in differing(one, other) or [("nothing", "", "")]:
        table.add_row(*line)
    return table


def curves_table(curves: dict[str, pd.DataFrame], metric: str) -> Table:
    """The best scores after equal numbers of epochs, and at the end of the longer sweep."""
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
    """The best value after so many epochs; empty before the first value and after the end."""
    at: Any = curve[curve["epochs"] <= epochs]
    return "" if at.empty or epochs > curve["epochs"].iloc[-1] else f"{at['best'].iloc[-1]:.4f}"


def fresh_seed_sentences(one: SweepResults, other: SweepResults, metric: str) -> list[str]:
    """Compare the chosen configurations of both sweeps on fresh seeds and the same test images, with an interval."""
    missing = [sweep.name for sweep in (one, other) if sweep.find_verdict() is None]
    if missing:
        commands = ", ".join(f"retrain-best {name}" for name in missing)
        return [
            "These scores are the best of many trials on one seed, so they are too optimistic. To find out how certain "
            f"the difference is, retrain on fresh seeds: {commands}."
        ]
    (chosen, runs), (its_choice, its_runs) = (retrained(sweep) for sweep in (one, other))
    seeds = sorted(set(runs) & set(its_runs))
    by_fold = {found.by_fold for found in (*runs.values(), *its_runs.values())}
    if len(by_fold) > 1:
        return ["The results on fresh seeds cannot be compared: one was retrained with --folds, the other without."]
    if len(seeds) < (1 if True in by_fold else 2):
        return ["The results on fresh seeds cannot be compared: both need at least two common seeds, preferably five."]
    if not same_images([*runs.values(), *its_runs.values()]):
        return ["The results on fresh seeds cannot be compared: the test images are not the same."]
    pair = (scored([found[seed] for seed in seeds], metric) for found in (runs, its_runs))
    ours, theirs = f"{one.name}'s choice {chosen}", f"{other.name}'s {its_choice}"
    return [*difference_sentences(ours, theirs, interval(*pair), metric), *different_lengths_warning(one, other)]


def different_lengths_warning(one: SweepResults, other: SweepResults) -> list[str]:
    """A warning if the two retrainings had different numbers of epochs."""
    epochs = [read_verdict(folder).get("epochs") for sweep in (one, other) if (folder := sweep.find_verdict())]
    if None in epochs or len(set(epochs)) < 2:
        return []
    here, there = epochs
    return [
        f"The first was trained for {here} epochs, the other for {there}, which may explain a part of the difference."
    ]


def retrained(sweep: SweepResults) -> tuple[str, dict[int, SeedCounts]]:
    """The configuration that a sweep's verdict chose, and its trainings by seed."""
    folder = sweep.find_verdict()
    assert folder is not None
    chosen = str(read_verdict(folder)["chosen"])
    return chosen, load_image_counts(folder, chosen)


def same_images(runs: list[SeedCounts]) -> bool:
    def identity(run: SeedCounts) -> tuple[Any, ...]:
        return run.images, run.crack_pixels, run.groups if run.by_fold else ()

    return all(identity(run) == identity(runs[0]) for run in runs)


def difference_sentences(one: str, other: str, found: Interval, metric: str) -> list[str]:
    """The difference of two test scores in words."""
    size = f"{metric.removeprefix('val/')} {found.mean:+.4f} {interval_text(found)}"
    on = f"on the test split, with {found.seeds} fresh seeds and images of {found.groups} groups"
    on = f"over {found.groups} folds of all photographs, with fresh seeds" if found.by_fold else on
    if found.low > 0:
        return [f"{one} is better than {other} {on}: {size}."]
    if found.high < 0:
        return [f"{one} is worse than {other} {on}: {size}."]
    if not found.is_defined:
        return [f"{one} and {other} differ by {size}; there is no interval, because all images are of one group."]
    return [f"There is no clear difference between {one} and {other} {on}: {size}.", seeds_needed_sentence(found)]


def different_data_warning(one: SweepResults, other: SweepResults) -> list[str]:
    """A warning if the two searches used different images."""
    if one.identity.get("data") == other.identity.get("data"):
        return []
    return ["The sweeps have different photographs or image sizes, so their search scores cannot be compared."]


if __name__ == "__main__":
    sys.exit(run_command(main))
