"""The search without Ray: what is tried next, what a report decides, and that a ledger brings all of it back."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution

from sweeps.asha import Decision, Form
from sweeps.leaderboard import TrialRow
from sweeps.ledger import NAME, Entry, Ledger
from sweeps.sampler import Sampler
from sweeps.spec import Asha, Budget
from sweeps.study import CONVERGED_TRIALS, Study, trial_name

SPACE = {"x": FloatDistribution(0.0, 1.0)}
METRIC = "val/iou"
ASHA = Asha(grace_period=1, reduction_factor=3, max_epochs=9)


def make(ledger: Ledger | None = None, form: Form = "promotion", asha: Asha = ASHA, **budget: Any) -> Study:
    limits: dict[str, Any] = {"trials": 8, **budget}
    return Study(Sampler(SPACE, 0, {"x": 0.5}), asha, Budget(**limits), METRIC, form=form, ledger=ledger)


def curve(x: float, epoch: int) -> float:
    """A trial's value: what it comes to depends on x, and is not to be seen at once."""
    return (1 - (x - 0.3) ** 2) * (1 - 0.5**epoch) - 0.1 * x / epoch


def play(study: Study, steps: int = 10**6, at_once: int = 1) -> int:
    """Run trials an epoch each in turn, until the search is finished or so many steps are done; returns the steps."""
    live: list[TrialRow] = []
    for step in range(steps):
        while len(live) < at_once and (row := study.next_job()):
            live.append(row)
        if not live:
            return step
        row = live.pop(0)
        epoch = row.epochs + 1
        if study.report(row.name, epoch, {METRIC: curve(row.params["x"], epoch)}) is Decision.CONTINUE:
            live.append(row)
    return steps


def state(study: Study) -> dict[str, Any]:
    rows = {row.name: (row.params, row.state, row.epochs, row.score, row.values) for row in study.rows.values()}
    return {"rows": rows, "epochs": study.epochs, "paused": study.rules.paused, "waiting": study.waiting}


@pytest.mark.parametrize("form", ["promotion", "stopping"])
@pytest.mark.parametrize("at_once", [1, 3])
def test_a_search_ends_with_all_its_trials_and_one_at_least_complete(form: Form, at_once: int):
    study = make(form=form)
    play(study, at_once=at_once)
    assert study.finished
    assert len(study.rows) == 8
    states = [row.state for row in study.rows.values()]
    assert "complete" in states
    assert set(states) <= {"complete", "paused" if form == "promotion" else "stopped"}
    study.finish()
    assert {row.state for row in study.rows.values()} <= {"complete", "stopped"}


@pytest.mark.parametrize("form", ["promotion", pytest.param("stopping", marks=pytest.mark.slow)])
def test_a_search_that_is_killed_after_any_step_goes_on_as_if_nothing_had_happened(form: Form, tmp_path: Path):
    whole = make(form=form, trials=6)
    steps = play(whole)
    for killed_after in range(steps + 1):
        folder = tmp_path / f"{form}{killed_after}"
        folder.mkdir()
        first = make(Ledger(folder / NAME), form=form, trials=6)
        first.begin_session()
        play(first, killed_after)
        second = make(Ledger(folder / NAME), form=form, trials=6)
        second.replay(Ledger(folder / NAME, read_only=True).entries())
        second.begin_session()
        play(second)
        assert state(second) == state(whole), killed_after


def test_an_epoch_that_was_reported_before_changes_nothing(tmp_path: Path):
    study = make(Ledger(tmp_path / NAME), asha=Asha(grace_period=3, reduction_factor=3, max_epochs=9))
    row = study.next_job()
    assert row
    for epoch in (1, 2):
        study.report(row.name, epoch, {METRIC: 0.1 * epoch})
    before = state(study)
    assert study.report(row.name, 1, {METRIC: 0.9}) is Decision.CONTINUE
    assert state(study) == before
    assert study.epochs == 2


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        ({METRIC: math.nan}, "val/iou is nan after epoch 1"),
        ({METRIC: math.inf}, "val/iou is inf after epoch 1"),
        ({"val/loss": 1.0}, "val/iou is missing after epoch 1"),
    ],
)
def test_a_report_without_a_finite_value_ends_its_trial_with_the_reason(metrics: dict[str, float], reason: str):
    study = make()
    row = study.next_job()
    assert row
    assert study.report(row.name, 1, metrics) is Decision.STOP
    assert (row.state, row.reason, row.score) == ("failed", reason, None)
    play(study)
    assert study.finished
    best = max(row.score for row in study.rows.values() if row.score is not None)
    assert math.isfinite(best)


def test_a_search_whose_trials_all_fail_comes_to_its_end():
    study = make()
    while row := study.next_job():
        study.report(row.name, 1, {METRIC: math.nan})
    assert study.finished
    assert [row.state for row in study.rows.values()] == ["failed"] * 8


def test_a_failure_is_tried_once_more_before_anything_new_and_then_recorded():
    study = make()
    row = study.next_job()
    assert row
    study.fail(row.name, "the process died")
    assert study.next_job() is row
    study.fail(row.name, "the process died again")
    assert (row.state, row.reason) == ("failed", "the process died again")
    other = study.next_job()
    assert other is not row


def test_a_failure_that_would_come_again_is_not_tried_again():
    study = make()
    row = study.next_job()
    assert row
    study.fail(row.name, "Diverged", retry=False)
    assert row.state == "failed"


def test_trials_that_end_by_themselves_do_not_bring_the_paused_ones_back():
    study = make()
    while row := study.next_job():
        decision = Decision.CONTINUE
        while decision is Decision.CONTINUE:
            epoch = row.epochs + 1
            decision = study.report(row.name, epoch, {METRIC: epoch / 1000 - row.number / 100}, finished=epoch == 8)
    assert study.finished
    states = [row.state for row in study.rows.values()]
    assert 1 <= states.count("complete") < len(states) / 2


def test_early_stopping_completes_a_trial():
    study = make()
    row = study.next_job()
    assert row
    assert study.report(row.name, 1, {METRIC: 0.5}, finished=True) is Decision.STOP
    assert (row.state, row.values) == ("complete", {1: 0.5, 9: 0.5})
    assert not study.rules.running


@pytest.mark.parametrize("at_once", [1, 3])
def test_at_the_end_of_the_epochs_running_trials_wait_and_more_epochs_let_them_go_on(at_once: int, tmp_path: Path):
    ledger = Ledger(tmp_path / NAME)
    study = make(ledger, epochs=7)
    play(study, at_once=at_once)
    assert study.over
    assert study.finished
    assert study.epochs == 7  # and none begun that could not train an epoch
    assert all(row.epochs for row in study.rows.values())
    more = make(ledger, epochs=1000)
    more.replay(ledger.entries())
    assert more.waiting == study.waiting
    play(more)
    assert len(more.rows) == 8
    assert any(row.state == "complete" for row in more.rows.values())


def test_a_search_that_has_to_stop_starts_nothing_and_lets_its_trials_wait():
    study = make(asha=Asha(grace_period=3, reduction_factor=3, max_epochs=9))
    row = study.next_job()
    assert row
    study.stopping = "hours"
    assert study.report(row.name, 1, {METRIC: 0.5}) is Decision.WAIT
    assert study.next_job() is None
    assert row.state == "waiting"


def test_a_trial_that_is_trained_again_waits_too_when_the_session_is_over(tmp_path: Path):
    ledger = Ledger(tmp_path / NAME)
    study = make(ledger, asha=Asha(grace_period=3, reduction_factor=3, max_epochs=9))
    row = study.next_job()
    assert row
    for epoch in (1, 2):
        study.report(row.name, epoch, {METRIC: 0.1 * epoch})
    study.fail(row.name, "the process died, and its checkpoint was lost")
    assert study.next_job() is row
    study.stopping = "hours"
    assert study.report(row.name, 1, {METRIC: 0.1}) is Decision.WAIT
    assert (row.state, row.epochs) == ("waiting", 2)
    again = make(asha=Asha(grace_period=3, reduction_factor=3, max_epochs=9))
    again.replay(ledger.entries())
    assert again.waiting == [row.name]


def test_a_budget_that_ends_with_the_last_trial_ends_the_search():
    whole = make()
    play(whole)
    study = make(epochs=whole.epochs)
    play(study)
    assert study.over
    assert study.done
    short = make(epochs=whole.epochs - 1)
    play(short)
    assert short.finished
    assert not short.done


def test_more_trials_go_on_where_the_finished_search_ended(tmp_path: Path):
    whole = make(trials=12)
    play(whole)
    ledger = Ledger(tmp_path / NAME)
    study = make(ledger, trials=6)
    play(study)
    study.finish()
    more = make(ledger, trials=12)
    more.replay(ledger.entries())
    more.begin_session()
    play(more)
    assert more.finished
    assert [row.params for row in more.rows.values()][:6] == [row.params for row in whole.rows.values()][:6]
    assert len(more.rows) == 12
    assert all(row.state in ("paused", "complete") for row in more.rows.values())


def test_a_converged_search_begins_no_more_trials_until_more_are_asked_for(tmp_path: Path):
    ledger = Ledger(tmp_path / NAME)
    study = make(ledger, trials=500, stop_when_converged=True)
    study.begin_session()
    play(study)
    begun = len(study.rows)
    assert CONVERGED_TRIALS < begun < 100
    assert study.done
    study.finish()
    for trials, more in ((500, False), (510, True)):  # once more the same is the same; then --extend 10
        again = make(ledger, trials=trials, stop_when_converged=True)
        again.replay(ledger.entries())
        again.begin_session()
        assert again.done is not more
        play(again)
        assert (len(again.rows) > begun) is more


def test_a_trial_counts_once_towards_convergence_however_often_it_pauses():
    study = make(trials=500)
    for number in range(2 * ASHA.reduction_factor**2):
        row = study.next_job()
        assert row
        while study.report(row.name, row.epochs + 1, {METRIC: 0.5}) is Decision.CONTINUE:
            pass
        assert study.since_best == len([row for row in study.rows.values() if row.epochs]) - 1, number
    assert any(row.epochs == ASHA.max_epochs for row in study.rows.values())


def test_a_space_that_is_tried_out_ends_the_search(tmp_path: Path):
    ledger = Ledger(tmp_path / NAME)
    space = {"x": CategoricalDistribution([0.1, 0.2, 0.3])}
    study = Study(Sampler(space, 0, {"x": 0.2}), ASHA, Budget(trials=20), METRIC, ledger=ledger)
    play(study)
    assert study.finished
    assert sorted(row.params["x"] for row in study.rows.values()) == [0.1, 0.2, 0.3]
    again = Study(Sampler(space, 0, {"x": 0.2}), ASHA, Budget(trials=20), METRIC)
    again.replay(ledger.entries())
    assert again.exhausted
    assert again.done


def test_what_runs_when_a_session_is_interrupted_is_the_first_to_go_on(tmp_path: Path):
    ledger = Ledger(tmp_path / NAME)
    study = make(ledger)
    running = [study.next_job(), study.next_job()]
    study.interrupt()
    assert [row.state for row in running if row] == ["waiting", "waiting"]
    assert [row["state"] for row in ledger.trials()] == ["waiting", "waiting"]
    again = make(ledger)
    again.replay(ledger.entries())
    jobs = [again.next_job(), again.next_job()]
    assert [row.name for row in jobs if row] == [row.name for row in running if row]


def test_the_ledger_is_written_before_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ledger = Ledger(tmp_path / NAME)
    study = make(ledger)

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(ledger, "record", full)
    with pytest.raises(OSError, match="no space"):
        study.next_job()
    monkeypatch.setattr(ledger, "record", lambda *_, **__: None)
    row = study.next_job()
    assert row
    monkeypatch.setattr(ledger, "record_report", full)
    with pytest.raises(OSError, match="no space"):
        study.report(row.name, 1, {METRIC: 0.5})


def test_only_metrics_of_training_are_kept_of_what_ray_reports(tmp_path: Path):
    ledger = Ledger(tmp_path / NAME)
    study = make(ledger)
    row = study.next_job()
    assert row
    study.report(row.name, 1, {METRIC: 0.5, "lr": 0.1, "epoch_seconds": 2, "pid": 7, "config/params/x": 0.1})
    report = list(ledger.entries())[-1]
    assert report.detail["metrics"] == {METRIC: 0.5, "lr": 0.1, "epoch_seconds": 2.0}
    assert row.seconds == 2.0


def test_a_trials_name_is_its_number_and_a_hash_of_its_parameters():
    first = trial_name(0, {"lr": 0.1})
    assert first.startswith("t0000-")
    assert trial_name(12, {"lr": 0.1}) == first.replace("t0000", "t0012")
    assert trial_name(0, {"lr": 0.2}) != first


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_search_ends_and_its_replay_is_the_same(data: st.DataObject):
    draw: Callable[..., Any] = data.draw
    form: Form = draw(st.sampled_from(["promotion", "stopping"]))
    study = make(form=form, trials=draw(st.integers(1, 6)))
    entries: list[Entry] = []
    study.ledger = Recorder(entries)  # type: ignore[assignment]
    live: list[TrialRow] = []
    for _ in range(1000):
        while len(live) < draw(st.integers(1, 3)) and (row := study.next_job()):
            live.append(row)
        if not live:
            break
        row = live.pop(draw(st.integers(0, len(live) - 1)))
        what = draw(st.sampled_from(["report", "report", "report", "fail", "postpone", "nan", "finished"]))
        if what == "fail":
            study.fail(row.name, "it broke", retry=draw(st.booleans()))
            continue
        if what == "postpone":
            study.postpone(row.name)
            continue
        value = math.nan if what == "nan" else draw(st.sampled_from([0.1, 0.2, 0.3]))
        if study.report(row.name, row.epochs + 1, {METRIC: value}, what == "finished") is Decision.CONTINUE:
            live.append(row)
    assert study.finished
    assert not study.rules.running
    again = make(form=form, trials=study.budget.trials)
    again.replay(entries)
    assert state(again) == state(study)


class Recorder:
    """A ledger in memory."""

    def __init__(self, entries: list[Entry]) -> None:
        self.kept = entries

    def record(self, kind: str, row: TrialRow | None = None, also: object = (), **detail: Any) -> None:
        self.kept.append(Entry(len(self.kept), kind, row.name if row else "", detail))

    def record_report(
        self, row: TrialRow, metrics: dict[str, float], value: float, decision: str, finished: bool
    ) -> None:
        detail = {"epoch": row.epochs, "metrics": metrics, "decision": decision, "finished": finished}
        self.kept.append(Entry(len(self.kept), "report", row.name, detail))
