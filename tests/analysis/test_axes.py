"""Where values lie on the axes of figures."""

import math
from dataclasses import replace

import numpy as np
import pytest
from finished import FinishedSweep

from analysis.axes import Scale, fractions, scale_of
from analysis.figures import FIGURES
from analysis.report import encode_figure
from analysis.results import Range, SweepResults, load_sweep

RATE, LOSS = "training.optimizer.lr_scale", "training.loss"


@pytest.fixture
def sweep(finished_sweep: FinishedSweep) -> SweepResults:
    return load_sweep("tiny_sweep", finished_sweep.output_root)


def test_a_range_that_was_searched_on_a_log_scale_is_halved_at_its_geometric_mean(sweep: SweepResults):
    scale = scale_of(sweep, RATE)
    assert scale == Scale(RATE, 0.005, 10.0, log=True)
    assert scale.fraction(scale.position({RATE: (0.005 * 10.0) ** 0.5})) == pytest.approx(0.5)
    assert scale.ticks() == [(0.005, "0.005"), (10.0, "10")]
    assert Scale("x", 1.0, 3.0).fraction(2.5) == 0.75


def test_choices_lie_side_by_side_in_the_order_of_the_space(sweep: SweepResults):
    scale = scale_of(sweep, LOSS)
    assert scale.choices == ("bce", "dice_bce", "dice_focal")
    assert [scale.fraction(scale.position({LOSS: name})) for name in scale.choices] == [0, 0.5, 1]
    assert [name for _, name in scale.ticks()] == list(scale.choices)


def test_none_is_a_choice_and_a_key_that_a_trial_lacks_is_nowhere():
    scale = Scale("clip", choices=("None", "5.0"))
    assert scale.position({"clip": None}) == 0
    assert math.isnan(scale.position({}))
    assert math.isnan(scale.fraction(scale.position({})))


def conditional(sweep: SweepResults) -> SweepResults:
    """Only some trials have a depth, which lies in no range that is known, and one has a loss that is none now."""
    first, second, *_ = sweep.params
    params = {name: dict(values) for name, values in sweep.params.items()}
    params[first] |= {"depth": 11, LOSS: "focal"}
    params[second] |= {"depth": 2}
    params[second][RATE] = 100.0
    return replace(sweep, params=params, trials=sweep.trials.assign(depth=[11, 2, None, None]))


def test_what_trials_have_tried_widens_what_is_known(sweep: SweepResults):
    made = conditional(sweep)
    assert scale_of(made, "depth") == Scale("depth", 2.0, 11.0)
    assert scale_of(made, LOSS).choices == ("bce", "dice_bce", "dice_focal", "focal")
    assert scale_of(made, RATE).high == 100.0
    assert sum(math.isnan(share) for share in fractions(made, scale_of(made, "depth"))) == 2


def test_a_key_with_other_ranges_on_other_ways_has_an_axis_for_all(sweep: SweepResults):
    first, second, *_ = sweep.params
    ranges = {first: {RATE: Range(1e-5, 1.0, log=True)}, second: {RATE: Range(0.0, 50.0)}}
    scale = scale_of(replace(sweep, ranges=ranges), RATE)
    assert (scale.low, scale.high, scale.log) == (0.0, 50.0, False)
    ranges[second] = {RATE: Range(choices=(0.1, None))}
    assert set(scale_of(replace(sweep, ranges=ranges), RATE).choices) >= {"0.1", "None"}


def test_a_value_that_never_varied_is_one_choice(sweep: SweepResults):
    params = {name: {"depth": 4} for name in sweep.params}
    assert scale_of(replace(sweep, params=params), "depth").choices == ("4",)


def test_a_label_is_short_whatever_the_value(sweep: SweepResults):
    params = {name: {"depth": 0.6767642610528996} for name in sweep.params}
    scale = scale_of(replace(sweep, params=params), "depth")
    assert scale.ticks() == [(0.0, "0.677")]
    assert scale.position({"depth": 0.6767642610528996}) == 0
    names = ["None", "resnet18", "1e-06", "0.0", "16", "tu-swin_tiny_patch4_window7_224.ms_in22k"]
    labels = ["None", "resnet18", "1e-06", "0", "16", "tu-swin_t…ms_in22k"]
    assert [name for _, name in Scale("x", choices=tuple(names)).ticks()] == labels


@pytest.mark.parametrize("name", ["parallel", "slices"])
def test_figures_of_a_conditional_space_are_drawn(sweep: SweepResults, name: str):
    drawn = FIGURES[name][1](conditional(sweep))
    assert drawn is not None
    assert encode_figure(drawn[0]).startswith(b"\x89PNG")


def test_a_trial_without_a_key_is_drawn_to_its_score_all_the_same(sweep: SweepResults):
    drawn = FIGURES["parallel"][1](conditional(sweep))
    assert drawn is not None
    axes = len(conditional(sweep).parameters)  # and that of the score
    found = [np.asarray(line.get_xydata()) for line in drawn[0].axes[0].get_lines()]
    lines = [line for line in found if len(line) > 2]
    assert len(lines) == 4
    assert all(line[-1][0] == axes and all(math.isfinite(place) for place in line[:, 1]) for line in lines)
    assert sorted(len(line) for line in lines) == [axes, axes, axes + 1, axes + 1]
