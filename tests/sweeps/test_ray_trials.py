"""What Ray is told while it runs trials, and what its news mean for the study."""

import errno
import traceback
from collections import deque
from types import SimpleNamespace
from typing import Any, cast

import pytest
from optuna.distributions import FloatDistribution
from ray.exceptions import ActorDiedError, ActorUnavailableError, OutOfMemoryError, RayTaskError
from ray.tune.experiment import Experiment, Trial
from ray.tune.schedulers import TrialScheduler

from sweeps.local_ray import LocalRay
from sweeps.observer import Observer
from sweeps.places import Place, places_here
from sweeps.ray_trials import MOST_CHECKS_LOST, NodeLost, ProcessEnded, StudyScheduler, TrialSource
from sweeps.search.sampler import ModelSampler
from sweeps.search.state import SearchState
from sweeps.search.study import SessionEnd, Study
from sweeps.search.trial import Trial as OurTrial
from sweeps.spec import Asha, Budget
from trainable.attempts import Superseded
from trainable.failures import trial_failed
from trainable.guard import CardLost, OutOfCardMemory
from trainable.resources import Node, Resources

METRIC = "val/iou_best"
NODE = Node("a1", "10.0.0.7", "node7", 4)


@pytest.fixture
def study() -> Study:
    sampler = ModelSampler({"lr": FloatDistribution(0.0, 1.0)}, 0, {"lr": 0.5})
    return Study(
        SearchState(Asha(grace_period=2, reduction_factor=3, max_epochs=6).build(), METRIC), sampler, Budget(trials=4)
    )


def fake(name: str) -> Trial:
    """As much of Ray's trial as the adapters look at."""
    return cast(Trial, cast(object, SimpleNamespace(config={"trial": name}, trial_id=f"{name}-1")))


class MadeMachines(LocalRay):
    """A Ray that knows whether a machine is gone."""

    def __init__(self, lost: bool) -> None:
        super().__init__(Resources(1, 1))
        self.lost = lost
        self.given_up: list[Place] = []

    def has_lost(self, place: Place) -> bool:
        return self.lost

    def give_up(self, place: Place) -> None:
        self.given_up.append(place)


def scheduler_of(study: Study, *observers: Observer, has_lost: bool = False) -> StudyScheduler:
    scheduler = StudyScheduler(TrialSource([]), MadeMachines(has_lost))
    scheduler.study, scheduler.observers = study, observers
    return scheduler


def report(rules: StudyScheduler, name: str, epoch: int, value: float) -> str:
    return rules.on_trial_result(
        None, fake(name), {"epoch": epoch, f"metrics/{METRIC}": value, "finished": False, "pid": 1}
    )


def failed(error: Exception) -> Exception:
    """What Ray gives for a trial's failure."""
    try:
        raise trial_failed(error) from error
    except Exception:
        return RayTaskError("train", traceback.format_exc(), error)


def fail(scheduler: StudyScheduler, name: str, error: Exception, node: Node | None = NODE) -> None:
    """A trial on a node of a cluster fails, or on this machine."""
    scheduler.errors[f"{name}-1"] = error
    scheduler.source.live[f"{name}-1"] = Place({"CPU": 1.0}, 0, 1, node)
    scheduler.on_trial_error(None, fake(name))


def test_a_failure_of_the_configuration_is_not_tried_again(study: Study):
    row = study.next_trial()
    assert row
    error = failed(OutOfCardMemory("CUDA out of memory"))
    fail(scheduler_of(study), row.name, error)
    assert (row.state, row.reason) == ("failed", "OutOfCardMemory: CUDA out of memory")


def test_a_pause_frees_the_process_and_the_trial_is_given_again_when_it_is_promoted(study: Study):
    rules = scheduler_of(study)
    names = []
    for value in (0.1, 0.3, 0.2):
        row = study.next_trial()
        assert row
        names.append(row.name)
        assert report(rules, row.name, 1, value) == TrialScheduler.CONTINUE
        decision = report(rules, row.name, 2, value)
        assert decision == TrialScheduler.STOP
    promoted = study.next_trial()
    assert promoted
    assert promoted.name == names[1]


def test_a_failed_trial_is_given_again_once_with_its_reason_kept(study: Study):
    rules = scheduler_of(study)
    row = study.next_trial()
    assert row
    error = failed(RuntimeError("it broke"))
    fail(rules, row.name, error)
    assert study.next_trial() is row
    fail(rules, row.name, error)
    assert (row.state, row.reason) == ("failed", "RuntimeError: it broke")


def test_a_full_disk_ends_the_session_and_no_trial_has_failed(study: Study):
    rules = scheduler_of(study)
    row = study.next_trial()
    assert row
    error = failed(OSError(errno.ENOSPC, "No space left on device", "last.pth"))
    fail(rules, row.name, error)
    assert (row.state, row.failures, study.ended) == ("waiting", 0, SessionEnd.DISK_FULL)
    assert study.next_trial() is None
    assert study.at_rest
    study.ended = None  # as in the next session
    assert study.next_trial() is row


def test_a_lost_card_ends_the_session_and_no_trial_has_failed(study: Study):
    rules = scheduler_of(study)
    row = study.next_trial()
    assert row
    fail(rules, row.name, failed(CardLost("There is a card.")), node=None)
    assert (row.state, row.failures) == ("waiting", 0)
    assert study.why_ended == "The graphics card is lost: There is a card"
    assert study.next_trial() is None


def test_a_lost_card_of_a_node_costs_that_node_alone(study: Study):
    rules = scheduler_of(study)
    row = study.next_trial()
    assert row
    fail(rules, row.name, failed(CardLost("There is a card.")))
    assert (row.state, row.losses, study.ended) == ("waiting", 1, None)
    assert [given.node for given in cast(MadeMachines, rules.machines).given_up] == [NODE]
    assert rules.source.gone == {NODE.id}


@pytest.fixture
def source(study: Study, monkeypatch: pytest.MonkeyPatch) -> TrialSource:
    """Of trials for two places, which are made without Ray."""
    monkeypatch.setattr("sweeps.ray_trials.RayTrial", lambda run, **about: SimpleNamespace(run=run, **about))
    source = TrialSource(places_here(Resources(trials_at_once=2, cores_per_trial=1)))
    source.experiment = cast(Experiment, SimpleNamespace(run_identifier="CrackTrial", storage=None))
    source.study = study
    return source


def test_ray_gets_no_more_trials_than_run_at_once(study: Study, source: TrialSource):
    first, second, third = (cast(Any, source.next_trial()) for _ in range(3))
    assert third is None
    assert first.trial_id == f"{first.config['trial']}-1"
    assert first.config["params"] == {"lr": 0.5}
    assert first.config["reported_epochs"] == 0
    study.report(second.config["trial"], 1, {METRIC: 0.5})
    study.fail(second.config["trial"], "it broke")
    source.on_trial_complete(second.trial_id, error=True)
    again = cast(Any, source.next_trial())
    assert again.trial_id == f"{second.config['trial']}-2"
    assert again.config["reported_epochs"] == 1
    assert not source.is_finished()


def test_a_trial_goes_to_the_place_whose_process_is_ready_before_one_whose_process_has_died(
    study: Study, source: TrialSource
):
    first, second = (cast(Any, source.next_trial()) for _ in range(2))
    study.report(first.config["trial"], 6, {METRIC: 0.5})
    source.on_trial_complete(first.trial_id)
    study.fail(second.config["trial"], "it died")
    source.on_trial_complete(second.trial_id, error=True)
    third, fourth = (cast(Any, source.next_trial()) for _ in range(2))
    assert third.placement_group_factory == first.placement_group_factory
    assert fourth.placement_group_factory == second.placement_group_factory


def test_checks_come_first_and_trials_only_with_a_study(study: Study, source: TrialSource):
    source.study = None
    assert source.next_trial() is None
    source.checks = [{"corners": [["a=1"]], "on_card": False}]
    check = cast(Any, source.next_trial())
    assert check.config["corners"] == [["a=1"]]
    assert source.next_trial() is None
    assert not source.is_finished()
    source.on_trial_complete(check.trial_id)
    source.study = study
    assert cast(Any, source.next_trial()).config["trial"] == next(iter(study.trials))


def test_what_a_check_refuses_and_a_process_that_dies_of_it_are_kept_for_the_user(study: Study):
    scheduler = scheduler_of(study)
    check = cast(Trial, SimpleNamespace(config={"corners": []}, trial_id="check-1"))
    assert scheduler.on_trial_result(None, check, {"refused": "no such encoder"}) == TrialScheduler.STOP
    scheduler.errors["check-1"] = RuntimeError("it died")
    scheduler.source.live["check-1"] = Place({"CPU": 1.0}, 0, 1)
    scheduler.on_trial_error(None, check)
    assert scheduler.answers[0] == "no such encoder"
    assert "it died" in scheduler.answers[1]
    assert not study.trials


def test_observers_are_told_of_epochs_and_of_trials_that_leave_their_place(study: Study):
    told: list[tuple[str, str, str]] = []

    class Noted(Observer):
        def reported(self, trial: OurTrial) -> None:
            told.append(("reported", trial.name, trial.state))

        def left(self, trial: OurTrial) -> None:
            told.append(("left", trial.name, trial.state))

    scheduler = scheduler_of(study, Noted())
    one, other = study.next_trial(), study.next_trial()
    assert one
    assert other
    report(scheduler, one.name, 2, 0.5)
    scheduler.on_trial_complete(None, fake(one.name), {})
    fail(scheduler, other.name, RuntimeError("it died"))
    assert told == [("reported", one.name, "paused"), ("left", one.name, "paused"), ("left", other.name, "waiting")]


def test_the_search_is_finished_when_the_study_is_and_nothing_lives(study: Study, source: TrialSource):
    assert not source.is_finished()
    trial = cast(Any, source.next_trial())
    study.requeue(trial.config["trial"])
    study.end_session(SessionEnd.HOURS)
    assert not source.is_finished()
    source.on_trial_complete(trial.trial_id)
    assert source.is_finished()
    source.set_finished()  # Ray ends the session
    assert source.is_finished()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NodeLost("node7 (10.0.0.7) is lost"), "node7 (10.0.0.7) is lost"),
        (ActorUnavailableError("the connection broke", b"1" * 16), "node7 (10.0.0.7) does not answer"),
        (OutOfMemoryError("2 workers were killed"), "memory"),
        (ProcessEnded(OutOfMemoryError("2 workers were killed")), "memory"),
        (failed(Superseded("attempt 2 has taken over")), "attempt 2"),
    ],
    ids=["node", "connection", "memory at the start", "memory", "lock"],
)
def test_a_trial_that_loses_its_machine_is_next_and_counts_no_failure(study: Study, error: Exception, reason: str):
    waiting, lost = study.next_trial(), study.next_trial()
    assert waiting
    assert lost
    rules = scheduler_of(study)
    study.requeue(waiting.name)
    fail(rules, lost.name, error)
    assert (lost.state, lost.failures, lost.losses) == ("waiting", 0, 1)
    assert study.next_trial() is lost
    for _ in range(4):
        fail(rules, lost.name, error)
    assert lost.state == "failed"
    assert reason in lost.reason


@pytest.mark.parametrize("has_lost", [True, False])
def test_a_process_that_dies_is_the_fault_of_its_trial_unless_its_machine_is_gone(study: Study, has_lost: bool):
    trial = study.next_trial()
    assert trial
    fail(scheduler_of(study, has_lost=has_lost), trial.name, ActorDiedError())
    assert (trial.failures, trial.losses) == ((0, 1) if has_lost else (1, 0))


def test_a_node_that_does_not_answer_is_given_up_until_it_passes_the_checks_again(study: Study):
    trial = study.next_trial()
    assert trial
    rules = scheduler_of(study)
    place = Place({"CPU": 1.0}, 1, 2, NODE)
    rules.source.add([place])
    fail(rules, trial.name, ActorUnavailableError("the connection broke", b"1" * 16))
    assert [given.node for given in cast(MadeMachines, rules.machines).given_up] == [NODE]
    assert not rules.source.free
    rules.source.add([place])
    assert not rules.source.is_gone(place)


def test_a_place_on_a_node_that_is_gone_is_used_no_more(study: Study, source: TrialSource):
    here, there = Place({"CPU": 1.0}, 0, 1), [Place({"CPU": 1.0}, number, 2, NODE) for number in (1, 2)]
    source.free = deque([there[0], here, there[1]])
    running = cast(Any, source.next_trial())
    assert running.config["beside"] == 2
    assert source.give_up({NODE.id}) == [(running.trial_id, there[0])]
    source.on_trial_complete(running.trial_id, error=True)
    assert list(source.free) == [here]
    assert source.count == 1


def test_a_check_whose_node_is_lost_is_made_again(study: Study):
    scheduler = scheduler_of(study)
    check = cast(Trial, SimpleNamespace(config={"corners": [["a=1"]]}, trial_id="check-1"))
    scheduler.errors["check-1"] = NodeLost("node7 is lost")
    scheduler.source.live["check-1"] = Place({"CPU": 1.0}, 0, 1, NODE)
    scheduler.on_trial_error(None, check)
    assert not scheduler.answers
    assert scheduler.source.checks == [{"corners": [["a=1"]], "lost": 1}]
    for lost in range(1, MOST_CHECKS_LOST):
        assert not scheduler.answers
        scheduler.errors["check-1"] = NodeLost("node7 is lost")
        check.config = {"corners": [["a=1"]], "lost": lost}
        scheduler.on_trial_error(None, check)
    assert "node7 is lost" in scheduler.answers[0]


def test_a_place_whose_machine_had_no_memory_left_rests(study: Study, monkeypatch: pytest.MonkeyPatch):
    scheduler, trial = scheduler_of(study), study.next_trial()
    assert trial
    fail(scheduler, trial.name, OutOfMemoryError("2 workers were killed"))
    source = scheduler.source
    source.on_trial_complete(f"{trial.name}-1", error=True)
    source.study = study
    assert source.next_trial() is None
    assert (source.count, list(source.free)) == (1, [])
    monkeypatch.setattr("sweeps.ray_trials.time.monotonic", lambda: 1e9)
    monkeypatch.setattr(source, "_ray_trial", lambda name, job: name)  # pyright: ignore[reportUnknownLambdaType]
    assert source.next_trial() == trial.name
    assert not source.resting
