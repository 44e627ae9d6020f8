"""Pictures of a sweep, in every state it may be in."""

from dataclasses import replace

import pandas as pd
import pytest
from conftest import FinishedSweep

from analysis.figures import FIGURES
from analysis.report import png
from analysis.results import SweepResults, load_sweep


@pytest.fixture
def sweep(finished_sweep: FinishedSweep) -> SweepResults:
    return load_sweep("tiny_sweep", finished_sweep.output_root)


@pytest.mark.parametrize("name", [name for name in FIGURES if name != "importance"])
def test_a_figure_is_drawn_with_its_table(sweep: SweepResults, name: str):
    drawn = FIGURES[name][1](sweep)
    assert drawn is not None
    figure, table = drawn
    assert png(figure).startswith(b"\x89PNG")
    assert not table.empty


def test_four_trials_say_nothing_of_importance(sweep: SweepResults):
    assert FIGURES["importance"][1](sweep) is None


@pytest.mark.parametrize("name", list(FIGURES))
def test_a_sweep_without_trials_has_no_figures(sweep: SweepResults, name: str):
    empty = replace(sweep, trials=sweep.trials.iloc[:0], reports=sweep.reports.iloc[:0], params={})
    assert FIGURES[name][1](empty) is None


def test_the_curves_are_those_of_the_reports_and_best_and_default_are_named(sweep: SweepResults):
    drawn = FIGURES["learning_curves"][1](sweep)
    assert drawn is not None
    figure, table = drawn
    assert len(table) == len(sweep.reports)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    said = [text.get_text() for text in legend.get_texts()]
    best = sweep.ranked["trial"].iloc[0]
    assert any(str(best) in text for text in said)
    assert any(sweep.default in text for text in said)


def test_what_was_saved_is_what_full_trainings_would_have_taken_more(sweep: SweepResults):
    drawn = FIGURES["savings"][1](sweep)
    assert drawn is not None
    table = drawn[1]
    assert sum(table["spent"].tolist()) == len(sweep.reports)
    assert sum((table["spent"] + table["saved"]).tolist()) == len(sweep.trials) * sweep.rungs[-1]


def test_the_best_so_far_never_falls(sweep: SweepResults):
    drawn = FIGURES["progress"][1](sweep)
    assert drawn is not None
    table: pd.DataFrame = drawn[1]
    assert table["best"].is_monotonic_increasing
    assert table["hours"].is_monotonic_increasing


def test_a_clock_that_was_set_back_does_not_make_the_hours_run_backwards(sweep: SweepResults):
    reports = sweep.reports.copy()
    reports.loc[len(reports) // 2 :, "time"] -= pd.Timedelta(hours=5)
    drawn = FIGURES["progress"][1](replace(sweep, reports=reports))
    assert drawn is not None
    table: pd.DataFrame = drawn[1]
    assert table["hours"].is_monotonic_increasing
    assert table["hours"].iloc[0] == 0
    assert table["hours"].iloc[-1] < 1
