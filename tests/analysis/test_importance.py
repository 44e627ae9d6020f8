"""Which parameters matter."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.importance import ENOUGH, importance, shares
from analysis.results import SweepResults


def sweep(trials: int, late: int = 0) -> SweepResults:
    """Only ``x`` matters; ``late`` of the trials reach the second rung."""
    random = np.random.default_rng(0)
    names = [f"t{number}" for number in range(trials)]
    params = {name: {"x": random.uniform(), "y": random.uniform(), "z": "ab"[random.integers(2)]} for name in names}
    rows = [(name, 1, params[name]["x"]) for name in names] + [(name, 3, params[name]["x"]) for name in names[:late]]
    reports = pd.DataFrame(rows, columns=["trial", "epoch", "value"])
    table = pd.DataFrame({"trial": names, "state": ["stopped"] * trials})
    about = {"scheduler": {"rungs": [1], "max_epochs": 3}}
    return SweepResults(Path("s"), about, "finished", table, reports, params)


def test_the_parameter_that_matters_has_the_largest_share_and_an_interval_that_says_how_sure_that_is():
    table = importance(sweep(60))
    assert set(table["epoch"]) == {1}
    assert set(table["trials"]) == {60}
    best = table.loc[table["share"].idxmax()].to_dict()
    assert best["parameter"] == "x"
    assert sum(table["share"].tolist()) == pytest.approx(1.0)
    others = table[table["parameter"] != "x"]
    assert best["low"] > max(others["share"].tolist())
    assert all(row["low"] <= row["high"] for row in table.to_dict("records"))


def test_every_rung_speaks_for_itself_and_one_with_few_trials_is_silent():
    assert set(importance(sweep(40, late=20))["epoch"]) == {1, 3}
    assert set(importance(sweep(40, late=ENOUGH - 1))["epoch"]) == {1}
    assert importance(sweep(ENOUGH - 1)).empty


def test_trials_that_failed_have_no_say():
    found = sweep(ENOUGH)
    found.trials.loc[0, "state"] = "failed"
    assert importance(found).empty


def test_a_parameter_that_every_trial_has_alike_matters_not_at_all():
    seen = [({"x": number / 20, "same": 3}, number / 20) for number in range(20)]
    assert shares(seen, ["x", "same"])["same"] == pytest.approx(0.0)
