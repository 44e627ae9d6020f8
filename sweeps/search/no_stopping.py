"""No scheduler: every trial trains all its epochs."""

import math
from dataclasses import dataclass, replace
from typing import Self

from src.errors import UserError
from sweeps.search.scheduler import Decision


@dataclass(frozen=True, kw_only=True)
class NoStopping:
    """Settings of a search that stops no trial."""

    max_epochs: int

    def __post_init__(self) -> None:
        if self.max_epochs < 1:
            raise UserError(f"max_epochs={self.max_epochs}: must be at least 1.")

    @property
    def rungs(self) -> list[int]:
        return []

    @property
    def described(self) -> str:
        return "all trials to the end"

    def scaled(self, max_epochs: int) -> Self:
        return replace(self, max_epochs=max_epochs)

    def build(self) -> "RunToTheEnd":
        return RunToTheEnd(self)


class RunToTheEnd:
    """The running trials of one search (``sweeps.search.scheduler.Scheduler``)."""

    def __init__(self, settings: NoStopping) -> None:
        self.settings = settings
        self.running: set[str] = set()
        self.paused: frozenset[str] = frozenset()

    def start(self, trial: str, to_end: bool = False) -> None:
        self.running.add(trial)

    def report(self, trial: str, epoch: int, value: float) -> Decision:
        if trial in self.running and math.isfinite(value) and epoch < self.settings.max_epochs:
            return Decision.CONTINUE
        self.end(trial)
        return Decision.STOP

    def next(self, no_new_trials: bool = False) -> str | None:
        return None

    def resume(self, trial: str) -> None:
        raise KeyError(trial)  # none is ever paused

    def end(self, trial: str, complete: bool = False) -> None:
        self.running.discard(trial)

    def withdraw(self, trial: str) -> None:
        self.end(trial)
