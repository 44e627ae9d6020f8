"""The adapters to Ray; whole sweeps are in test_stages.py."""

import signal
from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution

from src.config.overrides import Overrides
from sweeps.interrupts import Signals
from sweeps.local_ray import LocalRay
from sweeps.ray_executor import Executor
from sweeps.search.sampler import ModelSampler
from sweeps.search.state import SearchState
from sweeps.search.study import SessionEnd, Study
from sweeps.spec import Asha, Budget
from trainable.plan import TrialPlan
from trainable.resources import Node, Resources

METRIC = "val/iou_best"
NODE = Node("a1", "10.0.0.7", "node7", 4)


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
