"""XGBoost on tables, by YAHPO's surrogate ``rbv2_xgboost``: 14 keys, most of them conditional on the booster.

The share of the training set stands for epochs. The curves cross: at step 2 the order of points has a rank correlation
of 0.3 to 0.65 with that at the end.
"""

from collections.abc import Sequence

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from benchmarks.landscapes.landscape import Curves, Key, with_noise
from benchmarks.landscapes.surrogate import surrogate
from src.errors import unknown
from sweeps.search.space import Params

DEVELOP = ("1040", "1485", "31", "40979", "4538", "54")
CHECK = ("1464", "23", "1067", "40994", "4134", "1494")
TREES = ("dart", "gbtree")
CATEGORIES = ("task_id", "booster", "num.impute.selected.cpo")
NUMBERS = (
    *("nrounds", "eta", "gamma", "lambda", "alpha", "subsample", "max_depth", "min_child_weight"),
    *("colsample_bytree", "colsample_bylevel", "rate_drop", "skip_drop", "trainsize", "repl"),
)
AUC = 2
"""The output of the network that is the area under the ROC curve."""


class GradientBoosting:
    epochs, grace = 27, 2
    default: Params | None = None
    keys = (
        Key("booster", CategoricalDistribution(("gblinear", "gbtree", "dart"))),
        Key("impute", CategoricalDistribution(("impute.mean", "impute.median", "impute.hist"))),
        Key("alpha", FloatDistribution(1e-3, 1e3, log=True)),
        Key("lambda", FloatDistribution(1e-3, 1e3, log=True)),
        Key("nrounds", IntDistribution(7, 2981, log=True)),
        Key("subsample", FloatDistribution(0.1, 1.0)),
        Key("colsample_bylevel", FloatDistribution(0.01, 1.0), "booster", TREES),
        Key("colsample_bytree", FloatDistribution(0.01, 1.0), "booster", TREES),
        Key("eta", FloatDistribution(1e-3, 1.0, log=True), "booster", TREES),
        Key("gamma", FloatDistribution(4.6e-5, 7.38, log=True), "booster", TREES),
        Key("max_depth", IntDistribution(1, 15), "booster", TREES),
        Key("min_child_weight", FloatDistribution(2.72, 148.0, log=True), "booster", TREES),
        Key("rate_drop", FloatDistribution(0.0, 1.0), "booster", ("dart",)),
        Key("skip_drop", FloatDistribution(0.0, 1.0), "booster", ("dart",)),
    )

    def __init__(self, task: str, noise: float = 0.0) -> None:
        """``task`` is OpenML's; ``noise`` the standard deviation of every report, in per cent of AUC."""
        _, code = surrogate("rbv2_xgboost")
        if task not in code["task_id"]:
            raise unknown("task of rbv2_xgboost", task, code["task_id"])
        self.task, self.noise, self.name = task, noise, f"xgboost {task}"

    def truths(self, points: Sequence[Params]) -> Curves:
        """AUC (points, epochs), in per cent."""
        network, code = surrogate("rbv2_xgboost")
        shares = np.linspace(1 / self.epochs, 1, self.epochs).clip(0.03, 1)
        categories, numbers = [], []
        for point in points:
            full = {**point, "num.impute.selected.cpo": point["impute"], "task_id": self.task, "repl": 10}
            coded = [code[name].get(str(full.get(name, "#na#")), 0) for name in CATEGORIES]
            row = np.array([float(full.get(name, 0.0) or 0.0) for name in NUMBERS], np.float32)
            rows = np.repeat(row[None], self.epochs, axis=0)
            rows[:, NUMBERS.index("trainsize")] = shares
            categories += [coded] * self.epochs
            numbers.append(rows)
        inputs = {"x_cat": np.array(categories, np.int32), "x_cont": np.concatenate(numbers)}
        (found,) = network.run(None, inputs)
        return found[:, AUC].reshape(len(points), self.epochs).astype(float) * 100

    def values(self, point: Params, random: np.random.Generator) -> Curves:
        return with_noise(self.truths([point])[0], self.noise, random)
