"""The adapters to Ray; whole sweeps are in test_stages.py."""

import errno
import signal
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from optuna.distributions import FloatDistribution
from ray.tune.experiment import Experiment, Trial
from ray.tune.schedulers import TrialScheduler

from src.config.overrides import Overrides
from sweeps.interrupts import Signals
from sweeps.local_ray import LocalRay
from sweeps.places import places
from sweeps.ray_executor import Executor, Observer, StudyScheduler, TrialSource
from sweeps.search.sampler import ModelSampler
from sweeps.search.state import SearchState
from sweeps.search.study import SessionEnd, Study
from sweeps.search.trial import Trial as OurTrial
from sweeps.spec import Asha, Budget
from trainable.failures import trial_failed
from trainable.guard import CardLost, OutOfCardMemory
from trainable.plan import TrialPlan
from trainable.resources import Resources

METRIC = "val/iou_best"


@pytest.fixture
def study() -> Study:
    sampler = ModelSampler({"lr": FloatDistribution(0.0, 1.0)}, 0, {"lr": 0.5})
    return Study(
        SearchState(Asha(grace_period=2, reduction_factor=3, max_epochs=6).build(), METRIC), sampler, Budget(trials=4)
    )


def fake(name: str, error_file: Path | None = None) -> Trial:
    """As much of Ray's trial as the adapters look at."""
    return cast(Trial, cast(object, SimpleNamespace(config={"trial": name}, error_file=error_file)))


def scheduler_of(study: Study, *observers: Observer) -> StudyScheduler:
    scheduler = StudyScheduler()
    scheduler.study, scheduler.observers = study, observers
    return scheduler


def report(rules: StudyScheduler, name: str, epoch: int, value: float) -> str:
    return rules.on_trial_result(
        None, fake(name), {"epoch": epoch, f"metrics/{METRIC}": value, "finished": False, "pid": 1}
    )


def write_failure(path: Path, error: Exception) -> None:
    """What Ray keeps of a trial's failure."""
    try:
        raise trial_failed(error) from error
    except Exception:
        path.write_text(f"Failure # 1\n{traceback.format_exc()}\n")


def test_a_failure_of_the_configuration_is_not_tried_again(study: Study, tmp_path: Path):
    row = study.next_trial()
    assert row
    write_failure(tmp_path / "error.txt", OutOfCardMemory("CUDA out of memory"))
    scheduler_of(study).on_trial_error(None, fake(row.name, tmp_path / "error.txt"))
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


def test_a_failed_trial_is_given_again_once_with_its_reason_kept(study: Study, tmp_path: Path):
    rules = scheduler_of(study)
    row = study.next_trial()
    assert row
    write_failure(tmp_path / "error.txt", RuntimeError("it broke"))
    rules.on_trial_error(None, fake(row.name, tmp_path / "error.txt"))
    assert study.next_trial() is row
    rules.on_trial_error(None, fake(row.name, tmp_path / "error.txt"))
    assert (row.state, row.reason) == ("failed", "RuntimeError: it broke")


def test_a_full_disk_ends_the_session_and_no_trial_has_failed(study: Study, tmp_path: Path):
    rules = scheduler_of(study)
    row = study.next_trial()
    assert row
    write_failure(tmp_path / "error.txt", OSError(errno.ENOSPC, "No space left on device", "last.pth"))
    rules.on_trial_error(None, fake(row.name, tmp_path / "error.txt"))
    assert (row.state, row.failures, study.ended) == ("waiting", 0, SessionEnd.DISK_FULL)
    assert study.next_trial() is None
    assert study.at_rest
    study.ended = None  # as in the next session
    assert study.next_trial() is row


def test_a_lost_card_ends_the_session_and_no_trial_has_failed(study: Study, tmp_path: Path):
    rules = scheduler_of(study)
    row = study.next_trial()
    assert row
    write_failure(tmp_path / "error.txt", CardLost("There is a card."))
    rules.on_trial_error(None, fake(row.name, tmp_path / "error.txt"))
    assert (row.state, row.failures) == ("waiting", 0)
    assert study.why_ended == "The graphics card is lost: There is a card"
    assert study.next_trial() is None


@pytest.fixture
def source(study: Study, monkeypatch: pytest.MonkeyPatch) -> TrialSource:
    """Of trials for two places, which are made without Ray."""
    monkeypatch.setattr("sweeps.ray_executor.RayTrial", lambda run, **about: SimpleNamespace(run=run, **about))
    source = TrialSource(places(Resources(trials_at_once=2, cores_per_trial=1)))
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


def test_what_a_check_refuses_and_a_process_that_dies_of_it_are_kept_for_the_user(study: Study, tmp_path: Path):
    scheduler = scheduler_of(study)
    check = cast(Trial, SimpleNamespace(config={"corners": []}, error_file=str(tmp_path / "error.txt")))
    assert scheduler.on_trial_result(None, check, {"refused": "no such encoder"}) == TrialScheduler.STOP
    (tmp_path / "error.txt").write_text("ray.exceptions.ActorDiedError: it died\n")
    scheduler.on_trial_error(None, check)
    assert scheduler.answers[0] == "no such encoder"
    assert "it died" in scheduler.answers[1]
    assert not study.trials


def test_observers_are_told_of_epochs_and_of_trials_that_leave_their_place(study: Study):
    told: list[tuple[str, str, str]] = []

    class Noted:
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
    scheduler.on_trial_error(None, fake(other.name))
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


class FakeController:
    """Ray's loop, in which nothing happens; a signal comes after some steps."""

    def __init__(self, signals: Signals, steps: int) -> None:
        self.signals, self.steps, self.cleaned = signals, steps, False

    def is_finished(self) -> bool:
        return False

    def step(self) -> None:
        self.steps -= 1
        if not self.steps:
            self.signals.received = signal.SIGTERM

    def cleanup(self) -> None:
        self.cleaned = True


@pytest.mark.parametrize(("hours", "ended"), [(1e-9, SessionEnd.HOURS), (None, None)])
def test_after_the_hours_nothing_begins_and_a_signal_ends_the_session(
    study: Study, hours: float | None, ended: SessionEnd | None
):
    resources = Resources(trials_at_once=1, cores_per_trial=1)
    executor = Executor(TrialPlan(Path(), Overrides(), METRIC), resources, LocalRay(resources))
    signals = Signals()
    controller = FakeController(signals, steps=3)
    executor.__dict__["controller"] = controller
    executor.run(study, signals, hours, [])
    assert controller.cleaned
    assert executor.source.is_finished()
    assert study.ended is ended
    assert (study.next_trial() is None) == (ended is not None)
