"""How much training a search needs: ``python -m benchmarks.search_efficiency [FAMILY ...] [--methods NAME ...] ...``.

The rules of a sweep on learning curves that are looked up instead of trained (``benchmarks.landscapes``), with one
worker, beside those of ``benchmarks.searches``. Regret is that of the configuration which a search would pick by
its best report, scored without noise: 0 is the best of 1500 random full trainings, 1 their median, and it is cut off at
-1 and 1. It is given after
the epochs of a number of full trainings, with the standard error over tasks; differences to ours are paired by task and
seed, the seeds averaged first. With one task the errors are over its seeds: they say nothing of other tasks.

``--keep FOLDER`` keeps each search's figures, and does not run again what is there, as long as the landscape is the
same (a table of real trainings grows; do not search one while it does).
"""

import argparse
import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from optuna.distributions import CategoricalDistribution
from rich.console import Console
from rich.table import Table

from benchmarks.landscapes.families import FAMILIES
from benchmarks.landscapes.landscape import Landscape, Report, World, reference
from benchmarks.searches.methods import METHODS, ONLY_WITH_DEFAULT, PACKAGES
from src.errors import Parser, UserError, run_command
from src.folders import user_path
from sweeps.search.space import Params

BUDGETS = (2, 5, 10, 20)
"""Full trainings after which regret is given, as far as the family's budget goes."""
AT_BOUNDS = slice(6, 30)
"""The trials whose numbers are looked at: those of a model, in a search of an ordinary size."""
BOUND = 0.01
"""A number is at a bound of its range if it is within this share of it, on its scale."""

Array = npt.NDArray[np.float64]


class Job(NamedTuple):
    """One search."""

    method: str
    family: str
    task: str
    seed: int
    noise: float

    @property
    def name(self) -> str:
        noise = f"-noise{self.noise:g}" if self.noise else ""
        return f"{self.method}-{self.family}-{self.task}-{self.seed}{noise}"


def main(argv: list[str]) -> None:
    options = parse(argv)
    console = Console(width=180)
    for family in options.families:
        has_default = family.endswith("_default")
        skipped = {method: why for method in options.methods if (why := missing(method, has_default))}
        for why in skipped.values():
            console.print(why)
        methods = [method for method in options.methods if method not in skipped]
        tasks = options.tasks or (FAMILIES[family].check if options.check else FAMILIES[family].develop())
        if not tasks:
            raise UserError(f"--check: all tasks of {family} were used for decisions.")
        seeds = range(options.first_seed, options.first_seed + options.seeds)
        jobs = [
            Job(method, family, task, seed, options.noise) for method in methods for task in tasks for seed in seeds
        ]
        with ProcessPoolExecutor(options.processes) as pool:
            found = dict(zip(jobs, pool.map(partial(searched, keep=options.keep), jobs), strict=True))
        kind = "named" if options.tasks else "held out" if options.check else "decisions were made on them"
        console.print(f"{family}: {len(tasks)} tasks ({kind}), {len(seeds)} seeds, noise {options.noise:g}")
        console.print(table(found, methods, FAMILIES[family].budget))


def parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser(prog="python -m benchmarks.search_efficiency")
    add = parser.add_argument
    families(parser)
    add("--methods", nargs="+", default=["ours", "random", "tpe", "ray", "ray_tuned"], choices=METHODS)
    add("--tasks", nargs="+", metavar="TASK", help="default: those that decisions are made on")
    add("--check", action="store_true", help="the tasks that no decision was made on")
    add("--seeds", type=int, default=2)
    add("--first-seed", type=int, default=0)
    add("--noise", type=float, default=0.0, metavar="SD", help="of every report, in points of the score")
    add("--processes", type=int, default=len(os.sched_getaffinity(0)))
    add("--keep", type=user_path, metavar="FOLDER")
    options = parser.parse_args(argv)
    for family in options.families:
        if options.noise and not FAMILIES[family].noisy:
            parser.error(f"--noise: {family} has noise of its own, or none")
    return options


def families(parser: argparse.ArgumentParser) -> None:
    """The argument with the families to search on."""
    legal = ", ".join(FAMILIES)
    parser.add_argument(
        "families", nargs="*", type=known_family, default=["lcbench"], metavar="FAMILY", help=f"of {legal}"
    )


def known_family(word: str) -> str:
    if word not in FAMILIES:
        raise argparse.ArgumentTypeError(f"{word} is none of {', '.join(FAMILIES)}")
    return word


def missing(method: str, has_default: bool) -> str:
    """Why a method cannot search a space with or without a default; an empty text if it can."""
    if method in ONLY_WITH_DEFAULT and not has_default:
        return f"{method} is skipped: it needs a default."
    package = PACKAGES.get(method)
    if package and importlib.util.find_spec(package) is None:
        return f"{method} is skipped: {package} is not installed; make peers, and use .venv-peers/bin/python."
    return ""


@cache
def landscape(family: str, task: str, noise: float) -> Landscape:
    build: Any = FAMILIES[family].build
    return build(task, noise=noise) if noise else build(task)


def searched(job: Job, keep: Path | None = None) -> dict[str, Any]:
    """The figures of one search: ``regret`` of what it would pick after each epoch, ``at_bounds``, ``cpu_seconds``.

    Looking up curves is not in the seconds.
    """
    kept = keep / f"{job.name}.json" if keep else None
    world = World(landscape(job.family, job.task, job.noise), job.seed)
    before = json.loads(kept.read_text()) if kept and kept.exists() else {}
    if before.get("landscape") == world.landscape.name:
        return before
    epochs = FAMILIES[job.family].budget * world.asha.max_epochs
    began = time.process_time()
    reports = islice(METHODS[job.method](world), epochs)
    regret = regrets(reports, world.landscape)
    points = [world.points[trial] for trial in sorted(world.points)]
    found = {
        "landscape": world.landscape.name,
        "regret": [round(value, 4) for value in regret],
        "at_bounds": share_at_bounds(world, points[AT_BOUNDS]),
        "trials": len(points),
        "cpu_seconds": round(time.process_time() - began - world.seconds, 2),
    }
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found))
    return found


def regrets(reports: Iterator[Report], of: Landscape) -> list[float]:
    """The regret after each epoch of the trial with the best report, which has its best true epoch so far."""
    if not (scale := reference(of)).best > scale.median:
        raise UserError(f"{of.name}: the median of random points is as good as the best.")
    truths: dict[int, float] = {}
    picked, highest, found = -1, -np.inf, list[float]()
    for report in reports:
        truths[report.trial] = max(report.truth, truths.get(report.trial, -np.inf))
        if report.value > highest or picked < 0:  # a value that is not a number is never higher
            picked, highest = report.trial, max(highest, np.nan_to_num(report.value, nan=-np.inf))
        found.append((scale.best - truths[picked]) / (scale.best - scale.median))
    return np.clip(found, -1, 1).tolist()


def share_at_bounds(world: World, points: Sequence[Params]) -> float:
    """The share of all numbers in these points that lie at a bound of their range."""
    ranges: dict[str, Any] = {
        key.name: key.distribution for key in world.keys if not isinstance(key.distribution, CategoricalDistribution)
    }
    places = [place(ranges[name], value) for point in points for name, value in point.items() if name in ranges]
    return fmean(min(found, 1 - found) <= BOUND for found in places) if places else 0.0


def place(distribution: Any, value: Any) -> float:
    """Where a number lies in its range, from 0 to 1, on the range's scale."""
    scale = np.log if distribution.log else float
    low, high = scale(distribution.low), scale(distribution.high)
    return (scale(value) - low) / (high - low)


def table(found: Mapping[Job, Mapping[str, Any]], methods: Sequence[str], budget: int) -> Table:
    """A line a method: regret, its difference to ours, the share of numbers at bounds, and seconds of CPU."""
    budgets = [full for full in BUDGETS if full <= budget]
    columns = [*(f"regret @{full}" for full in budgets), *(f"less ours @{full}" for full in budgets)]
    printed = Table("method", *columns, "at bounds", "CPU s a trial", box=None, header_style="bold")
    by_method = {
        method: {job[1:]: figures for job, figures in found.items() if job.method == method} for method in methods
    }
    at = {method: {full: by_task(searches, full, budget) for full in budgets} for method, searches in by_method.items()}
    for method, searches in by_method.items():
        less = [
            in_words(at[method][full] - at["ours"][full]) if "ours" in at and method != "ours" else ""
            for full in budgets
        ]
        bounds = fmean(figures["at_bounds"] for figures in searches.values())
        seconds = sum(figures["cpu_seconds"] for figures in searches.values())
        trials = sum(figures["trials"] for figures in searches.values())
        regret = [in_words(at[method][full]) for full in budgets]
        printed.add_row(method, *regret, *less, f"{bounds:.2f}", f"{seconds / trials:.3f}")
    return printed


def by_task(searches: Mapping[tuple[Any, ...], Mapping[str, Any]], full: int, budget: int) -> Array:
    """Regret after ``full`` full trainings, one number a task: the mean over its seeds. Of one task one a seed."""
    return means((task, after(full, budget, figures["regret"])) for (_, task, *_), figures in searches.items())


def after(full: int, budget: int, regret: Sequence[float]) -> float:
    """The regret after ``full`` full trainings of a search that has had ``budget`` of them."""
    return regret[round(full * len(regret) / budget) - 1]


def means(values: Iterable[tuple[str, float]]) -> Array:
    """The mean of the values of each task; the values themselves, if all are of one task."""
    tasks: dict[str, list[float]] = {}
    for task, value in values:
        tasks.setdefault(task, []).append(value)
    first, *others = tasks.values()
    return np.array([fmean(those) for those in tasks.values()] if others else first)


def in_words(values: Array) -> str:
    """Mean and standard error."""
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():.2f} ± {error:.2f}"


if __name__ == "__main__":
    sys.exit(run_command(main))
