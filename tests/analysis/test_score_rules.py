"""One number of a trial's epochs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.results import SweepResults
from analysis.score_rules import RULES, best_by_rule, scores_by_rule


def sweep(**values: list[float]) -> SweepResults:
    """Trials by name with a value an epoch."""
    rows = [(name, epoch + 1, value) for name, found in values.items() for epoch, value in enumerate(found)]
    trials = pd.DataFrame(
        {"trial": list(values), "state": "stopped", "score": [max(found) for found in values.values()]}
    )
    reports = pd.DataFrame(rows, columns=["trial", "epoch", "value"])
    return SweepResults(Path("s"), {"metric": "val/iou"}, "finished", trials, reports, {})


@pytest.mark.parametrize(
    ("values", "scores"),
    [
        ([0.1, 0.9, 0.2, 0.3, 0.4], {"best": 0.9, "last": 0.4, "smoothed": 1.4 / 3}),
        ([0.1, 0.2], {"best": 0.2, "last": 0.2, "smoothed": 0.15}),
        ([0.5], {"best": 0.5, "last": 0.5, "smoothed": 0.5}),
    ],
)
def test_a_lucky_epoch_is_the_best_and_not_the_smoothed(values: list[float], scores: dict[str, float]):
    assert {rule: score(np.array(values)) for rule, score in RULES.items()} == pytest.approx(scores)


def test_rules_may_pick_different_trials():
    found = best_by_rule(sweep(lucky=[0.1, 0.9, 0.1, 0.1], steady=[0.5, 0.6, 0.6, 0.6], late=[0.1, 0.2, 0.3, 0.7]))
    assert {rule: trial for rule, (trial, _) in found.items()} == {
        "best": "lucky",
        "last": "late",
        "smoothed": "steady",
    }


def test_a_trial_without_a_value_or_that_failed_is_nobodys_pick():
    found = sweep(good=[0.5], failed=[0.9])
    found.trials.loc[found.trials["trial"] == "failed", "state"] = "failed"
    assert {trial for trial, _ in best_by_rule(found).values()} == {"good"}
    none = replace(found, reports=found.reports.iloc[:0])
    assert scores_by_rule(none) == {"good": {}, "failed": {}}
    assert best_by_rule(replace(found, trials=found.trials.iloc[:0])) == {}
