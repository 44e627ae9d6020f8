"""How many trials a number of places wants: ``python -m benchmarks.parallel_search [FAMILY ...] [--places N ...]``.

The rules of a sweep on learning curves that are looked up (``benchmarks.search_efficiency``), to its end, with several
places in made-up time: an epoch takes exp(N(0, 0.3)) of it. With more places a proposal knows fewer results. Regret is
that of the trial with the best report; 0 is the best of 1500 random full trainings, 1 their median; standard errors are
over tasks. Beside it: random search with full trainings, one after the other, after as many epochs.
"""

import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import islice, product
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.landscapes.families import FAMILIES
from benchmarks.landscapes.landscape import World
from benchmarks.search_efficiency import families, landscape, means, regrets
from benchmarks.searches.methods import random_full
from benchmarks.searches.ours import our_study, timed_reports
from src.errors import Parser, run_command
from src.folders import user_path

TASKS = 6
"""Of each family, the first ones."""
SPREAD = 0.3
"""Standard deviation of the logarithm of an epoch's time."""


class Job(NamedTuple):
    """One search."""

    places: int
    trials: int
    family: str
    task: str
    seed: int


class Outcome(NamedTuple):
    """What a search has come to."""

    regret: float
    time: float
    """In epochs of median length."""
    epochs: int
    random: float
    """Regret of random search after as many epochs."""


def search(job: Job) -> Outcome:
    world = World(landscape(job.family, job.task, 0.0), job.seed)
    study = our_study(world, trials=job.trials)
    chance = np.random.default_rng([job.seed, 2])
    timed = list(timed_reports(world, study, job.places, lambda: float(np.exp(chance.normal(0.0, SPREAD)))))
    found, epochs = regrets((report for _, report in timed), world.landscape), study.state.epochs
    again = World(world.landscape, job.seed)
    random = regrets(islice(random_full(again), epochs), world.landscape)
    return Outcome(found[-1], timed[-1][0], epochs, random[-1])


def main(argv: list[str]) -> None:
    parser = Parser(prog="python -m benchmarks.parallel_search")
    add = parser.add_argument
    families(parser)
    add("--places", nargs="+", type=int, default=[1, 4, 16, 32])
    add("--trials", nargs="+", type=int, default=[16, 32, 64])
    add("--seeds", type=int, default=2)
    add("--processes", type=int, default=len(os.sched_getaffinity(0)))
    add("--json", type=user_path, help="file for all outcomes")
    options = parser.parse_args(argv)
    tasks = [(family, task) for family in options.families for task in FAMILIES[family].develop()[:TASKS]]
    jobs = [
        Job(places, trials, *task, seed)
        for places, trials, task, seed in product(options.places, options.trials, tasks, range(options.seeds))
    ]
    with ProcessPoolExecutor(options.processes) as pool:
        found = dict(zip(jobs, pool.map(search, jobs), strict=True))
    table = Table(
        "family",
        "trials",
        "places",
        "regret",
        "standard error",
        f"less {options.places[0]} places",
        "time",
        "epochs",
        "random",
        box=None,
    )
    for family, trials, places in product(options.families, options.trials, options.places):
        own = [job for job in jobs if (job.family, job.trials, job.places) == (family, trials, places)]
        regret = means((job.task, found[job].regret) for job in own)
        alone = means((job.task, found[job._replace(places=options.places[0])].regret) for job in own)
        error, less = (
            values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
            for values in (regret, regret - alone)
        )
        time, epochs, random = np.mean([found[job][1:] for job in own], axis=0)
        table.add_row(
            family, f"{trials}", f"{places}", f"{regret.mean():.3f}", f"{error:.3f}",
            f"{(regret - alone).mean():+.3f} +- {less:.3f}", f"{time:.0f}", f"{epochs:.0f}", f"{random:.3f}",
        )  # fmt: skip
    Console(width=120).print(table)
    if options.json:
        options.json.write_text(json.dumps([job._asdict() | found[job]._asdict() for job in jobs], indent=1))


if __name__ == "__main__":
    sys.exit(run_command(main))
