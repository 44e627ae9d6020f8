"""Prints the trials of a sweep, best first: ``python -m analysis.leaderboard NAME``; without NAME, lists all sweeps."""

import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from analysis.results import SweepResults, load_sweep, no_sweep, read_folder, sweeps_dir
from analysis.score_rules import RULES, best_by_rule, scores_by_rule
from src.errors import Parser, UserError, outlive_reader, run_command
from src.folders import user_path
from src.tables import PlainConsole, fitted
from sweeps.leaderboard import in_words, short, short_names

PLAIN_WIDTH = 200  # characters per line when the output is a file or a pipe


def main(argv: list[str]) -> None:
    parser = Parser(prog="python -m analysis.leaderboard", description=__doc__)
    parser.add_argument("name", nargs="?", help="the sweep's folder under outputs/sweeps")
    parser.add_argument("--top", type=int, help="show only the best TOP trials")
    parser.add_argument("--csv", type=user_path, help="CSV file for all trials, with the command that repeats each one")
    parser.add_argument(
        "--output-root", type=user_path, help="the output_root of the sweep (default: the configured one)"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args(argv)
    if options.csv:
        outlive_reader()
    console = PlainConsole(PLAIN_WIDTH)
    if options.name is None:
        list_sweeps(options.output_root, console)
        return
    sweep = load_sweep(options.name, options.output_root)
    console.print(summary_line(sweep))
    for table in render_tables(sweep, options.top, console.width):
        console.print(table)
    for line in [*reasons(sweep, options.top), *disagreement_lines(sweep)]:
        console.print(line)
    example = sweep.trials["trial"].iloc[0] if len(sweep.trials) else "TRIAL"
    console.print(f"Repeat a trial: {rerun_command(sweep, str(example))}")
    if options.csv:
        leaderboard_frame(sweep).to_csv(options.csv, index=False)
        console.print(f"All trials: {options.csv}")


def list_sweeps(output_root: Path | None, console: Console) -> None:
    """Print one line per sweep: its state, trials and best score."""
    root = sweeps_dir(output_root)
    folders = sorted(path.parent for path in root.glob("*/sweep.yaml"))
    if not folders:
        raise no_sweep(root)
    for folder in folders:
        try:
            console.print(summary_line(read_folder(folder)))
        except UserError as error:
            console.print(str(error))


def summary_line(sweep: SweepResults) -> str:
    """``quickstart: finished, 10 trials (2 complete, 8 stopped), 64 epochs; by val/iou_best the best is t0003 ...``."""
    states = Counter(sweep.trials["state"].tolist()).most_common()
    counts = ", ".join(f"{count} {state}" for state, count in states)
    trials = f"{len(sweep.trials)} trials{f' ({counts})' if counts else ''}"
    head = f"{sweep.name}: {sweep.state}, {trials}, {sum(sweep.trials['epochs'].tolist())} epochs"
    if sweep.ranked.empty:
        return head
    best, score = sweep.ranked["trial"].iloc[0], sweep.ranked["score"].iloc[0]
    return f"{head}; by {sweep.metric} the best is {best}, {score:.4f}"


def rerun_command(sweep: SweepResults, trial: str) -> str:
    """The command that trains a trial again, bit for bit on a CPU."""
    return f"python run.py {shlex.quote(str(sweep.folder / trial / 'overrides.yaml'))}"


def leaderboard_frame(sweep: SweepResults) -> Any:
    """``SweepResults.trials`` with the score under every rule, and the command that repeats each trial."""
    scores = scores_by_rule(sweep)
    table: Any = sweep.trials.drop(columns="score").copy()
    for position, rule in enumerate(RULES):
        table.insert(4 + position, rule, [scores[name].get(rule) for name in table["trial"]])
    table["repeat"] = [rerun_command(sweep, name) for name in table["trial"]]
    return table


def render_tables(sweep: SweepResults, top: int | None, width: int) -> Iterator[Table]:
    """The trials as tables that fit ``width``."""
    scores = scores_by_rule(sweep)
    names = [name.replace("_", " ") for name in short_names(sweep.parameters)]
    rows: list[list[str]] = []
    for row in selected(sweep, top):
        values = [f"{scores[row['trial']][rule]:.4f}" if scores[row["trial"]] else "-" for rule in RULES]
        params = [short(sweep.params[row["trial"]].get(key, "")) for key in sweep.parameters]
        state = in_words(row["state"], sweep.micro_batches.get(row["trial"]))
        counts = [str(row["best_epoch"] or "-"), str(row["epochs"])]
        rows.append([row["trial"], *values, *counts, state, row["origin"], *params])
    numbers = (*RULES, "at epoch", "of")
    heads = ["trial", *numbers, "state", "origin", *names]
    return fitted(heads, rows, width, texts={head for head in heads if head not in numbers})


def selected(sweep: SweepResults, top: int | None) -> list[dict[str, Any]]:
    """The best ``top`` trials (None: all), best first."""
    return sweep.trials.head(top or len(sweep.trials)).to_dict("records")


def reasons(sweep: SweepResults, top: int | None) -> list[str]:
    """The recorded reasons of trials, as of those that failed."""
    return [f"{row['state']}: {row['trial']}: {row['reason']}" for row in selected(sweep, top) if row["reason"]]


def disagreement_lines(sweep: SweepResults) -> list[str]:
    """The best trial under each score rule, if they differ."""
    found = best_by_rule(sweep)
    if len({trial for trial, _ in found.values()}) < 2:
        return []
    chosen = "; ".join(f"{rule} {trial} {value:.4f}" for rule, (trial, value) in found.items())
    return [f"The best trial depends on the score rule: {chosen}."]


if __name__ == "__main__":
    sys.exit(run_command(main))
