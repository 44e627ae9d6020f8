"""LCBench: multilayer perceptrons on tables, 7 parameters, 51 epochs, by YAHPO's surrogate.

Its optima lie in corners of the space (the smallest batches, the highest momentum), the last epoch is always the best,
and equal points have equal curves: it flatters a smooth model.
"""

from collections.abc import Sequence

import numpy as np
from optuna.distributions import FloatDistribution, IntDistribution

from benchmarks.landscapes.landscape import Curves, Key, with_noise
from benchmarks.landscapes.surrogate import surrogate
from src.errors import unknown
from sweeps.search.space import Params

DEVELOP = (
    *("3945", "7593", "34539", "126026", "146212", "167104"),
    *("167149", "167168", "167185", "168331", "168868", "189354"),
)
"""Tasks that decisions were made on."""
CHECK = ("126025", "167200", "189906", "168910", "167190", "189908")
"""Tasks that were looked at for nothing but the published figures."""


class LCBench:
    epochs, grace = 51, 3
    default: Params | None = None
    keys = (
        Key("batch_size", IntDistribution(16, 512, log=True)),
        Key("learning_rate", FloatDistribution(1e-4, 0.1, log=True)),
        Key("momentum", FloatDistribution(0.1, 0.99)),
        Key("weight_decay", FloatDistribution(1e-5, 0.1)),
        Key("num_layers", IntDistribution(1, 5)),
        Key("max_units", IntDistribution(64, 1024, log=True)),
        Key("max_dropout", FloatDistribution(0.0, 1.0)),
    )

    def __init__(self, task: str, noise: float = 0.0) -> None:
        """``task`` is OpenML's; ``noise`` the standard deviation of every report, in points of accuracy."""
        _, code = surrogate("lcbench")
        if task not in code["OpenML_task_id"]:
            raise unknown("task of lcbench", task, [name for name in code["OpenML_task_id"] if name.isdigit()])
        self.task, self.noise, self.name = task, noise, f"lcbench {task}"

    def truths(self, points: Sequence[Params]) -> Curves:
        """Validation accuracy (points, epochs), in per cent."""
        network, code = surrogate("lcbench")
        count = len(points)
        continuous = np.zeros((count * self.epochs, 8), np.float32)
        continuous[:, 0] = np.tile(np.arange(1, self.epochs + 1), count)
        values = np.array([[point[key.name] for key in self.keys] for point in points], np.float32)
        continuous[:, 1:] = np.repeat(values, self.epochs, axis=0)
        categorical = np.full((count * self.epochs, 1), code["OpenML_task_id"][self.task], np.int32)
        (found,) = network.run(None, {"x_cat": categorical, "x_cont": continuous})
        return found[:, 1].reshape(count, self.epochs).astype(float)

    def values(self, point: Params, random: np.random.Generator) -> Curves:
        return with_noise(self.truths([point])[0], self.noise, random)
