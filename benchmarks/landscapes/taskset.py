"""TaskSet: real trainings of recurrent networks with Adam, 8 parameters, 51 reports (Metz et al. 2020).

1000 trainings a task, a quarter of which diverges, and most of which never learn. The optimum lies inside of the space.
A point comes to the real curve of the table's nearest training (``benchmarks.landscapes.nearest``).
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from optuna.distributions import FloatDistribution

from benchmarks.landscapes.landscape import SHARED, Curves, Key
from benchmarks.landscapes.nearest import NearestRow
from src.errors import UserError, unknown
from sweeps.search.space import Params

FOLDER = SHARED / "taskset"
ADAM: Params = {
    "learning_rate": 1e-3,
    "one_minus_beta1": 0.1,
    "one_minus_beta2": 1e-3,
    "epsilon": 1e-8,
    "l1": 1e-8,
    "l2": 1e-8,
    "linear_decay": 1e-7,
    "exponential_decay": 1e-6,
}
"""Adam's default."""


class TaskSet:
    epochs, grace = 51, 3
    keys = (
        Key("learning_rate", FloatDistribution(1e-7, 1.0, log=True)),
        Key("one_minus_beta1", FloatDistribution(1e-4, 1.0, log=True)),
        Key("one_minus_beta2", FloatDistribution(1e-6, 1e-1, log=True)),
        Key("epsilon", FloatDistribution(1e-10, 1e3, log=True)),
        Key("l1", FloatDistribution(1e-8, 10.0, log=True)),
        Key("l2", FloatDistribution(1e-8, 10.0, log=True)),
        Key("linear_decay", FloatDistribution(1e-7, 1e-4, log=True)),
        Key("exponential_decay", FloatDistribution(1e-6, 1e-3, log=True)),
    )

    def __init__(self, task: str, default: bool = False) -> None:
        """``task``: the beginning of a file's name. ``default``: whether Adam's default is known."""
        self.task = task
        self.default: Params | None = ADAM if default else None
        self.name = f"taskset {task}"
        table_of(task)

    def truths(self, points: Sequence[Params]) -> Curves:
        """100 exp(-validation loss)."""
        nearest, curves = table_of(self.task)
        numbers = np.array([[float(point[key.name] or 0.0) for key in self.keys] for point in points])
        return curves[nearest.rows(np.log(numbers))]

    def values(self, point: Params, random: np.random.Generator) -> Curves:
        return self.truths([point])[0]


def tasks() -> list[str]:
    """The tables that are there, by the number at the beginning of their names."""
    if not FOLDER.is_dir():
        raise UserError(f"The tables of TaskSet are not in {FOLDER}.")
    return [path.name[:2] for path in sorted(FOLDER.glob("*.npz"))]


@cache
def table_of(task: str) -> tuple[NearestRow, Curves]:
    if task not in tasks():
        raise unknown("task of taskset", task, tasks())
    (path,) = FOLDER.glob(f"{task}_*.npz")
    table = np.load(path)
    curves = 100 * np.exp(-table["valid_loss"].astype(float))
    return NearestRow(np.log(table["configs"]), curves, (11, 26, 51)), curves
