"""What a warm start is worth: ``python -m benchmarks.warm_start [FAMILY ...] [--tasks TASK ...] [--seeds N]``.

Each task is searched as ``benchmarks.search_efficiency`` does it, three times: cold; with the trials of a search of the
next task of its family, as ``--warm-start`` uses those of a sweep on other data; and with the same trials, but their
values turned over, so that the best point there is said to be the worst. Differences to the cold search are paired;
standard errors are over tasks, the seeds averaged first. Each task is in two pairs, so they are a little too small.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import islice, product
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.landscapes.families import FAMILIES
from benchmarks.landscapes.landscape import World
from benchmarks.search_efficiency import BUDGETS, Array, after, families, in_words, landscape, means, regrets
from benchmarks.searches.ours import known_of, our_study, reports_of
from src.errors import Parser, UserError, run_command
from sweeps.search.sampler import Known
from sweeps.search.trial import Trial, TrialState, ranked
from sweeps.warm_start import POINTS

STARTS = ("cold", "warm", "misled")


class Job(NamedTuple):
    """One search."""

    start: str
    family: str
    task: str
    other: str
    seed: int


def searched(job: Job) -> list[float]:
    """The regret after each epoch."""
    epochs = FAMILIES[job.family].budget
    world = World(landscape(job.family, job.task, 0.0), job.seed)
    known = known_of(world)
    if job.start != "cold":
        known = with_trials(known, found_in(job, epochs), misled=job.start == "misled")
    reports = reports_of(world, our_study(world, known))
    return regrets(islice(reports, epochs * world.asha.max_epochs), world.landscape)


def found_in(job: Job, epochs: int) -> list[Trial]:
    """The trials of a cold search of the other task, best first."""
    world = World(landscape(job.family, job.other, 0.0), job.seed)
    study = our_study(world)
    for _ in islice(reports_of(world, study), epochs * world.asha.max_epochs):
        pass
    return ranked(study.trials.values())


def with_trials(known: Known, trials: Sequence[Trial], misled: bool) -> Known:
    if misled:
        trials = ranked(turned_over(trials))
    useful = [trial.params for trial in trials if trial.state != TrialState.FAILED and trial.params != known.default]
    return replace(known, suggested=useful[:POINTS], elsewhere=sorted(trials, key=lambda trial: trial.number))


def turned_over(trials: Sequence[Trial]) -> Iterator[Trial]:
    """The trials with the highest value of each epoch as the lowest, and so on."""
    values = {epoch: [trial.values[epoch] for trial in trials if epoch in trial.values] for epoch in epochs_of(trials)}
    sums = {epoch: max(those) + min(those) for epoch, those in values.items()}
    scores = [trial.score for trial in trials if trial.score is not None]
    for trial in trials:
        score = None if trial.score is None else max(scores) + min(scores) - trial.score
        turned = {epoch: sums[epoch] - value for epoch, value in trial.values.items()}
        yield replace(trial, values=turned, score=score)


def epochs_of(trials: Sequence[Trial]) -> set[int]:
    return {epoch for trial in trials for epoch in trial.values}


def main(argv: list[str]) -> None:
    options = parse(argv)
    for family in options.families:
        tasks = options.tasks or list(FAMILIES[family].develop())
        if len(tasks) < 2:
            raise UserError(f"{family}: a warm start needs two tasks; --tasks names them.")
        pairs = list(zip(tasks, [*tasks[1:], tasks[0]], strict=True))
        jobs = [Job(start, family, *pair, seed) for start, pair, seed in product(STARTS, pairs, range(options.seeds))]
        with ProcessPoolExecutor(options.processes) as pool:
            found = dict(zip(jobs, pool.map(searched, jobs), strict=True))
        kind = "named" if options.tasks else "decisions were made on them"
        title = f"{family}: {len(pairs)} pairs of tasks ({kind}), {options.seeds} seeds"
        Console(width=140).print(title, table(found, family))


def parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser(prog="python -m benchmarks.warm_start")
    add = parser.add_argument
    families(parser)
    add("--tasks", nargs="+", metavar="TASK", help="default: those that decisions are made on")
    add("--seeds", type=int, default=2)
    add("--processes", type=int, default=len(os.sched_getaffinity(0)))
    return parser.parse_args(argv)


def table(found: Mapping[Job, Sequence[float]], family: str) -> Table:
    """A line a start: regret, and its difference to the cold search."""
    budgets = [full for full in BUDGETS if full <= FAMILIES[family].budget]
    columns = [*(f"regret @{full}" for full in budgets), *(f"less cold @{full}" for full in budgets)]
    printed = Table("start", *columns, box=None, header_style="bold")
    at = {start: {full: by_task(found, start, family, full) for full in budgets} for start in STARTS}
    for start in STARTS:
        less = [in_words(at[start][full] - at["cold"][full]) if start != "cold" else "" for full in budgets]
        printed.add_row(start, *(in_words(at[start][full]) for full in budgets), *less)
    return printed


def by_task(found: Mapping[Job, Sequence[float]], start: str, family: str, full: int) -> Array:
    """Regret after ``full`` full trainings, one number a task: the mean over its seeds."""
    return means(
        (job.task, after(full, FAMILIES[family].budget, regret)) for job, regret in found.items() if job.start == start
    )


if __name__ == "__main__":
    sys.exit(run_command(main))
