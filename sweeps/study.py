"""One search: what is tried, what was heard, what is decided, each in the ledger before anything acts on it.

No clock, no Ray, no training: who calls ``next_job``, ``report`` and ``fail`` may be Ray, a benchmark or a test. What a
ledger holds can be replayed, and gives the same search in the same state.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from src.errors import UserError
from sweeps.asha import Decision, Form, SuccessiveHalving
from sweeps.leaderboard import TrialRow
from sweeps.ledger import Entry, Ledger
from sweeps.sampler import Sampler
from sweeps.spec import Asha, Budget

CONVERGED_TRIALS = 15
"""A search has converged when so many trials have ended since the last that was better by ``CONVERGED_GAIN``."""
CONVERGED_GAIN = 0.001

HOURS_OVER = "The hours of this session are over"
DISK_FULL = "The disk is full"

KEPT = ("train/", "val/", "lr", "epoch_seconds", "images_per_second", "gpu")
"""How the names of an epoch's metrics begin; Ray adds others of its own."""


class Study:
    """The rules, the sampler and the trials of one search."""

    def __init__(
        self,
        sampler: Sampler,
        asha: Asha,
        budget: Budget,
        metric: str,
        form: Form = "promotion",
        ledger: Ledger | None = None,
    ) -> None:
        self.sampler, self.asha, self.budget, self.metric, self.ledger = sampler, asha, budget, metric, ledger
        self.rules = SuccessiveHalving(asha, form)
        self.rows: dict[str, TrialRow] = {}
        self.waiting: list[str] = []
        """Trials that were begun and have no process: the next to go on."""
        self.epochs = 0
        """Trained by all trials."""
        self.stopping = ""
        """Why nothing more may run in this session, in words for the user."""
        self.exhausted = False
        """The space has no point that was not tried."""
        self.best, self.since_best = -math.inf, 0

    @property
    def over(self) -> bool:
        """Whether running trials are to end at their next epoch, and no others to begin."""
        spent = self.budget.epochs is not None and self.epochs >= self.budget.epochs
        return bool(self.stopping) or spent

    @property
    def closing(self) -> bool:
        """Whether no new trial may begin; those that are there may go on."""
        converged = self.budget.stop_when_converged and self.since_best >= CONVERGED_TRIALS
        return self.exhausted or converged or len(self.rows) >= self.budget.trials

    @property
    def finished(self) -> bool:
        """Whether nothing is left to run, now or later."""
        if any(row.state == "running" for row in self.rows.values()):
            return False
        return self.over or (not self.waiting and self.closing and self.rules.next(closing=True) is None)

    def next_job(self) -> TrialRow | None:
        """The trial that gets a process now: one that waits, one that is promoted, or a new one. None: none now."""
        if self.over:
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
            return Decision.CONTINUE
        kept = {key: float(value) for key, value in metrics.items() if key.startswith(KEPT)}
        decision = self._take(row, epoch, kept, finished)
        if decision is Decision.CONTINUE and self.over:
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
        """A trial's process has failed through no fault of the trial: it goes on when there is a next session."""
        self._wait(self.rows[name])
        if self.ledger:
            self.ledger.record("postpone", self.rows[name])

    def dropped(self, name: str) -> None:
        """A trial's networks were removed for want of disk; if it goes on, it is from the beginning."""
        self.rows[name].dropped = True
        if self.ledger:
            self.ledger.record("drop", self.rows[name])

    def interrupt(self) -> None:
        """The session was interrupted: what runs will go on in the next."""
        running = [row for row in self.rows.values() if row.state == "running"]
        self._interrupt()
        if self.ledger:
            self.ledger.record("interrupt", also=running)

    def begin_session(self, **detail: Any) -> None:
        """The search begins, or goes on; trials that its end had stopped may be resumed."""
        self._begin_session()
        if self.ledger:
            self.ledger.record("session", also=self._paused(), **detail)

    def finish(self) -> None:
        """The search has ended: trials that were paused are stopped, as far as nobody extends it."""
        self._finish()
        if self.ledger:
            self.ledger.record("finish", also=self._paused())

    def replay(self, entries: Iterable[Entry]) -> None:
        """Do all again that a ledger holds; running trials then wait. A decision that differs is a ``UserError``."""
        for entry in entries:
            self._replay(entry)
        self._interrupt()

    def _replay(self, entry: Entry) -> None:
        kind, detail = entry.kind, entry.detail
        if kind == "start":
            self._start(entry.trial, detail["params"], detail["origin"])
        elif kind == "session":
            self._begin_session()
        elif kind in ("finish", "interrupt"):
            (self._finish if kind == "finish" else self._interrupt)()
        elif entry.trial not in self.rows:
            raise UserError(f"The ledger's event {entry.seq} is of trial '{entry.trial}', which was never started.")
        else:
            self._replay_of(self.rows[entry.trial], kind, detail)

    def _replay_of(self, row: TrialRow, kind: str, detail: Mapping[str, Any]) -> None:
        if kind == "resume":
            self._run(row)
        elif kind == "drop":
            row.dropped = True
        elif kind == "postpone":
            self._wait(row)
        elif kind == "fail":
            self._fail(row, detail["reason"], detail["retry"])
        elif kind == "report":
            decision = self._take(row, detail["epoch"], detail["metrics"], detail["finished"])
            if detail["decision"] == Decision.WAIT.value and decision is Decision.CONTINUE:
                decision = self._wait(row)
            if decision.value != detail["decision"]:
                raise UserError(
                    f"The ledger says {detail['decision']} of {row.name} at epoch {row.epochs}, "
                    f"these rules say {decision.value}: they are not those of the sweep."
                )

    def _start_new(self) -> TrialRow | None:
        number = len(self.rows)
        proposal = self.sampler.propose(number, list(self.rows.values()))
        if proposal is None:
            self.exhausted = True
            return self.next_job() if not self.rules.running else None
        row = self._start(trial_name(number, proposal.params), proposal.params, proposal.origin)
        if self.ledger:
            self.ledger.record("start", row, params=row.params, origin=row.origin)
        return row

    def _start(self, name: str, params: Mapping[str, Any], origin: str) -> TrialRow:
        self.rows[name] = TrialRow(name, dict(params), number=len(self.rows), origin=origin)
        self.rules.start(name)
        return self.rows[name]

    def _go_on(self, row: TrialRow) -> TrialRow:
        self._run(row)
        if self.ledger:
            self.ledger.record("resume", row)
        return row

    def _run(self, row: TrialRow) -> None:
        if row.name in self.waiting:
            self.waiting.remove(row.name)
        if row.name in self.rules.paused:
            self.rules.resume(row.name)
        row.state, row.dropped = "running", False

    def _take(self, row: TrialRow, epoch: int, metrics: Mapping[str, float], finished: bool) -> Decision:
        value = metrics.get(self.metric, math.nan)
        passed = [rung for rung in (*self.asha.rungs, self.asha.max_epochs) if row.epochs < rung <= epoch]
        decision = self.rules.report(row.name, epoch, value)
        self.epochs += epoch - row.epochs
        row.epochs = epoch
        if not math.isfinite(value):
            said = "missing" if self.metric not in metrics else str(value)
            row.state, row.reason = "failed", f"{self.metric} is {said} after epoch {epoch}"
            return self._ended(row)
        row.report(epoch, metrics, self.metric)
        row.values |= dict.fromkeys(passed, value)
        if finished or epoch >= self.asha.max_epochs:
            if epoch < self.asha.max_epochs:
                self.rules.complete(row.name)
            row.values[self.asha.max_epochs] = value  # also where early stopping has ended it before
            row.state = "complete"
            return self._ended(row)
        states = {Decision.CONTINUE: "running", Decision.PAUSE: "paused", Decision.STOP: "stopped"}
        row.state = states[decision]
        if decision is not Decision.CONTINUE:
            self._ended(row)
        return decision

    def _ended(self, row: TrialRow) -> Decision:
        self.since_best += 1
        if row.score is not None and row.score > self.best + CONVERGED_GAIN:
            self.best, self.since_best = row.score, 0
        return Decision.STOP

    def _wait(self, row: TrialRow) -> Decision:
        row.state = "waiting"
        self.waiting.append(row.name)
        return Decision.WAIT

    def _fail(self, row: TrialRow, reason: str, retry: bool) -> None:
        row.failures += 1
        if retry:
            self._wait(row)
            return
        row.state, row.reason = "failed", reason
        self.rules.end(row.name)
        self._ended(row)

    def _begin_session(self) -> None:
        for row in self._paused():
            row.state = "paused"

    def _interrupt(self) -> None:
        for row in self.rows.values():
            if row.state == "running":
                self._wait(row)

    def _finish(self) -> None:
        for row in self._paused():
            row.state = "stopped"

    def _paused(self) -> list[TrialRow]:
        return [self.rows[name] for name in self.rules.paused]


def read_study(ledger: Ledger) -> Study:
    """The search that a ledger holds, to look at; rules that would decide otherwise are a ``UserError``."""
    rules: dict[str, Any] = ledger.get("rules")
    asha, budget = Asha(**rules["asha"]), Budget(trials=ledger.get("trials"))
    study = Study(Sampler({}, 0, {}), asha, budget, rules["metric"], rules["form"])
    study.replay(ledger.entries())
    return study


def trial_name(number: int, params: Mapping[str, Any]) -> str:
    """``t0042-1a2b3c``: the trial's number and a hash of its parameters; a folder name that every tool can take."""
    digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()
    return f"t{number:04d}-{digest[:6]}"
