"""One search: what is tried, what was heard, what is decided, each in the ledger before anything acts on it.

No clock, no Ray, no training: who calls ``next_job``, ``report`` and ``fail`` may be Ray, a benchmark or a test. What a
ledger holds can be replayed, and gives the same search in the same state (``sweeps.standing``).
"""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from sweeps.asha import Decision, Form
from sweeps.leaderboard import TrialRow
from sweeps.ledger import Ledger
from sweeps.sampler import Proposer
from sweeps.space import as_json
from sweeps.spec import Asha, Budget
from sweeps.standing import Standing

CONVERGED_TRIALS = 15
"""A search has converged when so many trials have paused or ended since the last one that was better."""

HOURS_OVER = "The hours of this session are over"
DISK_FULL = "The disk is full"
CARD_LOST = "The graphics card is lost"

KEPT = ("train/", "val/", "lr", "epoch_seconds", "images_per_second", "gpu", "micro_batch")
"""How the names of an epoch's metrics begin; Ray adds others of its own."""


class Study(Standing):
    """The trials of one search, what may still be spent on them, and who proposes the next."""

    def __init__(
        self,
        sampler: Proposer,
        asha: Asha,
        budget: Budget,
        metric: str,
        form: Form = "promotion",
        ledger: Ledger | None = None,
    ) -> None:
        super().__init__(asha, metric, form)
        self.sampler, self.budget, self.ledger = sampler, budget, ledger
        self.stopping = ""
        """Why nothing more may run in this session, in words for the user."""

    @property
    def over(self) -> bool:
        """Whether nothing more may run in this session."""
        return self._over(0)

    def _over(self, running: int) -> bool:
        """The same, when so many trials run, each of which will have trained one epoch more at least."""
        spent = self.budget.epochs is not None and self.epochs + running >= self.budget.epochs
        return bool(self.stopping) or spent

    @property
    def converged(self) -> bool:
        return self.budget.stop_when_converged and self.since_best >= CONVERGED_TRIALS

    @property
    def closing(self) -> bool:
        """Whether no new trial may begin; those that are there may go on."""
        return self.exhausted or self.converged or len(self.rows) >= self.budget.trials

    @property
    def done(self) -> bool:
        """Whether nothing is left to run, now or later."""
        return not self.running and not self.waiting and self.closing and self.rules.next(closing=True) is None

    @property
    def finished(self) -> bool:
        """Whether nothing is left to run in this session."""
        return not self.running and (self.over or self.done)

    def next_job(self) -> TrialRow | None:
        """The trial that gets a process now: one that waits, one that is promoted, or a new one. None: none now."""
        if self._over(len(self.running)):
            return None
        if self.waiting:
            return self._go_on(self.rows[self.waiting[0]])
        promoted = self.rules.next(self.closing)
        if promoted is not None:
            return self._go_on(self.rows[promoted])
        return None if self.closing else self._start_new()

    def report(self, name: str, epoch: int, metrics: Mapping[str, Any], finished: bool = False) -> Decision:
        """Take in a trial's metrics after ``epoch`` epochs; ``finished``: it has ended its training by itself.

        An epoch that was reported before, as after an interruption, changes nothing. Without a finite value of the
        search's metric the trial has failed.
        """
        row = self.rows[name]
        if epoch <= row.epochs:
            if not self.over:
                return Decision.CONTINUE
            self.postpone(name)
            return Decision.WAIT
        kept = {key: float(value) for key, value in metrics.items() if key.startswith(KEPT)}
        decision = self._take(row, epoch, kept, finished)
        if decision is Decision.CONTINUE and self._over(len(self.running) - 1):
            decision = self._wait(row)
        if self.ledger:
            self.ledger.record_report(row, kept, kept.get(self.metric, math.nan), decision.value, finished)
        return decision

    def fail(self, name: str, reason: str, retry: bool = True) -> None:
        """A trial's process has failed. The first time it goes on from its checkpoint, if ``retry`` may help."""
        row = self.rows[name]
        retry = retry and row.failures == 0
        self._fail(row, reason, retry)
        if self.ledger:
            self.ledger.record("fail", row, reason=reason, retry=retry)

    def postpone(self, name: str) -> None:
        """A trial leaves its process through no fault of its own: it goes on when there is a next session."""
        self._wait(self.rows[name])
        if self.ledger:
            self.ledger.record("postpone", self.rows[name])

    def drop(self, name: str) -> None:
        """A trial's networks are about to be removed for want of disk; if it goes on, it is from the beginning."""
        self.rows[name].dropped = True
        if self.ledger:
            self.ledger.record("drop", self.rows[name])

    def begin_session(self, **detail: Any) -> None:
        """The search begins, or goes on; trials that its end had stopped may be resumed."""
        self._begin_session(self.budget.trials)
        if self.ledger:
            self.ledger.record("session", also=self.paused, trials=self.budget.trials, **detail)

    def interrupt(self) -> None:
        """The session was interrupted: what runs will go on in the next."""
        running = self.running
        self._interrupt()
        if self.ledger:
            self.ledger.record("interrupt", also=running)

    def finish(self) -> None:
        """The search has ended: trials that were paused are stopped, as far as nobody extends it."""
        self._finish()
        if self.ledger:
            self.ledger.record("finish", also=self.paused)

    def _start_new(self) -> TrialRow | None:
        number = len(self.rows)
        proposal = self.sampler.propose(number, list(self.rows.values()))
        if proposal is None:
            self.exhausted = True
            if self.ledger:
                self.ledger.record("exhausted")
            return self.next_job() if not self.rules.running else None
        row = self._start(trial_name(number, proposal.params), proposal.params, proposal.origin)
        if self.ledger:
            space = as_json(proposal.branch)
            self.ledger.record("start", row, params=row.params, origin=row.origin, space=space)
        return row

    def _go_on(self, row: TrialRow) -> TrialRow:
        self._run(row)
        if self.ledger:
            self.ledger.record("resume", row)
        return row


def trial_name(number: int, params: Mapping[str, Any]) -> str:
    """``t0042-1a2b3c``: the trial's number and a hash of its parameters; a folder name that every tool can take."""
    digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()
    return f"t{number:04d}-{digest[:6]}"
