"""Which parameters matter: PED-ANOVA (Watanabe et al. 2023), by Optuna, at each rung for itself.

Trials of different rungs cannot be compared, so each rung has its own answer, of the trials that reached it. With few
trials the answer is mostly chance: how much is said by drawing the trials anew, with replacement.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from analysis.results import SweepResults

ENOUGH = 8
"""Trials at a rung, below which nothing is said."""
DRAWS = 100


def importance(sweep: SweepResults) -> pd.DataFrame:
    """A row a rung and parameter: ``epoch``, ``trials``, ``parameter``, ``share`` (they sum to 1), ``low``, ``high``.

    ``low`` to ``high`` hold 80 % of the shares of ``DRAWS`` bootstrap samples. Keys that not every trial has are left
    out, and so are rungs with fewer than ``ENOUGH`` trials.
    """
    rows: list[dict[str, Any]] = []
    reports: Any = sweep.reports
    failed = set(sweep.trials[sweep.trials["state"] == "failed"]["trial"])
    for epoch in sweep.rungs:
        at = reports[(reports["epoch"] == epoch) & ~reports["trial"].isin(failed)].dropna(subset="value")
        seen = [(sweep.params[name], float(value)) for name, value in zip(at["trial"], at["value"], strict=True)]
        keys = [key for key in sweep.parameters if all(key in params for params, _ in seen)]
        if len(seen) < ENOUGH or len(keys) < 2:
            continue
        found, random = shares(seen, keys), np.random.default_rng(0)
        drawn = [shares([seen[one] for one in random.integers(len(seen), size=len(seen))], keys) for _ in range(DRAWS)]
        for key in keys:
            low, high = np.quantile([draw[key] for draw in drawn], [0.1, 0.9])
            line = {"epoch": epoch, "trials": len(seen), "parameter": key, "share": found[key]}
            rows.append(line | {"low": low, "high": high})
    return pd.DataFrame(rows, columns=["epoch", "trials", "parameter", "share", "low", "high"])


def shares(seen: Sequence[tuple[Mapping[str, Any], float]], keys: Sequence[str]) -> dict[str, float]:
    """Each key's share in what tells the best third of these trials from all."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize")
    known = {key: distribution([params[key] for params, _ in seen]) for key in keys}
    study.add_trials(
        [
            create_trial(params={key: params[key] for key in keys}, distributions=known, value=value)
            for params, value in seen
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the evaluator is experimental
        evaluator = PedAnovaImportanceEvaluator(target_quantile=1 / 3)
        found = get_param_importances(study, evaluator=evaluator, params=list(keys))
    return {key: float(found[key]) for key in keys}


def distribution(values: Sequence[Any]) -> BaseDistribution:
    """What these values may have been drawn from: numbers over orders of magnitude on a logarithmic scale."""
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return CategoricalDistribution(list(dict.fromkeys(values)))
    low, high = float(min(values)), float(max(values))
    return FloatDistribution(low, high, log=low > 0 and high > 10 * low)
