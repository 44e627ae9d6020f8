"""The search without Ray: what is tried next, what a report decides, and that a ledger brings all of it back."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_search import ASHA, METRIC, MemoryLog, make, play, summary
from optuna.distributions import CategoricalDistribution

from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.search.asha import Asha, Variant
from sweeps.search.budget import Budget
from sweeps.search.sampler import ModelSampler
from sweeps.search.scheduler import Decision
from sweeps.search.state import SearchState, replay
from sweeps.search.study import CONVERGED_TRIALS, FEWEST_SKIPPED, SessionEnd, Study, trial_name
from sweeps.search.trial import Origin, Trial


@pytest.mark.parametrize("variant", ["promotion", "stopping"])
@pytest.mark.parametrize("at_once", [1, 3])
def test_a_search_ends_with_all_its_trials_and_one_at_least_complete(variant: Variant, at_once: int):
    study = make(variant=variant)
    play(study, at_once=at_once)
    assert study.at_rest
    assert len(study.trials) == 8
    states = [row.state for row in study.trials.values()]
    assert "complete" in states
    assert set(states) <= {"complete", "paused" if variant == "promotion" else "stopped"}
    study.finish()
    assert {row.state for row in study.trials.values()} <= {"complete", "stopped"}


@pytest.mark.parametrize("variant", ["promotion", pytest.param("stopping", marks=pytest.mark.slow)])
def test_a_search_that_is_killed_after_any_step_goes_on_as_if_nothing_had_happened(variant: Variant, tmp_path: Path):
    whole = make(variant=variant, trials=4, sampler="optuna_gp")
    steps = play(whole)
    for killed_after in range(steps + 1):
        folder = tmp_path / f"{variant}{killed_after}"
        folder.mkdir()
        first = make(Ledger(folder / LEDGER_FILE), variant=variant, trials=4, sampler="optuna_gp")
        first.begin_session()
        play(first, killed_after)
        second = make(Ledger(folder / LEDGER_FILE), variant=variant, trials=4, sampler="optuna_gp")
        replay(second.state, Ledger(folder / LEDGER_FILE, read_only=True).records())
        second.begin_session()
        play(second)
        assert summary(second) == summary(whole), killed_after


def test_a_search_with_its_own_model_and_its_default_to_the_end_goes_on_as_if_nothing_had_happened(tmp_path: Path):
    whole = make(trials=9, sampler="gp", to_end=True)
    steps = play(whole)
    assert any(row.origin == "model" for row in whole.trials.values())
    for killed_after in range(0, steps, 5):
        folder = tmp_path / str(killed_after)
        folder.mkdir()
        first = make(Ledger(folder / LEDGER_FILE), trials=9, sampler="gp", to_end=True)
        first.begin_session()
        play(first, killed_after)
        second = make(Ledger(folder / LEDGER_FILE), trials=9, sampler="gp", to_end=True)
        replay(second.state, Ledger(folder / LEDGER_FILE, read_only=True).records())
        second.begin_session()
        play(second)
        assert summary(second) == summary(whole), killed_after


def test_an_epoch_that_was_reported_before_changes_nothing(tmp_path: Path):
    study = make(Ledger(tmp_path / LEDGER_FILE), asha=Asha(grace_period=3, reduction_factor=3, max_epochs=9))
    row = study.next_trial()
    assert row
    for epoch in (1, 2):
        study.report(row.name, epoch, {METRIC: 0.1 * epoch})
    before = summary(study)
    assert study.report(row.name, 1, {METRIC: 0.9}) is Decision.CONTINUE
    assert summary(study) == before
    assert study.state.epochs == 2


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
    row = study.next_trial()
    assert row
    assert study.report(row.name, 1, metrics) is Decision.STOP
    assert (row.state, row.reason, row.score) == ("failed", reason, None)
    play(study)
    assert study.at_rest
    best = max(row.score for row in study.trials.values() if row.score is not None)
    assert math.isfinite(best)


def test_a_search_whose_trials_all_fail_comes_to_its_end():
    study = make()
    while row := study.next_trial():
        study.report(row.name, 1, {METRIC: math.nan})
    assert study.at_rest
    assert [row.state for row in study.trials.values()] == ["failed"] * 8


def test_a_failure_is_tried_once_more_before_anything_new_and_then_recorded():
    study = make()
    row = study.next_trial()
    assert row
    study.fail(row.name, "the process died")
    assert study.next_trial() is row
    study.fail(row.name, "the process died again")
    assert (row.state, row.reason) == ("failed", "the process died again")
    other = study.next_trial()
    assert other is not row


def test_a_failure_that_would_come_again_is_not_tried_again():
    study = make()
    row = study.next_trial()
    assert row
    study.fail(row.name, "Diverged", retry=False)
    assert row.state == "failed"


def test_a_lost_machine_counts_no_failure_and_its_trial_goes_on_before_others_that_wait():
    study = make()
    first, second = study.next_trial(), study.next_trial()
    assert first
    assert second
    study.fail(first.name, "the process died")
    study.lose(second.name, "its node has died")
    assert (second.failures, second.state) == (0, "waiting")
    assert study.next_trial() is second
    assert study.next_trial() is first
    assert (first.attempts, second.attempts) == (2, 2)


def test_a_trial_that_loses_five_machines_without_an_epoch_in_between_has_failed():
    study = make()
    row = study.next_trial()
    assert row
    for number in range(4):
        study.lose(row.name, "its node has died")
        assert study.next_trial() is row
        if number == 1:
            study.report(row.name, 1, {METRIC: 0.5})
    assert (row.state, row.losses) == ("running", 2)
    for _ in range(2):
        study.lose(row.name, "its node has died")
        assert study.next_trial() is row
    study.lose(row.name, "its node has died")
    assert (row.state, row.reason) == ("failed", "its node has died, 5 times in a row without a new epoch")


def test_trials_that_end_by_themselves_do_not_bring_the_paused_ones_back():
    study = make()
    while row := study.next_trial():
        decision = Decision.CONTINUE
        while decision is Decision.CONTINUE:
            epoch = row.epochs + 1
            decision = study.report(row.name, epoch, {METRIC: epoch / 1000 - row.number / 100}, finished=epoch == 8)
    assert study.at_rest
    states = [row.state for row in study.trials.values()]
    assert 1 <= states.count("complete") < len(states) / 2


def test_early_stopping_completes_a_trial():
    study = make()
    row = study.next_trial()
    assert row
    assert study.report(row.name, 1, {METRIC: 0.5}, finished=True) is Decision.STOP
    assert (row.state, row.values) == ("complete", {1: 0.5, 9: 0.5})
    assert not study.state.scheduler.running


@pytest.mark.parametrize("at_once", [1, 3])
def test_at_the_end_of_the_epochs_running_trials_wait_and_more_epochs_let_them_go_on(at_once: int, tmp_path: Path):
    ledger = Ledger(tmp_path / LEDGER_FILE)
    study = make(ledger, epochs=7)
    play(study, at_once=at_once)
    assert study.session_over
    assert study.at_rest
    assert study.state.epochs == 7  # and none begun that could not train an epoch
    assert all(row.epochs for row in study.trials.values())
    more = make(ledger, epochs=1000)
    replay(more.state, ledger.records())
    assert more.state.waiting == study.state.waiting
    play(more)
    assert len(more.trials) == 8
    assert any(row.state == "complete" for row in more.trials.values())


def test_a_search_that_has_to_stop_starts_nothing_and_lets_its_trials_wait():
    study = make(asha=Asha(grace_period=3, reduction_factor=3, max_epochs=9))
    row = study.next_trial()
    assert row
    study.end_session(SessionEnd.HOURS)
    assert study.report(row.name, 1, {METRIC: 0.5}) is Decision.PAUSE
    assert study.next_trial() is None
    assert row.state == "waiting"


def test_a_trial_that_is_trained_again_waits_too_when_the_session_is_over(tmp_path: Path):
    ledger = Ledger(tmp_path / LEDGER_FILE)
    study = make(ledger, asha=Asha(grace_period=3, reduction_factor=3, max_epochs=9))
    row = study.next_trial()
    assert row
    for epoch in (1, 2):
        study.report(row.name, epoch, {METRIC: 0.1 * epoch})
    study.fail(row.name, "the process died, and its checkpoint was lost")
    assert study.next_trial() is row
    study.end_session(SessionEnd.HOURS)
    assert study.report(row.name, 1, {METRIC: 0.1}) is Decision.PAUSE
    assert (row.state, row.epochs) == ("waiting", 2)
    again = make(asha=Asha(grace_period=3, reduction_factor=3, max_epochs=9))
    replay(again.state, ledger.records())
    assert again.state.waiting == [row.name]


def test_a_budget_that_ends_with_the_last_trial_ends_the_search():
    whole = make()
    play(whole)
    study = make(epochs=whole.state.epochs)
    play(study)
    assert study.session_over
    assert study.complete
    short = make(epochs=whole.state.epochs - 1)
    play(short)
    assert short.at_rest
    assert not short.complete


def test_more_trials_go_on_where_the_finished_search_ended(tmp_path: Path):
    whole = make(trials=12)
    play(whole)
    ledger = Ledger(tmp_path / LEDGER_FILE)
    study = make(ledger, trials=6)
    play(study)
    study.finish()
    more = make(ledger, trials=12)
    replay(more.state, ledger.records())
    more.begin_session()
    play(more)
    assert more.at_rest
    assert [row.params for row in more.trials.values()][:6] == [row.params for row in whole.trials.values()][:6]
    assert len(more.trials) == 12
    assert all(row.state in ("paused", "complete") for row in more.trials.values())


def test_a_converged_search_begins_no_more_trials_until_more_are_asked_for(tmp_path: Path):
    ledger = Ledger(tmp_path / LEDGER_FILE)
    study = make(ledger, trials=500, stop_when_converged=True)
    study.begin_session()
    play(study)
    begun = len(study.trials)
    assert CONVERGED_TRIALS < begun < 100
    assert study.complete
    study.finish()
    for trials, more in ((500, False), (510, True)):  # once more the same is the same; then --extend 10
        again = make(ledger, trials=trials, stop_when_converged=True)
        replay(again.state, ledger.records())
        again.begin_session()
        assert again.complete is not more
        play(again)
        assert (len(again.trials) > begun) is more


def test_a_trial_counts_once_towards_convergence_however_often_it_pauses():
    study = make(trials=500)
    for number in range(2 * ASHA.reduction_factor**2):
        row = study.next_trial()
        assert row
        while study.report(row.name, row.epochs + 1, {METRIC: 0.5}) is Decision.CONTINUE:
            pass
        assert study.state.since_best == len([row for row in study.trials.values() if row.epochs]) - 1, number
    assert any(row.epochs == ASHA.max_epochs for row in study.trials.values())


def test_a_space_that_is_tried_out_ends_the_search(tmp_path: Path):
    ledger = Ledger(tmp_path / LEDGER_FILE)
    space = {"x": CategoricalDistribution([0.1, 0.2, 0.3])}
    study = Study(SearchState(ASHA.build(), METRIC), ModelSampler(space, 0, {"x": 0.2}), Budget(trials=20), ledger)
    play(study)
    assert study.at_rest
    assert sorted(row.params["x"] for row in study.trials.values()) == [0.1, 0.2, 0.3]
    again = Study(SearchState(ASHA.build(), METRIC), ModelSampler(space, 0, {"x": 0.2}), Budget(trials=20))
    replay(again.state, ledger.records())
    assert again.state.exhausted
    assert again.complete


def test_what_runs_when_a_session_is_interrupted_is_the_first_to_go_on(tmp_path: Path):
    ledger = Ledger(tmp_path / LEDGER_FILE)
    study = make(ledger)
    running = [study.next_trial(), study.next_trial()]
    study.interrupt()
    assert [row.state for row in running if row] == ["waiting", "waiting"]
    assert [row["state"] for row in ledger.trials()] == ["waiting", "waiting"]
    again = make(ledger)
    replay(again.state, ledger.records())
    jobs = [again.next_trial(), again.next_trial()]
    assert [row.name for row in jobs if row] == [row.name for row in running if row]


def test_the_ledger_is_written_before_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ledger = Ledger(tmp_path / LEDGER_FILE)
    study = make(ledger)

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(ledger, "append", full)
    with pytest.raises(OSError, match="no space"):
        study.next_trial()
    monkeypatch.undo()
    other = make(ledger)
    trial = other.next_trial()
    assert trial
    monkeypatch.setattr(ledger, "append", full)
    with pytest.raises(OSError, match="no space"):
        other.report(trial.name, 1, {METRIC: 0.5})


def test_a_trials_name_is_its_number_and_a_hash_of_its_parameters():
    first = trial_name(0, {"lr": 0.1})
    assert first.startswith("t0000-")
    assert trial_name(12, {"lr": 0.1}) == first.replace("t0000", "t0012")
    assert trial_name(0, {"lr": 0.2}) != first


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_search_ends_and_its_replay_is_the_same(data: st.DataObject):
    draw: Callable[..., Any] = data.draw
    variant: Variant = draw(st.sampled_from(["promotion", "stopping"]))
    study = make(variant=variant, trials=draw(st.integers(1, 6)))
    study.log = log = MemoryLog()
    live: list[Trial] = []
    for _ in range(1000):
        while len(live) < draw(st.integers(1, 3)) and (row := study.next_trial()):
            live.append(row)
        if not live:
            break
        row = live.pop(draw(st.integers(0, len(live) - 1)))
        what = draw(st.sampled_from(["report", "report", "report", "fail", "lose", "postpone", "nan", "finished"]))
        if what == "fail":
            study.fail(row.name, "it broke", retry=draw(st.booleans()))
            continue
        if what == "postpone":
            study.requeue(row.name)
            continue
        if what == "lose":
            study.lose(row.name, "its node has died")
            continue
        value = math.nan if what == "nan" else draw(st.sampled_from([0.1, 0.2, 0.3]))
        if study.report(row.name, row.epochs + 1, {METRIC: value}, what == "finished") is Decision.CONTINUE:
            live.append(row)
    assert study.at_rest
    assert not study.state.scheduler.running
    again = make(variant=variant, trials=study.budget.trials)
    replay(again.state, log.records)
    assert summary(again) == summary(study)


def skip_above(study: Study, most: float) -> None:
    """Run trials one after the other; those whose x is above ``most`` break a limit."""
    while trial := study.next_trial():
        if trial.params["x"] > most and trial.origin != Origin.DEFAULT:
            study.skip(trial.name, "x is too large")
            continue
        epoch = trial.epochs
        decision = Decision.CONTINUE
        while decision is Decision.CONTINUE:
            epoch += 1
            decision = study.report(trial.name, epoch, {METRIC: trial.params["x"]})


@pytest.mark.parametrize("sampler", ["random", "gp"])
def test_skipped_trials_do_not_count_in_the_budget_and_come_back_from_the_ledger(sampler: str, tmp_path: Path):
    study = make(Ledger(tmp_path / LEDGER_FILE), sampler=sampler)
    study.begin_session()
    skip_above(study, 0.7)
    assert study.state.tried == 8
    assert 0 < study.state.skipped == len(study.trials) - 8
    assert study.complete
    assert all(trial.reason and not trial.values for trial in study.trials.values() if trial.state == "skipped")
    again = make(sampler=sampler)
    replay(again.state, Ledger(tmp_path / LEDGER_FILE, read_only=True).records())
    assert summary(again) == summary(study)


def test_a_model_that_knows_what_was_skipped_skips_less_than_chance():
    skipped = {}
    for sampler in ("random", "gp"):
        study = make(sampler=sampler, trials=30)
        skip_above(study, 0.3)
        skipped[sampler] = study.state.skipped
    assert skipped["gp"] < skipped["random"] / 2


def test_a_search_in_which_nearly_all_is_skipped_ends():
    study = make(trials=5)
    skip_above(study, 0.0)
    assert study.skips_too_many
    assert study.complete
    assert (study.state.tried, study.state.skipped) == (1, FEWEST_SKIPPED)
