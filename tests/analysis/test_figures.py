"""Pictures of a sweep, in every state it may be in."""

import itertools
from dataclasses import replace

import pandas as pd
import pytest
from finished import FinishedSweep

from analysis.canvas import NARROW
from analysis.figures import FIGURES, WIDTH
from analysis.report import encode_figure
from analysis.results import Range, SweepResults, load_sweep


@pytest.fixture
def sweep(finished_sweep: FinishedSweep) -> SweepResults:
    """Its trials have networks of different sizes, as if it had searched over them."""
    found = load_sweep("tiny_sweep", finished_sweep.output_root)
    sizes = {trial: 1e6 * (number + 1) for number, trial in enumerate(found.params)}
    found.reports["cost/parameters"] = [sizes[trial] for trial in found.reports["trial"]]
    return found


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in ("importance", "equal_time")])
def test_a_figure_is_drawn_with_its_table(sweep: SweepResults, name: str):
    drawn = FIGURES[name][1](sweep)
    assert drawn is not None
    figure, table = drawn
    assert encode_figure(figure).startswith(b"\x89PNG")
    assert not table.empty


@pytest.mark.parametrize("width", [WIDTH, NARROW])
@pytest.mark.parametrize("name", [name for name in FIGURES if name not in ("importance", "equal_time")])
def test_what_is_written_lies_on_the_paper_and_no_legend_on_what_is_drawn(sweep: SweepResults, name: str, width: float):
    drawn = FIGURES[name][1](sweep, width)
    assert drawn is not None
    figure = drawn[0]
    figure.draw_without_rendering()
    paper = figure.bbox.padded(2)
    for axes in figure.axes:
        for text in [axes.xaxis.label, axes.yaxis.label, *axes.texts]:
            box = text.get_window_extent()
            assert not box.width or (paper.x0 <= box.x0 and box.x1 <= paper.x1), text.get_text()
        if (legend := axes.get_legend()) is not None:
            assert legend.get_window_extent().y0 >= axes.bbox.y1
            assert legend.get_window_extent().x1 <= paper.x1


def test_labels_of_a_logarithmic_axis_do_not_touch(sweep: SweepResults):
    for low, high in ((5e-5, 2e-3), (0.2, 5.0), (1e-5, 10.0)):
        ranged = {"training.optimizer.lr_scale": Range(low, high, log=True)}
        params = {name: {"training.optimizer.lr_scale": (low * high) ** 0.5} for name in sweep.params}
        made = replace(sweep, ranges=dict.fromkeys(params, ranged), params=params)
        made = replace(made, trials=made.trials.drop(columns=["training.loss"]))
        drawn = FIGURES["slices"][1](made, WIDTH / 3)
        assert drawn is not None
        figure = drawn[0]
        figure.draw_without_rendering()
        axes = figure.axes[0]
        boxes = [
            label.get_window_extent()
            for place, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
            if axes.get_xlim()[0] <= place <= axes.get_xlim()[1]
        ]
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_a_trial_that_ended_at_a_rung_is_a_ring_and_one_that_was_trained_to_the_end_a_dot(sweep: SweepResults):
    drawn = FIGURES["learning_curves"][1](sweep)
    assert drawn is not None
    ends = [line for line in drawn[0].axes[0].lines if line.get_marker() == "o"]
    states = sweep.trials["state"].tolist()
    rings = [line for line in ends if line.get_markerfacecolor() == "white"]
    assert (len(ends), len(rings)) == (len(states), states.count("stopped"))
    assert all(line.get_markeredgecolor() != "white" for line in rings)


def test_captions_name_the_colours_that_are_drawn():
    captions = " ".join(caption for caption, _ in FIGURES.values())
    assert "orange: the best" in captions
    assert "red" not in captions.split()


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


def test_savings_are_those_of_trials_that_ended_by_decision(sweep: SweepResults):
    before = FIGURES["savings"][1](sweep)
    assert before is not None
    rows = sweep.trials.to_dict("records")
    assert sum(before[1]["spent"]) == sum(row["epochs"] for row in rows if row["state"] in ("complete", "stopped"))
    skipped = sweep.trials.iloc[:1].assign(state="skipped", epochs=0, trial="t0099-skipped")
    more = FIGURES["savings"][1](replace(sweep, trials=pd.concat([sweep.trials, skipped])))
    assert more is not None
    pd.testing.assert_frame_equal(more[1], before[1])


def test_the_axis_of_a_parameter_shows_its_whole_range_however_little_of_it_was_tried(sweep: SweepResults):
    drawn = FIGURES["slices"][1](sweep)
    assert drawn is not None
    shown = {axes.get_xlabel().replace(" ", "_"): axes.get_xlim() for axes in drawn[0].axes if axes.get_visible()}
    (of,) = sweep.ranges_of("training.optimizer.lr_scale")
    low, high = next(limits for name, limits in shown.items() if name.endswith("lr_scale"))
    assert low < of.low
    assert high > of.high
    assert high / low < (of.high / of.low) ** 1.2
