"""Importance of parameters: Optuna's PED-ANOVA (Watanabe et al. 2023), for each rung separately.

Scores at different rungs cannot be compared, so each rung has its own result, from the trials that reached it. With few
trials the result is mostly noise; bootstrap samples of the trials show how much.
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
"""Rungs with fewer trials are left out."""
SAMPLES = 100


def importance(sweep: SweepResults) -> pd.DataFrame:
    """One row per rung and parameter: ``epoch``, ``trials``, ``parameter``, ``share``, ``low`` and ``high``.

    The shares at a rung sum to 1. In 80 % of ``SAMPLES`` bootstrap samples the share is from ``low`` to ``high``. Keys
    that not every trial has are left out, and so are rungs with fewer than ``ENOUGH`` trials.
    """
    rows: list[dict[str, Any]] = []
    reports: Any = sweep.reports
    failed = set(sweep.trials[sweep.trials["state"] == "failed"]["trial"])
    for epoch in sweep.rungs:
        at = reports[(reports["epoch"] == epoch) & ~reports["trial"].isin(failed)].dropna(subset="value")
        trials = [(sweep.params[name], float(value)) for name, value in zip(at["trial"], at["value"], strict=True)]
        keys = [key for key in sweep.parameters if all(key in params for params, _ in trials)]
        count = len(trials)
        if count < ENOUGH or len(keys) < 2:
            continue
        of_all, random = shares(trials, keys), np.random.default_rng(0)
        samples = [shares([trials[one] for one in random.integers(count, size=count)], keys) for _ in range(SAMPLES)]
        for key in keys:
            low, high = np.quantile([sample[key] for sample in samples], [0.1, 0.9])
            row = {"epoch": epoch, "trials": count, "parameter": key, "share": of_all[key]}
            rows.append(row | {"low": low, "high": high})
    return pd.DataFrame(rows, columns=["epoch", "trials", "parameter", "share", "low", "high"])


def shares(trials: Sequence[tuple[Mapping[str, Any], float]], keys: Sequence[str]) -> dict[str, float]:
    """Each key's share in the difference between the best third of the trials and all of them."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize")
    distributions = {key: distribution([params[key] for params, _ in trials]) for key in keys}
    study.add_trials(
        [
            create_trial(params={key: params[key] for key in keys}, distributions=distributions, value=value)
            for params, value in trials
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the evaluator is marked as experimental
        evaluator = PedAnovaImportanceEvaluator(target_quantile=1 / 3)
        importances = get_param_importances(study, evaluator=evaluator, params=list(keys))
    return {key: float(importances[key]) for key in keys}


def distribution(values: Sequence[Any]) -> BaseDistribution:
    """A distribution that fits these values. Numbers that differ by orders of magnitude get a logarithmic scale."""
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return CategoricalDistribution(list(dict.fromkeys(values)))
    low, high = float(min(values)), float(max(values))
    return FloatDistribution(low, high, log=low > 0 and high > 10 * low)
