"""One trial of a search: its parameters, its state and what it has reported; and the order of trials, best first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class TrialState(StrEnum):
    """What a trial is doing."""

    RUNNING = "running"
    WAITING = "waiting"
    """Started, without a process now; the first to continue."""
    PAUSED = "paused"
    """At a rung, until it is promoted."""
    STOPPED = "stopped"
    """For good by the scheduler, or still paused when the search finished."""
    COMPLETE = "complete"
    """Trained all its epochs, or ended by early stopping."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """It broke a limit of the spec, and was not trained."""


INFEASIBLE = (TrialState.FAILED, TrialState.SKIPPED)


class Origin(StrEnum):
    """Where a trial's parameters come from."""

    DEFAULT = "default"
    GIVEN = "given"
    RANDOM = "random"
    MODEL = "model"
    SEED = "seed"
    """The same parameters as another trial, with another seed."""


@dataclass
class Trial:
    """One sampled configuration. Only ``SearchState.apply`` changes it."""

    name: str
    params: dict[str, Any]
    number: int = 0
    """In the order of starting, from 0."""
    origin: str = ""
    state: str = TrialState.RUNNING
    epochs: int = 0
    """Completed and reported; epochs that were trained again count once."""
    score: float | None = None
    """The best value of the search's metric over its epochs."""
    best_epoch: int = 0
    metrics: dict[str, float] = field(default_factory=dict[str, float])
    """The metrics of the best epoch."""
    values: dict[int, float] = field(default_factory=dict[int, float])
    """The search's metric at each rung that it has reached, and at the end."""
    seconds: float = 0.0
    """Spent in epochs."""
    micro_batch: int | None = None
    """Images at once, where memory ran out and they were fewer than ``data.batch_size``: batch norm saw fewer."""
    failures: int = 0
    losses: int = 0
    """How often in a row it lost its process with the machine under it, without a new epoch in between."""
    attempts: int = 1
    """Processes that it has had. The last one has this number."""
    checkpoints_deleted: bool = False
    """Its checkpoints were deleted to stay within the disk quota; resumed, it starts from epoch 0."""
    reason: str = ""
    """Why it failed or was skipped."""

    @property
    def is_infeasible(self) -> bool:
        """Whether its configuration cannot be used: a model expects the worst near it."""
        return self.state in INFEASIBLE

    def report(self, epoch: int, value: float, metrics: Mapping[str, float]) -> None:
        """Take in the metrics after an epoch, of which ``value`` is the one that counts."""
        self.epochs = epoch
        self.seconds += metrics.get("epoch_seconds", 0.0)
        if "micro_batch" in metrics:
            self.micro_batch = int(metrics["micro_batch"])
        if self.score is None or value > self.score:
            self.score, self.best_epoch, self.metrics = value, epoch, dict(metrics)


def ranked(trials: Iterable[Trial]) -> list[Trial]:
    """Best first; trials without a score after them, failed ones last; equal scores in the order of their names."""
    return sorted(trials, key=lambda trial: rank(trial.state, trial.score, trial.name))


def rank(state: str, score: float | None, name: str) -> tuple[bool, bool, float, str]:
    """The key by which trials are sorted."""
    return state in INFEASIBLE, score is None, -(score or 0.0), name
