"""Kinds of networks after equal seconds of training."""

from dataclasses import replace

import pandas as pd
import pytest
from finished import FinishedSweep

from analysis.canvas import NARROW, WIDTH
from analysis.equal_time import curves_of, draw_equal_time, equal_time, kinds_of
from analysis.report import encode_figure, kind_rows
from analysis.results import Range, SweepResults, load_sweep

# of each trial: its encoder, the seconds of an epoch, and its value after each
TRIALS = {
    "t0000-a": ("resnet18", 1.0, [0.1, 0.3, 0.2, 0.4]),
    "t0001-b": ("resnet18", 1.0, [0.2, 0.25]),
    "t0002-c": ("convnext_tiny", 2.0, [0.2, 0.35, 0.6]),
    "t0003-d": ("mit_b0", 1.5, [0.1, 0.15]),
}


@pytest.fixture
def sweep(finished_sweep: FinishedSweep) -> SweepResults:
    """A real sweep's results as if it had searched over encoders."""
    found = load_sweep("tiny_sweep", finished_sweep.output_root)
    rows = [
        {"trial": trial, "epoch": epoch, "value": value, "epoch_seconds": seconds}
        for trial, (_, seconds, values) in TRIALS.items()
        for epoch, value in enumerate(values, start=1)
    ]
    trials = pd.DataFrame({"trial": list(TRIALS), "number": range(4), "state": "complete", "score": 0.5})
    params = {trial: {"model.encoder": encoder, "seed": 1} for trial, (encoder, _, _) in TRIALS.items()}
    encoders = Range(choices=("resnet18", "convnext_tiny", "mit_b0"))
    ranges = {trial: {"model.encoder": encoders, "seed": Range(0, 9)} for trial in TRIALS}
    return replace(found, trials=trials, reports=pd.DataFrame(rows), params=params, ranges=ranges)


def test_a_kind_is_its_best_trial_after_as_long_as_every_kind_was_trained(sweep: SweepResults):
    found = equal_time(sweep)
    assert found["kind"].tolist() == ["resnet18", "convnext_tiny", "mit_b0"]  # the best in the end is not the first
    assert set(found["seconds"]) == {3.0}  # of mit_b0
    assert found["score"].tolist() == [0.3, 0.2, 0.15]
    assert found["epoch"].tolist() == [2, 1, 2]
    assert found["trial"].tolist() == ["t0000-a", "t0002-c", "t0003-d"]
    assert found["trials"].tolist() == [2, 1, 1]
    assert [row[0] for row in kind_rows(sweep)] == found["kind"].tolist()


def test_a_kind_whose_first_epoch_takes_longest_is_there_too(sweep: SweepResults):
    slow = sweep.reports["trial"] == "t0002-c"
    sweep.reports.loc[slow, "epoch_seconds"] = 10.0
    found = equal_time(sweep).set_index("kind")
    assert set(found["seconds"]) == {10.0}
    assert found.loc["convnext_tiny", "epoch"] == 1
    assert len(found) == 3


def test_a_failed_trial_does_not_count(sweep: SweepResults):
    sweep.trials.loc[sweep.trials["trial"] == "t0000-a", "state"] = "failed"
    assert equal_time(sweep).set_index("kind").loc["resnet18", "trial"] == "t0001-b"


@pytest.mark.parametrize("width", [WIDTH, NARROW])
def test_the_kinds_are_drawn_for_a_page_and_a_phone(sweep: SweepResults, width: float):
    drawn = draw_equal_time(sweep, width)
    assert drawn is not None
    figure, table = drawn
    assert encode_figure(figure).startswith(b"\x89PNG")
    assert len(figure.axes[0].lines) == 3 + 1
    assert len(table) == 3


def test_a_sweep_over_one_network_has_no_kinds(finished_sweep: FinishedSweep):
    one = load_sweep("tiny_sweep", finished_sweep.output_root)
    assert kinds_of(one) == {}
    assert curves_of(one).empty
    assert draw_equal_time(one) is None


def test_choices_of_several_keys_make_a_kind_and_folders_in_names_are_left_out(sweep: SweepResults):
    for trial in sweep.params:
        sweep.params[trial]["model"] = "architectures/unet"
        sweep.ranges[trial]["model"] = Range(choices=("architectures/unet", "architectures/dpt"))
    assert set(kinds_of(sweep).values()) == {"resnet18 unet", "convnext_tiny unet", "mit_b0 unet"}
