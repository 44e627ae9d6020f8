"""Asynchronous successive halving as a pure state machine: reports in, decisions out; no clock, no randomness, no Ray.

Li et al. 2020, arXiv 1810.05934. The paper's r is ``grace_period``, its eta ``reduction_factor``, its R ``max_epochs``;
rung k is at epoch r * eta^k, and s, the number of rungs that are left out below, is 0. Two variants:

- ``promotion`` (algorithm 2): a trial pauses at each rung. Whenever a process is free, ``next`` (``get_job`` in the
  paper) resumes the best paused trial that is among the top 1/eta of its rung, the highest rung first; if there is
  none, a new trial starts.
- ``stopping`` (as Ray and Syne Tune have it): a trial that is not among the top 1/eta at a rung ends there for good.

Both decide by what is recorded so far. Of ``n`` values at a rung the top ``n // eta`` may pass (with ``stopping`` at
least one); of equal values the one that came first is better.

Two rules are not in the paper. A trial may be started ``to_end``: it passes every rung, and its values count there.
And when no new trial will start, a free process would have nothing to do until the running
trials reach their rungs. Then those on their way to a rung count for ``n`` already, as if their values were the worst.
"""

import math
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Self, get_args

from src.errors import UserError, unknown
from sweeps.search.scheduler import Decision

Variant = Literal["promotion", "stopping"]


@dataclass(frozen=True, kw_only=True)
class Asha:
    """Settings of asynchronous successive halving; in the paper's symbols r, eta and R."""

    grace_period: int
    """Epochs before the first rung (r). Choose it after the warm-up, and at least 6 % of ``max_epochs``."""
    reduction_factor: int
    """1/eta of the trials pass a rung, and each rung is at eta times the epochs of the one before (eta)."""
    max_epochs: int
    """Epochs of a trial that is never stopped (R): its ``training.epochs``, so the length of its learning-rate
    schedule."""
    variant: Variant = "promotion"
    """Whether a trial that does not pass its rung pauses there (``promotion``) or ends for good (``stopping``)."""

    def __post_init__(self) -> None:
        if not 1 <= self.grace_period <= self.max_epochs:
            raise UserError(f"grace_period={self.grace_period}: must be from 1 to max_epochs={self.max_epochs}.")
        if self.reduction_factor < 2:
            raise UserError(f"reduction_factor={self.reduction_factor}: must be at least 2.")
        if self.variant not in get_args(Variant):
            raise unknown("variant of a scheduler", str(self.variant), get_args(Variant))

    @property
    def rungs(self) -> list[int]:
        """Epochs at which trials are compared: grace_period times powers of reduction_factor, below max_epochs."""
        rungs, epoch = [], self.grace_period
        while epoch < self.max_epochs:
            rungs.append(epoch)
            epoch *= self.reduction_factor
        return rungs

    @property
    def described(self) -> str:
        return f"one in {self.reduction_factor}, {self.variant}"

    def scaled(self, max_epochs: int) -> Self:
        """The same shape over another number of epochs: the grace period keeps its share, rounded up.

        With few epochs the first rung is too early to tell trials apart; ``sweeps.early_rungs`` warns of that.
        """
        grace = -(-self.grace_period * max_epochs // self.max_epochs)
        return replace(self, grace_period=max(1, grace), max_epochs=max_epochs)

    def build(self) -> "SuccessiveHalving":
        return SuccessiveHalving(self)


class Place(NamedTuple):
    """A trial that is paused, and where."""

    rung: int
    trial: str


class Position(NamedTuple):
    """A trial in a rung. Positions sort best first: by falling value, then by order of coming."""

    minus_value: float
    """inf where the value was not finite."""
    order: int
    trial: str


class Rung:
    """The trials that were at one epoch."""

    def __init__(self) -> None:
        self.ranked: list[Position] = []
        self.paused: list[Position] = []
        """Those that wait here to be resumed, best first."""

    def add(self, trial: str, value: float) -> Position:
        position = Position(-value if math.isfinite(value) else math.inf, len(self.ranked), trial)
        insort(self.ranked, position)
        return position

    def passes(self, position: Position, allowed: int) -> bool:
        """Whether a position is among the best ``allowed`` of the rung."""
        return position.minus_value < math.inf and bisect_left(self.ranked, position) < allowed


class SuccessiveHalving:
    """The rungs of one search, and where each of its trials is (``sweeps.search.scheduler.Scheduler``)."""

    def __init__(self, settings: Asha) -> None:
        self.settings = settings
        self.rungs = {epoch: Rung() for epoch in settings.rungs}
        self.running: dict[str, int] = {}
        """Trials that run, to the epoch of the highest rung that they have reached; 0 before the first."""
        self.paused: dict[str, tuple[int, Position]] = {}
        """Paused trials, to the rung where they are and their position in it."""
        self.to_end = set[str]()
        """Trials that pass every rung."""
        self.completed = 0
        """Trials that were trained to the end because they passed every rung."""

    def start(self, trial: str, to_end: bool = False) -> None:
        self.running[trial] = 0
        if to_end:
            self.to_end.add(trial)

    def report(self, trial: str, epoch: int, value: float) -> Decision:
        if trial not in self.running:
            return Decision.PAUSE if trial in self.paused else Decision.STOP
        finite = math.isfinite(value)
        above = [rung for rung in self.rungs if rung > self.running[trial]]
        passed = [rung for rung in above if rung <= epoch] if finite else above[:1]
        positions = [self.rungs[rung].add(trial, value) for rung in passed]
        if not finite or epoch >= self.settings.max_epochs:
            self.end(trial, complete=finite)
            return Decision.STOP
        if not passed:
            return Decision.CONTINUE
        self.running[trial] = passed[-1]
        if trial in self.to_end:
            return Decision.CONTINUE
        return self._decide(trial, passed[-1], positions[-1])

    def _decide(self, trial: str, epoch: int, position: Position) -> Decision:
        rung = self.rungs[epoch]
        if self.settings.variant == "stopping":
            allowed = max(
                1, len(rung.ranked) // self.settings.reduction_factor
            )  # or else none of the first few would ever pass
            if rung.passes(position, allowed):
                return Decision.CONTINUE
            self.end(trial)
            return Decision.STOP
        del self.running[trial]
        self.paused[trial] = epoch, position
        insort(rung.paused, position)
        if self.next() != trial:
            return Decision.PAUSE
        self.resume(trial)  # it would be the next to run: spare it the pause
        return Decision.CONTINUE

    def next(self, no_new_trials: bool = False) -> str | None:
        found = self.promotable()
        if not found and no_new_trials:
            found = self.soon_promotable() if self.has_climbers else self.best_paused()
        return found.trial if found else None

    @property
    def has_climbers(self) -> bool:
        """Whether a trial that has to pass the rungs has reached the end, or is on its way."""
        return bool(self.completed or self.running.keys() - self.to_end)

    def promotable(self) -> Place | None:
        """The best trial that may pass its rung, in the highest rung that has one."""
        return self._passing({epoch: len(rung.ranked) for epoch, rung in self.rungs.items()})

    def soon_promotable(self) -> Place | None:
        """The same, if all running trials had reached their next rung, and with the worst values."""
        coming = Counter(self.running.values())
        before = [0, *self.rungs]
        return self._passing(
            {
                epoch: len(rung.ranked) + coming[last]
                for last, (epoch, rung) in zip(before, self.rungs.items(), strict=False)
            }
        )

    def _passing(self, counts: Mapping[int, int]) -> Place | None:
        """The best paused trial among the top 1/eta of its rung, the highest rung first. ``counts``: n, by rung."""
        for epoch, rung in reversed(self.rungs.items()):
            if rung.paused and rung.passes(rung.paused[0], counts[epoch] // self.settings.reduction_factor):
                return Place(epoch, rung.paused[0].trial)
        return None

    def best_paused(self) -> Place | None:
        """The best trial of the highest rung where any is paused."""
        paused = ((epoch, rung.paused[0].trial) for epoch, rung in reversed(self.rungs.items()) if rung.paused)
        return next((Place(epoch, trial) for epoch, trial in paused), None)

    def resume(self, trial: str) -> None:
        epoch, position = self.paused.pop(trial)
        self.rungs[epoch].paused.remove(position)
        self.running[trial] = epoch

    def end(self, trial: str, complete: bool = False) -> None:
        if trial in self.paused:
            self.resume(trial)
        self.running.pop(trial, None)
        self.completed += complete and trial not in self.to_end

    def withdraw(self, trial: str) -> None:
        self.end(trial)
        self.to_end.discard(trial)
