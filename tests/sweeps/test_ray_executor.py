"""The adapters to Ray; whole sweeps are in test_stages.py."""

import errno
import pickle
import time
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from optuna.distributions import FloatDistribution
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from sweeps.interrupts import Signals
from sweeps.ray_executor import SessionStopper, StudyScheduler, TrialSource, places
from sweeps.search.sampler import ModelSampler
from sweeps.search.state import SearchState
from sweeps.search.study import SessionEnd, Study
from sweeps.spec import Asha, Budget
from trainable.failures import trial_failed
from trainable.guard import CardLost, OutOfCardMemory
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
    StudyScheduler(study).on_trial_error(None, fake(row.name, tmp_path / "error.txt"))
    assert (row.state, row.reason) == ("failed", "OutOfCardMemory: CUDA out of memory")


def test_a_pause_frees_the_process_and_the_trial_is_given_again_when_it_is_promoted(study: Study):
    rules = StudyScheduler(study)
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
    rules = StudyScheduler(study)
    row = study.next_trial()
    assert row
    write_failure(tmp_path / "error.txt", RuntimeError("it broke"))
    rules.on_trial_error(None, fake(row.name, tmp_path / "error.txt"))
    assert study.next_trial() is row
    rules.on_trial_error(None, fake(row.name, tmp_path / "error.txt"))
    assert (row.state, row.reason) == ("failed", "RuntimeError: it broke")


def test_a_full_disk_ends_the_session_and_no_trial_has_failed(study: Study, tmp_path: Path):
    rules = StudyScheduler(study)
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
    rules = StudyScheduler(study)
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
    source = TrialSource(study, Resources(trials_at_once=2, cores_per_trial=1))
    source.spec = {"run": "CrackTrial", "storage": None}
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


def test_each_place_asks_for_resources_of_its_own_so_that_ray_gives_no_process_to_another_place():
    first, second = places(Resources(trials_at_once=2, cores_per_trial=3))
    assert first != second
    assert first.required_resources == second.required_resources == {"CPU": 3.0}


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


def test_ray_is_told_once_to_keep_the_process_of_a_place(study: Study):
    told: list[object] = []
    controller = SimpleNamespace(_actor_cache=SimpleNamespace(increase_max=told.append))
    scheduler = StudyScheduler(study)
    one, other = places(Resources(trials_at_once=2, cores_per_trial=1))
    for place in (one, other, one):
        scheduler.on_trial_complete(controller, cast(Trial, SimpleNamespace(placement_group_factory=place)), {})
    assert told == [one, other]


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


def test_after_the_hours_nothing_begins_and_running_trials_end_their_epoch(study: Study):
    halt = SessionStopper(study, Signals(), hours=1e-9)
    time.sleep(0.01)
    assert not halt.stop_all()
    assert study.ended is SessionEnd.HOURS
    assert study.next_trial() is None


def test_ray_may_pickle_the_adapters(study: Study):
    for adapter in (TrialSource(study, Resources(1, 1)), StudyScheduler(study), SessionStopper(study, Signals(), None)):
        assert type(pickle.loads(pickle.dumps(adapter))) is object
