"""What the search did at its rungs."""

import math
from dataclasses import replace

import pandas as pd
import pytest
from finished import FinishedSweep

from analysis.results import SweepResults, load_sweep
from analysis.rungs import rung_table


@pytest.fixture
def sweep(finished_sweep: FinishedSweep) -> SweepResults:
    return load_sweep("tiny_sweep", finished_sweep.output_root)


def test_each_rung_has_the_trials_that_reached_it_and_those_that_went_on(sweep: SweepResults):
    first, end = rung_table(sweep).to_dict("records")
    epochs = sweep.trials["epochs"].tolist()
    assert (first["epoch"], first["reached"], first["went_on"]) == (1, 4, sum(count > 1 for count in epochs))
    assert (end["epoch"], end["reached"], end["went_on"]) == (3, epochs.count(3), 0)
    last = sweep.reports[sweep.reports["epoch"] == 3]["value"].tolist()
    assert end["best"] == max(last)
    assert math.isnan(end["agreement"])


def with_values(sweep: SweepResults, early: list[float], late: list[float]) -> SweepResults:
    names = [f"t{number}" for number in range(len(early))]
    lines = [*zip(names, [1] * len(names), early, strict=True), *zip(names, [3] * len(names), late, strict=True)]
    reports = pd.DataFrame(lines, columns=["trial", "epoch", "value"])
    return replace(sweep, reports=reports)


@pytest.mark.parametrize(
    ("late", "agreement"),
    [([0.5, 0.6, 0.7], 1.0), ([0.7, 0.6, 0.5], -1.0), ([0.5, 0.7, 0.6], 1 / 3)],
)
def test_agreement_is_how_far_the_order_stays_till_the_next_rung(
    sweep: SweepResults, late: list[float], agreement: float
):
    made = with_values(sweep, [0.1, 0.2, 0.3], late)
    assert rung_table(made)["agreement"].tolist()[0] == pytest.approx(agreement)


def test_of_two_trials_no_agreement_is_told(sweep: SweepResults):
    made = with_values(sweep, [0.1, 0.2], [0.5, 0.6])
    assert math.isnan(rung_table(made)["agreement"].tolist()[0])


def test_a_sweep_without_trials_has_empty_rungs(sweep: SweepResults):
    empty = rung_table(replace(sweep, reports=sweep.reports.iloc[:0]))
    assert empty["reached"].tolist() == empty["went_on"].tolist() == [0, 0]
