"""Where values lie on the axes of figures."""

from dataclasses import replace

import pytest
from conftest import FinishedSweep
from matplotlib.figure import Figure

from analysis.results import SweepResults, load_sweep
from analysis.scales import choices, place_of, positions, scaled, scaled_score, ticks

RATE, LOSS = "training.optimizer.lr_scale", "training.loss"


@pytest.fixture
def sweep(finished_sweep: FinishedSweep) -> SweepResults:
    return load_sweep("tiny_sweep", finished_sweep.output_root)


def test_a_range_that_was_searched_on_a_log_scale_is_halved_at_its_geometric_mean(sweep: SweepResults):
    of = sweep.ranges[RATE]
    assert of.log
    assert place_of(sweep, RATE, of.low) == 0
    assert place_of(sweep, RATE, of.high) == pytest.approx(1)
    assert place_of(sweep, RATE, (of.low * of.high) ** 0.5) == pytest.approx(0.5)
    assert ticks(sweep, RATE) == [(0.0, "0.005"), (1.0, "10")]


def test_choices_lie_side_by_side_in_the_order_of_the_space(sweep: SweepResults):
    known = choices(sweep, LOSS)
    assert [place_of(sweep, LOSS, name) for name in known] == [index / (len(known) - 1) for index in range(len(known))]
    assert [name for _, name in ticks(sweep, LOSS)] == known


def test_a_key_of_which_only_what_was_tried_is_known_has_that_as_choices(sweep: SweepResults):
    unknown = replace(sweep, about=sweep.about | {"space": {}})
    assert choices(unknown, LOSS) == sorted({params[LOSS] for params in sweep.params.values()})


def test_a_value_that_a_trial_does_not_have_has_no_place(sweep: SweepResults):
    assert place_of(sweep, RATE, None) != place_of(sweep, RATE, None)  # nan
    sweep.params[str(sweep.ranked["trial"].iloc[0])].pop(RATE)
    assert scaled(sweep, RATE)[0] != scaled(sweep, RATE)[0]


def test_the_best_score_is_at_the_top_and_the_worst_at_the_bottom(sweep: SweepResults):
    found = scaled_score(sweep)
    assert (found[0], found[-1]) == (1.0, 0.0)


def test_an_axis_is_set_up_for_what_lies_on_it(sweep: SweepResults):
    axes = Figure().subplots()
    assert positions(sweep, RATE, axes) == [sweep.params[name][RATE] for name in sweep.ranked["trial"]]
    assert axes.get_xscale() == "log"
    axes = Figure().subplots()
    positions(sweep, LOSS, axes)
    assert [text.get_text() for text in axes.get_xticklabels()] == choices(sweep, LOSS)
