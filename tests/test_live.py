"""What a sweep says while it runs."""

import pickle
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ray.tune import Callback
from ray.tune.experiment import Trial
from rich.console import Console

from sweeps.live import QUIET_SECONDS, LiveView, clock
from sweeps.spec import load_spec


class FakeTrial(SimpleNamespace):
    """As much of Ray's trial as the view looks at."""

    def __str__(self) -> str:
        return str(self.name)


def fake(name: str, error_file: Path | None = None) -> Trial:
    return cast(Trial, cast(object, FakeTrial(name=name, config={"training.loss": "bce"}, error_file=error_file)))


@pytest.fixture
def view(tmp_path: Path) -> LiveView:
    return LiveView(load_spec("quickstart"), tmp_path, Console(file=StringIO(), width=200))


def report(view: LiveView, trial: Trial, epoch: int, score: float, finished: bool = False) -> None:
    result: dict[str, Any] = {"epoch": epoch, "epoch_seconds": 1.0, "val/iou_best": score, "finished": finished}
    view.on_trial_result(0, [], trial, result)


def test_stopped_complete_and_failed_trials_are_told_apart(view: LiveView, tmp_path: Path):
    stopped, complete = fake("t0000"), fake("t0001")
    (tmp_path / "error.txt").write_text("Traceback ...\n  line 3\nsrc.training.Diverged: epoch 1: train/loss=nan\n\n")
    failed = fake("t0002", tmp_path / "error.txt")
    for trial in (stopped, complete, failed):
        view.on_trial_start(0, [], trial)
    report(view, stopped, 3, 0.2)
    report(view, complete, 18, 0.6, finished=True)
    view.on_trial_complete(0, [], stopped)
    view.on_trial_complete(0, [], complete)
    view.on_trial_error(0, [], failed)
    assert [row.state for row in view.rows.values()] == ["stopped", "complete", "failed"]
    assert view.rows["t0002"].reason == "src.training.Diverged: epoch 1: train/loss=nan"
    assert "3/10 trials ended (1 stopped, 1 failed), 0 running, 21 of about 71 epochs" in view.status()
    assert "t0001,complete,0.6,18" in (tmp_path / "leaderboard.csv").read_text()


def test_what_is_to_come_counts_running_trials_to_their_next_rung(view: LiveView):
    first, second = fake("t0000"), fake("t0001")  # quickstart: rungs at 3 and 9, the end at 18, 10 trials in 72 epochs
    view.on_trial_start(0, [], first)
    view.on_trial_start(0, [], second)
    report(view, first, 1, 0.1)
    report(view, second, 12, 0.2)
    assert view.epochs_to_come() == (3 - 1) + (18 - 12) + 8 * 72 // 10


def test_where_there_is_no_terminal_each_ended_trial_is_a_line(view: LiveView):
    trial = fake("t0000")
    view.on_trial_start(0, [], trial)
    report(view, trial, 3, 0.25)
    view.on_trial_complete(0, [], trial)
    said = view.console.file.getvalue()  # type: ignore[attr-defined]
    assert said.startswith("t0000 stopped at epoch 3, val/iou_best 0.2500; best t0000 0.2500; 1/10 trials ended")
    assert said.count("\n") == 1


def test_a_sweep_without_a_terminal_is_never_silent_for_long(view: LiveView):
    trial = fake("t0000")
    view.on_trial_start(0, [], trial)
    report(view, trial, 1, 0.25)
    assert not view.console.file.getvalue()  # type: ignore[attr-defined]
    view.said -= QUIET_SECONDS
    report(view, trial, 2, 0.25)
    report(view, trial, 3, 0.25)
    assert view.console.file.getvalue().count("0/10 trials ended, 1 running, 2 of about") == 1  # type: ignore[attr-defined]


def test_ray_may_pickle_the_view(view: LiveView):
    assert type(pickle.loads(pickle.dumps(view))) is Callback


def test_times_are_read_like_a_clock():
    assert clock(3723) == "1:02:03"
