"""A search whose trials are curves in place of trainings, for tests of the search core."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from optuna.distributions import FloatDistribution

from sweeps.search.asha import Asha, Variant
from sweeps.search.budget import Budget
from sweeps.search.events import Event, Record
from sweeps.search.sampler import Known, ModelSampler
from sweeps.search.scheduler import Decision, SchedulerSettings
from sweeps.search.state import SearchState
from sweeps.search.study import EventLog, NoLog, Study
from sweeps.search.trial import Trial

SPACE = {"x": FloatDistribution(0.0, 1.0)}
METRIC = "val/iou"
ASHA = Asha(grace_period=1, reduction_factor=3, max_epochs=9)


def make(
    log: EventLog | None = None,
    variant: Variant = "promotion",
    asha: SchedulerSettings = ASHA,
    sampler: str = "random",
    to_end: bool = False,
    **budget: Any,
) -> Study:
    """A study of 8 trials of one parameter, the first at 0.5, the others at random unless ``sampler`` has a model.

    ``to_end``: whether the first one is trained to its end.
    """
    limits: dict[str, Any] = {"trials": 8, **budget}
    if variant != "promotion":
        assert isinstance(asha, Asha)
        asha = replace(asha, variant=variant)
    state = SearchState(asha.build(), METRIC)
    known = Known(default={"x": 0.5}, default_to_end=to_end)
    return Study(state, ModelSampler(SPACE, 0, known, sampler), Budget(**limits), log)


def curve(x: float, epoch: int) -> float:
    """A trial's value: what it comes to depends on x, and is not to be seen at once."""
    return (1 - (x - 0.3) ** 2) * (1 - 0.5**epoch) - 0.1 * x / epoch


def play(study: Study, steps: int = 10**6, at_once: int = 1) -> int:
    """Run trials an epoch each in turn, until the search is at rest or so many steps are done; returns the steps."""
    live: list[Trial] = []
    for step in range(steps):
        while len(live) < at_once and (trial := study.next_trial()):
            live.append(trial)
        if not live:
            return step
        trial = live.pop(0)
        epoch = trial.epochs + 1
        if study.report(trial.name, epoch, {METRIC: curve(trial.params["x"], epoch)}) is Decision.CONTINUE:
            live.append(trial)
    return steps


def summary(study: Study) -> dict[str, Any]:
    """Everything that decides how a search goes on."""
    state = study.state
    trials = {one.name: (one.params, one.state, one.epochs, one.score, one.values) for one in state.trials.values()}
    return {
        "trials": trials,
        "epochs": state.epochs,
        "paused": state.scheduler.paused,
        "waiting": state.waiting,
        "exhausted": state.exhausted,
        "since_best": state.since_best,
    }


def asha_settings(grace_period: int, more: int, reduction_factor: int) -> st.SearchStrategy[Asha]:
    """Settings of ASHA up to these numbers; ``more``: epochs after the grace period."""
    return st.builds(
        lambda grace, after, factor, variant: Asha(
            grace_period=grace, reduction_factor=factor, max_epochs=grace + after, variant=variant
        ),
        st.integers(1, grace_period),
        st.integers(0, more),
        st.integers(2, reduction_factor),
        st.sampled_from(["promotion", "stopping"]),
    )


class MemoryLog(NoLog):
    """Keeps events in memory."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, event: Event, decision: Decision | None, trials: object) -> None:
        self.records.append(Record(len(self.records) + 1, event, decision))
