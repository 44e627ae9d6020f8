"""The state of all trials of a search, rebuilt by replaying the ledger."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from src.errors import UserError
from sweeps.asha import Decision, Form, SuccessiveHalving
from sweeps.leaderboard import TrialRow
from sweeps.ledger import Entry, Ledger
from sweeps.spec import Asha

CONVERGED_GAIN = 0.001
"""What a trial must be better by than all before, not to count as one more that was not."""


class Standing:
    """The trials of one search, and where they are in its rungs. The same events in the same order give the same."""

    def __init__(self, asha: Asha, metric: str, form: Form = "promotion") -> None:
        self.asha, self.metric = asha, metric
        self.rules = SuccessiveHalving(asha, form)
        self.rows: dict[str, TrialRow] = {}
        self.waiting: list[str] = []
        """Trials that were begun and have no process: the next to go on."""
        self.epochs = 0
        """Trained by all trials; those that had to be trained again count once."""
        self.exhausted = False
        """The space has no point that was not tried."""
        self.trials = 0
        """That the search was to have, when its last session began."""
        self.best, self.since_best = -math.inf, 0
        """The best score, and the trials that have paused or ended since then without one."""
        self.judged = set[str]()
        """Trials that have paused or ended, once at least."""

    @property
    def running(self) -> list[TrialRow]:
        return [row for row in self.rows.values() if row.state == "running"]

    @property
    def paused(self) -> list[TrialRow]:
        """At a rung, whether the search has ended since or not."""
        return [self.rows[name] for name in self.rules.paused]

    def epochs_to_come(self, trials: int, expected: float, limit: float | None = None) -> int:
        """What is left of the epochs that so many trials are expected to take, and at most of ``limit``.

        At least what those that run, wait or are still to begin take to their next rung.
        """
        going_on = [row.epochs for row in self.rows.values() if row.state in ("running", "waiting")]
        new = [] if self.exhausted else [0] * (trials - len(self.rows))
        least = sum(self.asha.to_next_rung(epoch) for epoch in [*going_on, *new])
        return round(min(max(least, expected - self.epochs), (limit or math.inf) - self.epochs))

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
            self._begin_session(detail["trials"])
        elif kind == "exhausted":
            self.exhausted = True
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

    def _start(self, name: str, params: Mapping[str, Any], origin: str) -> TrialRow:
        self.rows[name] = TrialRow(name, dict(params), number=len(self.rows), origin=origin)
        self.rules.start(name)
        return self.rows[name]

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
            return self._judge(row)
        row.report(epoch, metrics, self.metric)
        row.values |= dict.fromkeys(passed, value)
        if finished or epoch >= self.asha.max_epochs:
            if epoch < self.asha.max_epochs:
                self.rules.complete(row.name)
            row.values[self.asha.max_epochs] = value  # also where early stopping has ended it before
            row.state = "complete"
            return self._judge(row)
        states = {Decision.CONTINUE: "running", Decision.PAUSE: "paused", Decision.STOP: "stopped"}
        row.state = states[decision]
        if decision is not Decision.CONTINUE:
            self._judge(row)
        return decision

    def _judge(self, row: TrialRow) -> Decision:
        """A trial has paused or ended: it was better than all before, or it is one more that was not."""
        if row.name not in self.judged:
            self.judged.add(row.name)
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
        self._judge(row)

    def _begin_session(self, trials: int) -> None:
        """Paused trials may be resumed again; who asks for more trials than before wants them tried."""
        if trials > self.trials:
            self.since_best, self.exhausted = 0, False
        self.trials = trials
        for row in self.paused:
            row.state = "paused"

    def _interrupt(self) -> None:
        for row in self.running:
            self._wait(row)

    def _finish(self) -> None:
        for row in self.paused:
            row.state = "stopped"


def read_standing(ledger: Ledger) -> Standing:
    """The search that a ledger holds, to look at; rules that would decide otherwise are a ``UserError``."""
    rules: dict[str, Any] | None = ledger.get("rules")
    if rules is None:
        raise UserError(f"{ledger.path} holds no sweep: it was killed before it began.")
    standing = Standing(Asha(**rules["asha"]), rules["metric"], rules["form"])
    standing.replay(ledger.entries())
    return standing
