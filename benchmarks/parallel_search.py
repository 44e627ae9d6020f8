"""How many trials a number of places wants: ``python -m benchmarks.parallel_search [--places N ...] [--trials N ...]``.

The rules of a sweep on LCBench's learning curves (``benchmarks.search_efficiency``), with several places in made-up
time: an epoch takes exp(N(0, 0.3)) of it. All numbers of places search with the same number of trials, to the end. With
more places a proposal knows fewer results. Regret is that of the best report; 0 is the best of 1500 random full
trainings, 1 their median.
"""

import argparse
import heapq
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import count, product
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.search_efficiency import DATA, World, reference
from benchmarks.searches import METRIC, Report
from src.errors import UserError, run_command
from src.folders import user_path
from sweeps.search.sampler import ModelSampler
from sweeps.search.scheduler import Decision
from sweeps.search.state import SearchState
from sweeps.search.study import Study
from sweeps.spec import Budget

TASKS = ("3945", "7593", "34539", "126026", "146212", "167104")
SPREAD = 0.3
"""Standard deviation of the logarithm of an epoch's time."""


class Job(NamedTuple):
    """One search."""

    places: int
    trials: int
    task: str
    seed: int


class Outcome(NamedTuple):
    """What a search has come to."""

    regret: float
    time: float
    """In epochs of mean length."""
    epochs: int


def search(job: Job) -> Outcome:
    world, clock = World(job.task, job.seed, noise=0.0), np.random.default_rng([job.seed, 2])
    sampler = ModelSampler(world.space, world.seed, world.first)
    study = Study(SearchState(world.asha.build(), METRIC), sampler, Budget(trials=job.trials))
    trainings: dict[str, Iterator[Report]] = {}
    running: list[tuple[float, int, str]] = []
    order, now, best = count(), 0.0, -np.inf
    while True:
        while len(running) < job.places and (trial := study.next_trial()):
            trainings.setdefault(trial.name, world.train(trial.number, trial.params))
            heapq.heappush(running, (now + length(clock), next(order), trial.name))
        if not running:
            break
        now, _, name = heapq.heappop(running)
        report = next(trainings[name])
        best = max(best, report.truth)
        if study.report(name, study.trials[name].epochs + 1, {METRIC: report.value}) is Decision.CONTINUE:
            heapq.heappush(running, (now + length(clock), next(order), name))
    median, highest = reference(job.task)
    return Outcome((highest - best) / (highest - median), now, study.state.epochs)


def length(clock: np.random.Generator) -> float:
    """Of an epoch."""
    return float(np.exp(clock.normal(0.0, SPREAD)))


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parallel_search")
    add = parser.add_argument
    add("--places", nargs="+", type=int, default=[1, 4, 16, 32])
    add("--trials", nargs="+", type=int, default=[16, 32, 64])
    add("--tasks", nargs="+", default=TASKS, metavar="ID", help="OpenML tasks of LCBench")
    add("--seeds", type=int, default=2)
    add("--processes", type=int, default=len(os.sched_getaffinity(0)))
    add("--json", type=user_path, help="file for all outcomes")
    options = parser.parse_args(argv)
    if not DATA.is_dir():
        raise UserError(f"The surrogate is not in {DATA}: model.onnx and encoding.json of yahpo_data's lcbench.")
    jobs = [Job(*each) for each in product(options.places, options.trials, options.tasks, range(options.seeds))]
    with ProcessPoolExecutor(options.processes) as pool:
        found = dict(zip(jobs, pool.map(search, jobs), strict=True))
    table = Table("trials", "places", "regret", "standard error", "less one place", "time", "epochs", box=None)
    for trials, places in product(options.trials, options.places):
        own = [job for job in jobs if (job.trials, job.places) == (trials, places)]
        regrets = np.array([found[job].regret for job in own])
        alone = np.array([found[job._replace(places=options.places[0])].regret for job in own])
        error, less = (
            values.std(ddof=1) / np.sqrt(len(own)) if len(own) > 1 else np.nan for values in (regrets, regrets - alone)
        )
        time, epochs = (np.mean([outcome[index] for outcome in map(found.__getitem__, own)]) for index in (1, 2))
        table.add_row(
            f"{trials}", f"{places}", f"{regrets.mean():.3f}", f"{error:.3f}",
            f"{(regrets - alone).mean():+.3f} +- {less:.3f}", f"{time:.0f}", f"{epochs:.0f}",
        )  # fmt: skip
    Console(width=120).print(table)
    if options.json:
        options.json.write_text(json.dumps([job._asdict() | found[job]._asdict() for job in jobs], indent=1))


if __name__ == "__main__":
    sys.exit(run_command(main))
