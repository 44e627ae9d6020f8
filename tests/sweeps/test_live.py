"""What a sweep says while it runs."""

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from sweeps.live import QUIET_SECONDS, LiveView, clock
from sweeps.plan import make_plan
from sweeps.search.sampler import ModelSampler
from sweeps.search.state import SearchState
from sweeps.search.study import Study
from sweeps.search.trial import Trial
from sweeps.spec import load_spec


@pytest.fixture
def study() -> Study:
    plan = make_plan("quickstart", load_spec("quickstart"), seed=0)
    return Study(
        SearchState(plan.spec.scheduler.build(), plan.spec.metric),
        ModelSampler(plan.spec.space, 0, plan.default_params),
        plan.spec.budget,
    )


@pytest.fixture
def view(study: Study, tmp_path: Path) -> LiveView:
    return LiveView(study, tmp_path, Console(file=StringIO(), width=200), 18.0)


def said(view: LiveView) -> str:
    return cast(StringIO, view.console.file).getvalue()


def start(view: LiveView) -> Trial:
    row = view.study.next_trial()
    assert row
    return row


def report(view: LiveView, row: Trial, epoch: int, score: float) -> None:
    view.study.report(row.name, epoch, {"epoch_seconds": 1.0, "val/iou_best": score})
    view.reported(row)


def test_paused_complete_and_failed_trials_are_told_apart(view: LiveView, tmp_path: Path):
    paused, complete, failed = (start(view) for _ in range(3))
    report(view, paused, 3, 0.2)
    report(view, complete, 18, 0.6)
    view.study.fail(failed.name, "src.training.trainer.Diverged: epoch 1: train/loss=nan", retry=False)
    view.left(failed)
    assert "3/10 trials started (1 complete, 1 paused, 1 failed), 0 running, 21 of about" in view.status()
    assert f"{complete.name},complete,0.6,18" in (tmp_path / "leaderboard.csv").read_text()
    assert f"{failed.name} failed after 0 epochs, no score: src.training.trainer.Diverged" in said(view)


def test_the_score_of_the_default_is_shown_as_soon_as_it_has_one(view: LiveView):
    default, other = start(view), start(view)
    assert "default" not in view.status()
    report(view, default, 1, 0.2)
    report(view, default, 2, 0.1)
    report(view, other, 1, 0.9)
    assert view.status().endswith(", default 0.2000 after 2 epochs")


def test_no_more_epochs_are_to_come_than_the_budget_has(view: LiveView):
    view.study.budget = replace(view.study.budget, epochs=4)
    report(view, start(view), 3, 0.2)
    assert "3 of about 4 epochs" in view.status()


def test_a_line_says_the_value_that_decides_and_the_best_before(view: LiveView):
    row = start(view)
    for epoch, score in ((1, 0.4), (2, 0.5), (3, 0.25)):
        report(view, row, epoch, score)
    view.left(row)
    assert f"{row.name} paused after 3 epochs, val/iou_best 0.2500 (after 2: 0.5000); best {row.name} 0.5000" in said(
        view
    )


def test_of_a_trial_that_ends_between_rungs_the_best_value_is_said(view: LiveView):
    row = start(view)
    for epoch, score in ((1, 0.4), (2, 0.25)):
        report(view, row, epoch, score)
    view.left(row)
    assert f"{row.name} {row.state} after 2 epochs, val/iou_best after 1: 0.4000; " in said(view)


def test_where_there_is_no_terminal_each_trial_that_ended_is_a_line(view: LiveView):
    row = start(view)
    report(view, row, 3, 0.25)
    for _ in range(2):  # Ray may say it twice
        view.left(row)
    assert said(view).startswith(
        f"{row.name} paused after 3 epochs, val/iou_best 0.2500; best {row.name} 0.2500; 1/10 trials started (1 paused)"
    )
    assert said(view).count("\n") == 1


def test_a_sweep_without_a_terminal_is_never_silent_for_long(view: LiveView):
    row = start(view)
    report(view, row, 1, 0.25)
    assert not said(view)
    view.printed_at -= QUIET_SECONDS
    report(view, row, 2, 0.25)
    view.reported(row)
    assert said(view).count("1/10 trials started, 1 running, 2 of about") == 1


def test_the_board_is_written_once_a_second_at_most_and_at_the_end(view: LiveView, tmp_path: Path):
    path = tmp_path / "leaderboard.csv"
    with view:
        row = start(view)
        report(view, row, 1, 0.25)
        report(view, row, 2, 0.5)
        assert "0.5" not in path.read_text()
    assert "0.5" in path.read_text()


def test_times_are_read_like_a_clock():
    assert clock(3723) == "1:02:03"
