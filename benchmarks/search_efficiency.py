"""How much training a search needs: ``python -m benchmarks.search_efficiency [--tasks ID ...] [--seeds N] ...``.

The rules of a sweep on learning curves that are looked up instead of trained: LCBench's, by the YAHPO surrogate
(Pfisterer et al. 2022, arXiv 2109.03670), with 7 parameters and 51 epochs. One worker; a budget of 20 full trainings.
Beside them the peers of ``benchmarks.searches``. Regret is that of the configuration which a search would pick, by its
best report; 0 is the best of 1500 random full trainings, 1 their median. With ``--noise`` every report has Gaussian
noise added, and the pick is scored without it.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import onnxruntime
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from rich.console import Console
from rich.table import Table

from benchmarks.searches import METHODS, Report, random_points
from src.errors import UserError, run_command, unknown
from src.folders import user_path
from sweeps.search.space import Params
from sweeps.spec import Asha

DATA = Path(__file__).parents[2] / "shared" / "data" / "lcbench"
TASKS = (
    *("3945", "7593", "34539", "126026", "146212", "167104"),
    *("167149", "167168", "167185", "168331", "168868", "189354"),
)
EPOCHS = 51
BUDGET = 20

SPACE: dict[str, BaseDistribution] = {
    "batch_size": IntDistribution(16, 512, log=True),
    "learning_rate": FloatDistribution(1e-4, 0.1, log=True),
    "momentum": FloatDistribution(0.1, 0.99),
    "weight_decay": FloatDistribution(1e-5, 0.1),
    "num_layers": IntDistribution(1, 5),
    "max_units": IntDistribution(64, 1024, log=True),
    "max_dropout": FloatDistribution(0.0, 1.0),
}

Curve = npt.NDArray[np.float32]


class World:
    """A task to search on: looks up curves, and adds noise."""

    space: Mapping[str, BaseDistribution] = SPACE
    asha = Asha(grace_period=3, reduction_factor=3, max_epochs=EPOCHS)

    def __init__(self, task: str, seed: int, noise: float) -> None:
        self.task, self.seed, self.noise = task, seed, noise
        self.first = next(random_points(SPACE, seed))
        self.random = np.random.default_rng([seed, 1])

    def train(self, trial: int, point: Params) -> Iterator[Report]:
        for truth in curves(self.task, [point])[0].tolist():
            yield Report(trial, truth + self.noise * float(self.random.normal()) if self.noise else truth, truth)


def main(argv: list[str]) -> None:
    options = parse(argv)
    if not DATA.is_dir():
        raise UserError(f"The surrogate is not in {DATA}: model.onnx and encoding.json of yahpo_data's lcbench.")
    legal = json.loads((DATA / "encoding.json").read_text())["OpenML_task_id"]
    for task in options.tasks:
        if task not in legal:
            raise unknown("task", task, legal)
    jobs = [
        (method, task, seed, options.noise)
        for method in options.methods
        for task in options.tasks
        for seed in range(options.seeds)
    ]
    with ProcessPoolExecutor(options.processes) as pool:
        found = dict(zip(jobs, pool.map(regrets, jobs), strict=True))
    shape = (len(options.tasks), options.seeds, -1)
    by_method = {
        method: np.array([found[job] for job in jobs if job[0] == method]).reshape(shape) for method in options.methods
    }
    report(by_method, options)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_efficiency")
    add = parser.add_argument
    add("--tasks", nargs="+", default=TASKS, metavar="ID", help="OpenML tasks of LCBench")
    add("--seeds", type=int, default=10)
    add("--noise", type=float, default=0.0, metavar="SD", help="of every report, in points of accuracy")
    add("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    add("--processes", type=int, default=len(os.sched_getaffinity(0)))
    add("--json", type=user_path, help="file for every method's mean regret after each epoch, and per task at the end")
    return parser.parse_args(argv)


def regrets(job: tuple[str, str, int, float]) -> npt.NDArray[np.float64]:
    """The regret of what a search would pick, after each epoch of the budget."""
    method, task, seed, noise = job
    median, best = reference(task)
    spent: list[float] = []
    truths: dict[int, float] = {}
    picked, highest = 0, -np.inf
    for found in METHODS[method](World(task, seed, noise)):
        truths[found.trial] = max(found.truth, truths.get(found.trial, -np.inf))
        if found.value > highest:
            picked, highest = found.trial, found.value
        spent.append((best - truths[picked]) / (best - median))
        if len(spent) == BUDGET * EPOCHS:
            break
    return np.clip(spent, -1, 1)


def report(by_method: dict[str, npt.NDArray[np.float64]], options: argparse.Namespace) -> None:
    """Print, and write where asked, each method's regret and the budget that it needs for random search's."""
    means = {method: array.mean(axis=(0, 1)) for method, array in by_method.items()}
    target = means["random"][-1] if "random" in means else None
    columns = [f"regret @{budget}" for budget in (2, 5, 10, BUDGET)]
    table = Table("method", *columns, "standard error", "budgets to random's @20", box=None, header_style="bold")
    for method, mean in means.items():
        final = by_method[method][:, :, -1]
        error = final.std(ddof=1) / np.sqrt(final.size) if final.size > 1 else np.nan
        regret = [f"{mean[budget * EPOCHS - 1]:.3f}" for budget in (2, 5, 10, BUDGET)]
        table.add_row(method, *regret, f"{error:.3f}", needed(mean, target))
    console = Console(width=120)
    console.print(f"{len(options.tasks)} tasks, {options.seeds} seeds, noise {options.noise:g}")
    console.print(table)
    if options.json:
        content = {
            "tasks": list(options.tasks),
            "seeds": options.seeds,
            "noise": options.noise,
            "methods": {
                method: {"mean": means[method].tolist(), "final": array[:, :, -1].tolist()}
                for method, array in by_method.items()
            },
        }
        options.json.write_text(json.dumps(content))


def needed(mean: npt.NDArray[np.float64], target: float | None) -> str:
    """Full trainings until the mean regret is at most the target."""
    reached = [] if target is None else np.flatnonzero(mean <= target)
    return f"{(reached[0] + 1) / EPOCHS:.1f}" if len(reached) else "never"


@cache
def reference(task: str) -> tuple[float, float]:
    """Median and best accuracy of random points that are trained fully."""
    points = random_points(SPACE, 123)
    best = np.concatenate([curves(task, [next(points) for _ in range(100)]).max(axis=1) for _ in range(15)])
    return float(np.median(best)), float(best.max())


def curves(task: str, points: Sequence[Params]) -> Curve:
    """Validation accuracy (points, epochs), in per cent, by the surrogate."""
    session, code = surrogate()
    count = len(points)
    continuous = np.zeros((count * EPOCHS, 8), np.float32)
    continuous[:, 0] = np.tile(np.arange(1, EPOCHS + 1), count)
    values = np.array([[point[key] for key in SPACE] for point in points], np.float32)
    continuous[:, 1:] = np.repeat(values, EPOCHS, axis=0)
    categorical = np.full((count * EPOCHS, 1), code[task], np.int32)
    (found,) = session.run(None, {"x_cat": categorical, "x_cont": continuous})
    return cast(Curve, found)[:, 1].reshape(count, EPOCHS)


@cache
def surrogate() -> tuple[Any, dict[str, int]]:
    """The network, on one thread, and its code for each task."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    code = json.loads((DATA / "encoding.json").read_text())["OpenML_task_id"]
    return onnxruntime.InferenceSession(str(DATA / "model.onnx"), options), code


if __name__ == "__main__":
    sys.exit(run_command(main))
