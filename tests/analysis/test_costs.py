"""What the networks of a sweep cost, and which are the best for that."""

from dataclasses import replace

import pandas as pd
import pytest
from finished import FinishedSweep

from analysis.canvas import NARROW, WIDTH
from analysis.costs import cost_table, costs_of, draw_costs, front_rows
from analysis.report import encode_figure
from analysis.results import SweepResults, load_sweep
from trainable.limits import COSTS, PREFIX


@pytest.fixture
def sweep(finished_sweep: FinishedSweep) -> SweepResults:
    return load_sweep("tiny_sweep", finished_sweep.output_root)


def with_costs(sweep: SweepResults, **parameters: float) -> SweepResults:
    """The sweep as if its trials, from the best to the worst, had so many parameters."""
    names = dict(zip(sweep.ranked["trial"], parameters.values(), strict=True))
    reports = sweep.reports.copy()
    reports[f"{PREFIX}parameters"] = [names[trial] for trial in reports["trial"]]
    return replace(sweep, reports=reports)


def test_every_trial_of_a_real_sweep_has_its_costs(sweep: SweepResults):
    costs = costs_of(sweep)
    assert costs.keys() == set(sweep.params)
    for one in costs.values():
        assert min(one.parameters, one.milliseconds, one.peak_mib) > 0


def test_on_the_front_is_who_is_better_than_all_that_are_as_cheap(sweep: SweepResults):
    table = cost_table(with_costs(sweep, first=40.0, second=10.0, third=20.0, fourth=5.0))
    assert ["parameters" in names.split() for names in table["front"]] == [True, True, False, True]


def test_where_all_trials_have_one_network_there_is_no_front(sweep: SweepResults):
    assert front_rows(sweep) == []
    assert draw_costs(sweep) is None
    assert len(front_rows(with_costs(sweep, first=4e6, second=1e6, third=2e6, fourth=5e5))) >= 3


def test_the_fronts_are_drawn_for_a_page_and_a_phone_with_the_limit(sweep: SweepResults):
    made = with_costs(sweep, first=4e6, second=1e6, third=2e6, fourth=5e5)
    made.about["limits"] = {"parameters": 6e6}
    for width in (WIDTH, NARROW):
        drawn = draw_costs(made, width)
        assert drawn is not None
        figure, table = drawn
        assert encode_figure(figure).startswith(b"\x89PNG")
        assert len(figure.axes) == len(COSTS)
        left, right = figure.axes[0].get_xlim()
        assert left <= 0.5
        assert right >= 6
        assert len(table) == 4


def test_a_sweep_of_an_older_version_has_no_costs_and_no_picture_of_them(sweep: SweepResults):
    old = replace(sweep, reports=sweep.reports[["trial", "epoch", "value"]])
    assert costs_of(old) == {}
    assert isinstance(cost_table(old), pd.DataFrame)
    assert draw_costs(old) is None
