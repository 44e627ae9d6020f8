"""A study runs one search: it decides which trial is next, and logs every event before anything acts on it.

It uses no clock, no Ray and no training: ``next_trial``, ``report`` and ``fail`` may be called by Ray, a benchmark or a
test. Replaying the logged events gives the same state (``sweeps.search.state``).
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Any, Protocol

from sweeps.search.budget import Budget
from sweeps.search.events import (
    CheckpointsDeleted,
    Event,
    Failed,
    Finished,
    Interrupted,
    Lost,
    PlacesChanged,
    Reported,
    Requeued,
    Resumed,
    SessionBegan,
    Skipped,
    SpaceExhausted,
    Started,
    TrialEvent,
)
from sweeps.search.sampler import Sampler
from sweeps.search.scheduler import Decision
from sweeps.search.space import as_json
from sweeps.search.state import SearchState
from sweeps.search.trial import Trial

MOST_LOSSES = 5
"""A trial that loses so many machines in a row, without a new epoch, may be the cause: it has failed."""
FEWEST_SKIPPED = 20
"""A search starts no new trials when so many were skipped, or twice as many as are to be trained."""
CONVERGED_TRIALS = 15
"""A search has converged when so many trials have paused or ended since the last one that was better."""


class SessionEnd(StrEnum):
    """Why a session ends before its search, in words for the user."""

    HOURS = "The hours of this session are over"
    DISK_FULL = "The disk is full"
    CARD_LOST = "The graphics card is lost"


class EventLog(Protocol):
    """Where a study records its events; ``sweeps.ledger.Ledger`` is the one on disk."""

    failure: Exception | None
    """Why the last write failed, if it did."""

    def append(self, event: Event, decision: Decision | None, trials: Iterable[Trial]) -> None:
        """Record an event, what was decided, and the state after it of the trials that it may have changed."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All that is appended within is recorded, or nothing of it."""
        ...


class NoLog:
    """Records nothing: for benchmarks, and searches that nobody resumes."""

    failure: Exception | None = None

    def append(self, event: Event, decision: Decision | None, trials: Iterable[Trial]) -> None:
        pass

    def transaction(self) -> AbstractContextManager[None]:
        return nullcontext()


class Study:
    """A search's state, with its sampler, budget and log."""

    def __init__(self, state: SearchState, sampler: Sampler, budget: Budget, log: EventLog | None = None) -> None:
        self.state, self.sampler, self.budget = state, sampler, budget
        self.log = log or NoLog()
        self.ended: SessionEnd | None = None
        """Why nothing more may run in this session, whatever is left of the budget."""
        self.why_ended = ""
        """The same with its details, in words for the user."""

    @property
    def trials(self) -> dict[str, Trial]:
        return self.state.trials

    @property
    def session_over(self) -> bool:
        """Whether nothing more may run in this session."""
        return self._session_over(0)

    def _session_over(self, running: int) -> bool:
        """The same, when ``running`` trials will each spend one more epoch at least."""
        spent = self.budget.epochs is not None and self.state.epochs + running >= self.budget.epochs
        return self.ended is not None or spent

    @property
    def closed(self) -> bool:
        """Whether no new trial may start; those that are there may continue."""
        converged = self.budget.stop_when_converged and self.state.since_best >= CONVERGED_TRIALS
        return self.state.exhausted or converged or self.state.tried >= self.budget.trials or self.skips_too_many

    @property
    def skips_too_many(self) -> bool:
        """Whether so many trials were skipped that the rest of the space is not worth the search."""
        return self.state.skipped >= max(FEWEST_SKIPPED, 2 * self.budget.trials)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to run, now or in another session."""
        active = self.state.running or self.state.waiting
        return not active and self.closed and self.state.scheduler.next(no_new_trials=True) is None

    @property
    def at_rest(self) -> bool:
        """Whether no trial runs, and none will in this session."""
        return not self.state.running and (self.session_over or self.complete)

    def end_session(self, why: SessionEnd, detail: str = "") -> None:
        """Let nothing start any more; running trials wait after their epoch."""
        self.ended, self.why_ended = why, f"{why}: {detail}" if detail else str(why)

    def next_trial(self) -> Trial | None:
        """The trial that gets a process now: one that waits, one that is promoted, or a new one. None: none now."""
        if self._session_over(len(self.state.running)):
            return None
        name = self.state.waiting[0] if self.state.waiting else self.state.scheduler.next(self.closed)
        if name is not None:
            self._commit(Resumed(name))
            return self.trials[name]
        return None if self.closed else self._start()

    def report(self, name: str, epoch: int, metrics: Mapping[str, float], finished: bool = False) -> Decision:
        """Take in a trial's metrics after ``epoch`` epochs; ``finished``: its training has ended.

        An epoch that was reported before, as after an interruption, changes nothing. A trial without a finite value of
        the search's metric has failed. Where the session is over, a trial that would continue waits instead.
        """
        decision = Decision.CONTINUE
        others = len(self.state.running) - 1
        with self.log.transaction():
            if epoch > self.trials[name].epochs:
                value = metrics.get(self.state.metric, math.nan)
                decision = self._commit(Reported(name, epoch, value, metrics, finished)) or decision
            else:
                others = 0  # epochs that are trained again are spent already
            if decision is Decision.CONTINUE and self._session_over(others):
                self._commit(Requeued(name))
                decision = Decision.PAUSE
        return decision

    def fail(self, name: str, reason: str, retry: bool = True) -> None:
        """A trial's process has failed. The first time it continues from its checkpoint, if ``retry`` may help."""
        self._commit(Failed(name, reason, retry and self.trials[name].failures == 0))

    def skip(self, name: str, reason: str) -> None:
        """A trial breaks a limit: it is not trained, and does not count in the budget."""
        self._commit(Skipped(name, reason))

    def requeue(self, name: str) -> None:
        """A trial lost its process without a fault of its own: it continues, now or in the next session."""
        self._commit(Requeued(name))

    def lose(self, name: str, reason: str) -> None:
        """A trial lost its process with the machine under it. That counts no failure, and it is the first to continue.

        After ``MOST_LOSSES`` in a row without a new epoch it has failed.
        """
        losses = self.trials[name].losses + 1
        if losses >= MOST_LOSSES:
            self.fail(name, f"{reason}, {losses} times in a row without a new epoch", retry=False)
        else:
            self._commit(Lost(name, reason))

    def checkpoints_deleted(self, name: str) -> None:
        """A trial's checkpoints are about to be deleted; if it is resumed, it starts from the beginning."""
        self._commit(CheckpointsDeleted(name))

    def begin_session(self, **about: Any) -> None:
        """The search begins or continues; trials that its end had stopped may be resumed.

        ``about``: the other fields of ``SessionBegan``.
        """
        self._commit(SessionBegan(self.budget.trials, **about))

    def change_places(self, places: int, why: str) -> None:
        """So many trials can run at once from now on."""
        self._commit(PlacesChanged(places, why))

    def interrupt(self) -> None:
        """The session ends before the search: what runs will continue in the next."""
        self._commit(Interrupted())

    def finish(self) -> None:
        """The search has ended: paused trials are stopped, unless it is extended later."""
        self._commit(Finished())

    def _start(self) -> Trial | None:
        number = len(self.trials)
        proposal = self.sampler.propose(number, list(self.trials.values()))
        if proposal is None:
            self._commit(SpaceExhausted())
            return self.next_trial() if not self.state.running else None
        name = trial_name(number, proposal.params)
        self._commit(Started(name, proposal.params, proposal.origin, as_json(proposal.branch), proposal.to_end))
        return self.trials[name]

    def _commit(self, event: Event) -> Decision | None:
        """Apply an event and record it; only after that may anybody act on the decision."""
        decision = self.state.apply(event)
        changed = [self.trials[event.trial]] if isinstance(event, TrialEvent) else self.trials.values()
        self.log.append(event, decision, changed)
        return decision


def trial_name(number: int, params: Mapping[str, Any]) -> str:
    """``t0042-1a2b3c``: the trial's number and a hash of its parameters; a folder name that every tool can take."""
    digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()
    return f"t{number:04d}-{digest[:6]}"
