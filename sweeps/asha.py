"""Asynchronous successive halving as a pure state machine: reports in, decisions out; no clock, no chance, no Ray.

Li et al. 2020, arXiv 1810.05934. The paper's r is ``grace_period``, its eta ``reduction_factor``, its R ``max_epochs``;
rung k is at epoch r * eta^k, and s, the number of rungs that are left out below, is 0. Two forms:

- ``promotion`` (algorithm 2): a trial pauses at each rung. Whenever there is room, ``next`` (``get_job`` in the paper)
  resumes the best paused trial that is among the top 1/eta of its rung, the highest rung first; if there is none, a new
  trial begins.
- ``stopping`` (as Ray and Syne Tune have it): a trial that is not among the top 1/eta at a rung ends there for good.

Both decide by what is recorded so far. Of ``n`` values at a rung the top ``n // eta`` may pass; of equal values the one
that came first is better.
"""

import math
from bisect import bisect_left, insort
from enum import Enum
from typing import Literal, NamedTuple

from sweeps.spec import Asha

Form = Literal["promotion", "stopping"]


class Decision(Enum):
    """What a trial that has reported is to do."""

    CONTINUE = "continue"
    PAUSE = "pause"
    """Keep the checkpoint and make room; ``SuccessiveHalving.next`` may resume the trial."""
    STOP = "stop"
    WAIT = "wait"
    """The budget is over: keep the checkpoint, and be the first to go on if there is more."""


class Place(NamedTuple):
    """A trial in a rung. Places sort best first: by falling value, then by order of coming."""

    loss: float
    """The value with its sign changed; inf where it was not finite."""
    order: int
    trial: str


class Rung:
    """The trials that were at one epoch."""

    def __init__(self) -> None:
        self.ranked: list[Place] = []
        self.paused: list[Place] = []
        """Those that wait here to be resumed, best first."""

    def add(self, trial: str, value: float) -> Place:
        place = Place(-value if math.isfinite(value) else math.inf, len(self.ranked), trial)
        insort(self.ranked, place)
        return place

    def passes(self, place: Place, allowed: int) -> bool:
        """Whether a place is among the best ``allowed`` of the rung."""
        return place.loss < math.inf and bisect_left(self.ranked, place) < allowed


class SuccessiveHalving:
    """The rungs of one search, and where each of its trials is. The same calls in the same order decide the same."""

    def __init__(self, asha: Asha, form: Form = "promotion") -> None:
        self.asha = asha
        self.form: Form = form
        self.rungs = {epoch: Rung() for epoch in asha.rungs}
        self.running: dict[str, int] = {}
        """Trials that run, to the epoch of the highest rung that they have reached; 0 before the first."""
        self.paused: dict[str, tuple[int, Place]] = {}
        """Trials that wait, to the rung they wait at and their place in it."""
        self.completed = 0
        """Trials that came to ``max_epochs``."""

    def start(self, trial: str) -> None:
        """A new trial begins."""
        self.running[trial] = 0

    def report(self, trial: str, epoch: int, value: float) -> Decision:
        """Take in the value, the higher the better, that a trial has after ``epoch`` epochs.

        The first value at a rung counts; one that is reported again, as after an interruption, changes nothing. A
        report that skips a rung is taken for that rung too. A value that is not finite ends the trial, as the worst at
        its next rung. A trial that is paused or has ended is told so again.
        """
        if trial not in self.running:
            return Decision.PAUSE if trial in self.paused else Decision.STOP
        sound = math.isfinite(value)
        above = [rung for rung in self.rungs if rung > self.running[trial]]
        passed = [rung for rung in above if rung <= epoch] if sound else above[:1]
        places = [self.rungs[rung].add(trial, value) for rung in passed]
        if not sound or epoch >= self.asha.max_epochs:
            self.completed += sound
            return self._stop(trial)
        if not passed:
            return Decision.CONTINUE
        self.running[trial] = passed[-1]
        return self._decide(trial, passed[-1], places[-1])

    def _decide(self, trial: str, epoch: int, place: Place) -> Decision:
        rung = self.rungs[epoch]
        if self.form == "stopping":
            allowed = max(1, self._allowed(rung))  # or else none of the first few would ever pass
            return Decision.CONTINUE if rung.passes(place, allowed) else self._stop(trial)
        del self.running[trial]
        self.paused[trial] = epoch, place
        insort(rung.paused, place)
        if self.next() != trial:
            return Decision.PAUSE
        self.resume(trial)  # it would be the next to run: spare it the pause
        return Decision.CONTINUE

    def next(self, closing: bool = False) -> str | None:
        """The paused trial that is to be resumed now; None: begin a new one, or wait if others run, or end.

        ``closing``: no more trials are to begin. If then nothing runs and no trial has come to its end yet, the best
        one of the highest rung goes on, however few are there: every search trains at least one to the end.
        """
        for rung in reversed(self.rungs.values()):
            if rung.paused and rung.passes(rung.paused[0], self._allowed(rung)):
                return rung.paused[0].trial
        if closing and not self.running and not self.completed:
            waiting = (rung.paused[0].trial for rung in reversed(self.rungs.values()) if rung.paused)
            return next(waiting, None)
        return None

    def resume(self, trial: str) -> None:
        """A paused trial goes on."""
        epoch, place = self.paused.pop(trial)
        self.rungs[epoch].paused.remove(place)
        self.running[trial] = epoch

    def end(self, trial: str) -> None:
        """A trial has ended by itself: it failed, or was finished early. Its values stay in their rungs."""
        if trial in self.paused:
            self.resume(trial)
        self.running.pop(trial, None)

    def complete(self, trial: str) -> None:
        """A trial has finished its training before ``max_epochs``."""
        self.end(trial)
        self.completed += 1

    def _allowed(self, rung: Rung) -> int:
        return len(rung.ranked) // self.asha.reduction_factor

    def _stop(self, trial: str) -> Decision:
        self.end(trial)
        return Decision.STOP
