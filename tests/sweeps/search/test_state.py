"""The state of a search, and that applying its events again gives the same."""

import pytest
from made_up_search import ASHA, METRIC, MemoryLog, make

from src.errors import UserError
from sweeps.search.asha import Asha
from sweeps.search.events import Record, Resumed, Started
from sweeps.search.scheduler import Decision
from sweeps.search.state import SearchState, replay
from sweeps.search.study import Study


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def study(log: MemoryLog) -> Study:
    """A search in which everything has happened once."""
    study = make(log)
    study.begin_session()
    while len(study.trials) < 6 and (trial := study.next_trial()):
        while study.report(trial.name, trial.epochs + 1, {METRIC: trial.params["x"] * trial.epochs}) is CONTINUE:
            pass
    study.checkpoints_deleted(study.state.paused[0].name)
    for reason in ("it broke", "it broke again"):
        trial = study.next_trial()
        assert trial
        study.fail(trial.name, reason)
    trial = study.next_trial()
    assert trial
    study.requeue(trial.name)
    trial = study.next_trial()
    assert trial
    study.lose(trial.name, "its node has died")
    study.next_trial()
    study.interrupt()
    return study


CONTINUE = Decision.CONTINUE


def test_a_replay_gives_the_same_state(study: Study, log: MemoryLog):
    again = replay(SearchState(ASHA.build(), METRIC), log.records)
    assert again.trials == study.trials
    assert {trial.state for trial in again.trials.values()} >= {"paused", "failed", "waiting"}
    for name in ("epochs", "waiting", "exhausted", "trials_planned", "best", "since_best", "judged"):
        assert getattr(again, name) == getattr(study.state, name), name
    assert again.scheduler.paused == study.state.scheduler.paused
    assert again.scheduler.running == study.state.scheduler.running


def test_another_scheduler_than_that_of_the_events_is_named(study: Study, log: MemoryLog):
    other = Asha(grace_period=2, reduction_factor=2, max_epochs=9)
    with pytest.raises(UserError, match=r"'continue' for t0000-.* at epoch 1, but 'pause'"):
        replay(SearchState(other.build(), METRIC), log.records)


def test_a_trial_that_never_started_is_named():
    with pytest.raises(UserError, match=r"event 1 .*'t0007'"):
        replay(SearchState(ASHA.build(), METRIC), [Record(1, Resumed("t0007"), None)])


def test_the_trials_of_a_session_that_was_killed_wait_when_the_next_begins(log: MemoryLog):
    study = make(log)
    study.begin_session()
    running = [study.next_trial(), study.next_trial()]
    again = make()
    replay(again.state, log.records)
    again.begin_session()
    assert [trial.name for trial in running if trial] == again.state.waiting
    first = again.state.waiting[0]
    assert again.next_trial() is again.trials[first]


def test_a_trial_that_is_started_twice_is_named():
    start = Started("t0007", {}, "default")
    with pytest.raises(UserError, match=r"event 2 .*'t0007'"):
        replay(SearchState(ASHA.build(), METRIC), [Record(1, start, None), Record(2, start, None)])
