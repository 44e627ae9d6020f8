"""The contract of schedulers: what every one of ``sweeps.spec.SCHEDULERS`` must keep."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_search import METRIC, MemoryLog, make, play, summary

from sweeps.recorded import scheduler_from_json, scheduler_to_json
from sweeps.search.asha import Asha
from sweeps.search.hyperband import Hyperband
from sweeps.search.no_stopping import NoStopping
from sweeps.search.scheduler import Decision, Scheduler, SchedulerSettings, to_next_rung
from sweeps.search.state import replay
from sweeps.spec import SCHEDULERS

EXAMPLES: list[SchedulerSettings] = [
    Asha(grace_period=1, reduction_factor=3, max_epochs=9),
    Asha(grace_period=1, reduction_factor=2, max_epochs=6, variant="stopping"),
    Hyperband(grace_period=1, reduction_factor=3, max_epochs=9),
    Hyperband(grace_period=2, reduction_factor=2, max_epochs=9, variant="stopping"),
    NoStopping(max_epochs=5),
]
"""Settings of each kind. A new scheduler is added here, and every test below is for it."""

each = pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{type(one).__name__} {one.described}")


def test_every_scheduler_has_an_example():
    assert {type(example) for example in EXAMPLES} == set(SCHEDULERS.values())


@each
def test_rungs_rise_and_lie_below_the_end(example: SchedulerSettings):
    rungs = list(example.rungs)
    assert rungs == sorted(set(rungs))
    assert all(1 <= rung < example.max_epochs for rung in rungs)
    assert to_next_rung(example, 0) == [*rungs, example.max_epochs][0]
    assert to_next_rung(example, example.max_epochs) == 0


@each
def test_a_scaled_one_is_of_the_same_kind_with_the_other_epochs(example: SchedulerSettings):
    for epochs in (1, 4, 100):
        scaled = example.scaled(epochs)
        assert type(scaled) is type(example)
        assert scaled.max_epochs == epochs
        scaled.build()


@each
def test_a_ledger_gives_back_the_same_settings(example: SchedulerSettings):
    assert scheduler_from_json(scheduler_to_json(example)) == example


@each
def test_a_lonely_trial_is_trained_to_the_end(example: SchedulerSettings):
    scheduler = example.build()
    scheduler.start("a")
    for epoch in range(1, example.max_epochs):
        if scheduler.report("a", epoch, 0.5) is Decision.PAUSE:
            assert scheduler.next(no_new_trials=True) == "a"
            scheduler.resume("a")
        assert "a" in scheduler.running
    assert scheduler.report("a", example.max_epochs, 0.5) is Decision.STOP
    assert not scheduler.running
    assert scheduler.next(no_new_trials=True) is None


@each
def test_a_trial_that_was_started_to_the_end_is_never_stopped_and_its_values_count(example: SchedulerSettings):
    scheduler = example.build()
    scheduler.start("default", to_end=True)
    for number in range(9):
        scheduler.start(f"t{number}")
        for epoch in range(1, example.max_epochs + 1):
            if f"t{number}" not in scheduler.running:
                break
            scheduler.report(f"t{number}", epoch, 0.5 + number / 100)
    for epoch in range(1, example.max_epochs):
        assert scheduler.report("default", epoch, 0.1) is Decision.CONTINUE  # the worst of all
        assert "default" in scheduler.running
    assert scheduler.report("default", example.max_epochs, 0.1) is Decision.STOP
    assert "default" not in {*scheduler.running, *scheduler.paused}


def test_a_trial_that_is_trained_to_the_end_takes_a_place_in_its_rungs():
    scheduler = Asha(grace_period=1, reduction_factor=3, max_epochs=9).build()
    scheduler.start("default", to_end=True)
    scheduler.report("default", 1, 0.9)
    for number, value in enumerate((0.1, 0.2)):
        scheduler.start(f"t{number}")
        assert scheduler.report(f"t{number}", 1, value) is Decision.PAUSE  # one of three may pass, and it has
    assert scheduler.next() is None


@each
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_ends_its_trial(example: SchedulerSettings, value: float):
    scheduler = example.build()
    scheduler.start("a")
    assert scheduler.report("a", 1, value) is Decision.STOP
    assert not scheduler.running
    assert scheduler.next(no_new_trials=True) is None
    assert scheduler.report("a", 2, 0.9) is Decision.STOP


@each
def test_a_trial_that_has_ended_leaves_nothing_to_resume(example: SchedulerSettings):
    scheduler = example.build()
    for complete in (False, True):
        trial = f"t{complete}"
        scheduler.start(trial)
        scheduler.report(trial, 1, 0.5)
        scheduler.end(trial, complete=complete)
        assert trial not in scheduler.running
        assert trial not in scheduler.paused
    assert scheduler.next(no_new_trials=True) is None


def steps(scheduler: Scheduler, trials: int, workers: int, draw: Callable[..., Any]) -> list[tuple[str, object]]:
    """Play a search with drawn values and workers; every call and its answer. It must come to an end."""
    calls: list[tuple[str, object]] = []
    epochs: dict[str, int] = {}
    for _ in range(trials * (scheduler.settings.max_epochs + 1) * 2):
        while len(scheduler.running) < workers:
            closed = len(epochs) == trials
            trial = scheduler.next(closed)
            calls.append(("next", trial))
            if trial is None and closed:
                break
            if trial is None:
                trial = f"t{len(epochs)}"
                epochs[trial] = 0
                scheduler.start(trial)
            else:
                assert trial in scheduler.paused
                scheduler.resume(trial)
            assert trial in scheduler.running
        if not scheduler.running:
            return calls
        trial = draw(st.sampled_from(sorted(scheduler.running)))
        epochs[trial] += 1
        value = draw(st.sampled_from([0.0, 0.1, 0.2, 0.3, math.nan]))
        decision = scheduler.report(trial, epochs[trial], value)
        calls.append((f"{trial} {epochs[trial]} {value}", decision))
        assert (trial in scheduler.running) == (decision is Decision.CONTINUE)
        assert (trial in scheduler.paused) == (decision is Decision.PAUSE)
    pytest.fail("the search does not come to an end")


@each
@settings(max_examples=25, deadline=None)
@given(trials=st.integers(1, 12), workers=st.integers(1, 4), data=st.data())
def test_every_search_ends(example: SchedulerSettings, trials: int, workers: int, data: st.DataObject):
    steps(example.build(), trials, workers, data.draw)


@each
@pytest.mark.parametrize("at_once", [1, 3])
def test_a_search_completes_a_trial_and_its_replay_is_the_same(example: SchedulerSettings, at_once: int):
    log = MemoryLog()
    study = make(log, asha=example, trials=12)
    study.begin_session()
    play(study, at_once=at_once)
    assert study.at_rest
    assert "complete" in {trial.state for trial in study.trials.values()}
    study.finish()
    again = make(asha=example, trials=12)
    replay(again.state, log.records)
    assert summary(again) == summary(study)
    assert all(METRIC in trial.metrics for trial in again.trials.values())


def values_of(example: SchedulerSettings, withdrawn: int) -> list[tuple[str, Decision]]:
    """What is decided of twelve trials, one epoch of one trial after the other, with others that are taken back."""
    scheduler, decided = example.build(), list[tuple[str, Decision]]()
    epochs, started = dict[str, int](), 0
    while (trial := scheduler.next(no_new_trials=started == 12)) or started < 12:
        if trial is None:
            for number in range(withdrawn):
                scheduler.start(f"w{started}-{number}")
                scheduler.withdraw(f"w{started}-{number}")
            trial, started = f"t{started:02d}", started + 1
            scheduler.start(trial)
        else:
            scheduler.resume(trial)
        decision = Decision.CONTINUE
        while decision is Decision.CONTINUE and epochs.get(trial, 0) < example.max_epochs:
            epochs[trial] = epochs.get(trial, 0) + 1
            decision = scheduler.report(trial, epochs[trial], math.sin(7 * int(trial[1:]) + epochs[trial] / 9))
            decided.append((trial, decision))
    return decided


@each
@pytest.mark.parametrize("withdrawn", [1, 3])
def test_a_trial_that_is_taken_back_might_as_well_never_have_begun(example: SchedulerSettings, withdrawn: int):
    assert values_of(example, withdrawn) == values_of(example, 0)
