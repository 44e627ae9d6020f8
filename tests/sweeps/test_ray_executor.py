"""The loop over Ray's processes; whole sweeps are in test_sweep.py."""

import signal
import time
from pathlib import Path
from threading import Timer
from types import SimpleNamespace
from typing import cast

import pytest
from optuna.distributions import FloatDistribution
from ray.exceptions import ActorDiedError, OutOfMemoryError

from src.config.overrides import Overrides
from sweeps.interrupts import Signals
from sweeps.local_ray import LocalRay
from sweeps.places import Place, places_here
from sweeps.ray_executor import Executor, take_failures_of_ray
from sweeps.ray_trials import ProcessEnded, TrialSource
from sweeps.search.sampler import ModelSampler
from sweeps.search.state import SearchState
from sweeps.search.study import SessionEnd, Study
from sweeps.spec import Asha, Budget
from trainable.plan import TrialPlan
from trainable.resources import Node, Resources

METRIC = "val/iou_best"


@pytest.fixture
def study() -> Study:
    sampler = ModelSampler({"lr": FloatDistribution(0.0, 1.0)}, 0, {"lr": 0.5})
    return Study(
        SearchState(Asha(grace_period=2, reduction_factor=3, max_epochs=6).build(), METRIC), sampler, Budget(trials=4)
    )


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

    def late_nodes(self) -> list[Node]:
        return []


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


def test_every_error_of_ray_ends_a_process_and_not_the_sweep():
    """Ray's manager knows those of a process and of a task; of any other it makes an error of the whole loop."""
    taken: list[Exception] = []

    class Manager:
        def _actor_task_failed(self, tracked_actor_task: object, exception: Exception) -> None:
            taken.append(exception)

    manager = Manager()
    take_failures_of_ray(manager)
    died, memory, ours = ActorDiedError(), OutOfMemoryError("2 workers were killed"), ValueError("of ours")
    for error in (died, memory, ours):
        manager._actor_task_failed(tracked_actor_task=None, exception=error)
    assert taken[0] is died
    assert isinstance(taken[1], ProcessEnded)
    assert taken[1].cause is memory
    assert taken[2] is ours


def test_the_next_proposal_waits_for_the_work_that_was_begun_beside_the_trials(study: Study):
    """Two threads that import parts of one library at the same time may get half of it."""
    order: list[str] = []
    source = TrialSource(places_here(Resources(2, 1)))
    source.study = cast(Study, SimpleNamespace(next_trial=lambda: order.append("proposal")))
    source.begin(lambda: (time.sleep(0.2), order.append("imports")))  # pyright: ignore[reportArgumentType]
    assert source.next_trial() is None
    assert order == ["imports", "proposal"]


def test_ray_ends_before_the_handles_of_its_processes_are_freed():
    kept = list[object]()

    class Ending(LocalRay):
        def stop(self, keep: object = None) -> None:
            kept.append(keep)

    resources = Resources(trials_at_once=1, cores_per_trial=1)
    with Executor(TrialPlan(Path(), Overrides(), METRIC), resources, Ending(resources)) as executor:
        pass
    assert kept == [executor]


class Lonely(LocalRay):
    """A cluster without a node."""

    def places(self) -> list[Place]:
        return []


def test_without_any_place_a_session_waits_and_takes_signals(study: Study):
    resources = Resources(trials_at_once=1, cores_per_trial=1)
    executor = Executor(TrialPlan(Path(), Overrides(), METRIC), resources, Lonely(resources))
    signals = Signals()
    executor.__dict__["controller"] = FakeController(signals, steps=1)
    Timer(0.3, lambda: setattr(signals, "received", signal.SIGTERM)).start()
    executor.run(study, signals, None, [])
    assert study.next_trial() is not None  # the search goes on in the next session
