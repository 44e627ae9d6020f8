"""The state of all trials of a search. Only events change it, so it can be rebuilt by replaying a ledger's events."""

import math
from collections.abc import Iterable

from src.errors import UserError
from sweeps.search.events import (
    CheckpointsDeleted,
    Event,
    Failed,
    Finished,
    Interrupted,
    Lost,
    Record,
    Reported,
    Requeued,
    Resumed,
    SessionBegan,
    Skipped,
    SpaceExhausted,
    Started,
    TrialEvent,
)
from sweeps.search.scheduler import Decision, Scheduler
from sweeps.search.trial import Trial, TrialState

CONVERGED_GAIN = 0.001
"""A trial counts as an improvement if it is better than all trials before it by more than this."""


class SearchState:
    """The trials of one search, and the scheduler that has seen them."""

    def __init__(self, scheduler: Scheduler, metric: str) -> None:
        self.scheduler, self.metric = scheduler, metric
        self.trials: dict[str, Trial] = {}
        self.waiting: list[str] = []
        """Trials that were started but have no process now. They are the next to continue."""
        self.epochs = 0
        """Epochs of all trials together. Epochs that were trained again count once."""
        self.exhausted = False
        """Whether the sampler found no point that was not tried."""
        self.trials_planned = 0
        """The total number of trials that was planned when the last session began."""
        self.best, self.since_best = -math.inf, 0
        """The best score, and how many trials have paused or ended since then without a better one."""
        self.judged = set[str]()
        """Trials that have paused or ended at least once."""

    @property
    def tried(self) -> int:
        """The number of trials, without those that were skipped."""
        return len(self.trials) - self.skipped

    @property
    def skipped(self) -> int:
        """The number of trials that were skipped."""
        return sum(trial.state == TrialState.SKIPPED for trial in self.trials.values())

    @property
    def running(self) -> list[Trial]:
        return [trial for trial in self.trials.values() if trial.state == TrialState.RUNNING]

    @property
    def paused(self) -> list[Trial]:
        """The trials that are paused at a rung, even if the search has finished."""
        return [self.trials[name] for name in self.scheduler.paused]

    def apply(self, event: Event) -> Decision | None:
        """Take in an event; for a report, returns what the scheduler decided."""
        match event:
            case Started():
                trial = Trial(event.trial, dict(event.params), number=len(self.trials), origin=event.origin)
                self.trials[event.trial] = trial
                self.scheduler.start(event.trial, event.to_end)
            case TrialEvent():
                return self._apply_to(self.trials[event.trial], event)
            case _:
                self._apply_to_all(event)
        return None

    def _apply_to_all(self, event: Event) -> None:
        match event:
            case SessionBegan():
                self._begin_session(event.trials)
            case Interrupted():
                self._interrupt()
            case SpaceExhausted():
                self.exhausted = True
            case Finished():
                for trial in self.paused:
                    trial.state = TrialState.STOPPED
            case _:  # places that change decide nothing
                pass

    def _apply_to(self, trial: Trial, event: TrialEvent) -> Decision | None:
        match event:
            case Reported():
                return self._report(trial, event)
            case Resumed():
                self._resume(trial)
            case Failed():
                self._fail(trial, event)
            case Skipped():
                trial.state, trial.reason = TrialState.SKIPPED, event.reason
                self.scheduler.withdraw(trial.name)
            case Requeued():
                self._wait(trial)
            case Lost():
                self._lose(trial)
            case CheckpointsDeleted():
                trial.checkpoints_deleted = True
            case _:
                raise TypeError(event)
        return None

    def _report(self, trial: Trial, event: Reported) -> Decision:
        settings, epoch = self.scheduler.settings, event.epoch
        passed = [rung for rung in (*settings.rungs, settings.max_epochs) if trial.epochs < rung <= epoch]
        decision = self.scheduler.report(trial.name, epoch, event.value)
        self.epochs += epoch - trial.epochs
        trial.epochs, trial.losses = epoch, 0
        if not math.isfinite(event.value):
            what = event.value if self.metric in event.metrics else "missing"
            trial.state, trial.reason = TrialState.FAILED, f"{self.metric} is {what} after epoch {epoch}"
            self._judge(trial)
            return Decision.STOP
        trial.report(epoch, event.value, event.metrics)
        trial.values |= dict.fromkeys(passed, event.value)
        if event.finished or epoch >= settings.max_epochs:
            if epoch < settings.max_epochs:
                self.scheduler.end(trial.name, complete=True)
            trial.values[settings.max_epochs] = event.value  # also where early stopping has ended it before
            trial.state = TrialState.COMPLETE
            self._judge(trial)
            return Decision.STOP
        if decision is not Decision.CONTINUE:
            trial.state = TrialState.PAUSED if decision is Decision.PAUSE else TrialState.STOPPED
            self._judge(trial)
        return decision

    def _judge(self, trial: Trial) -> None:
        """A trial has paused or ended: either its score is better than all before, or it is one more without a gain."""
        if trial.name not in self.judged:
            self.judged.add(trial.name)
            self.since_best += 1
        if trial.score is not None and trial.score > self.best + CONVERGED_GAIN:
            self.best, self.since_best = trial.score, 0

    def _resume(self, trial: Trial) -> None:
        if trial.name in self.waiting:
            self.waiting.remove(trial.name)
        if trial.name in self.scheduler.paused:
            self.scheduler.resume(trial.name)
        trial.state, trial.checkpoints_deleted = TrialState.RUNNING, False
        trial.attempts += 1

    def _wait(self, trial: Trial) -> None:
        trial.state = TrialState.WAITING
        self.waiting.append(trial.name)

    def _lose(self, trial: Trial) -> None:
        trial.state = TrialState.WAITING
        trial.losses += 1
        self.waiting.insert(0, trial.name)

    def _fail(self, trial: Trial, event: Failed) -> None:
        trial.failures += 1
        if event.retry:
            self._wait(trial)
            return
        trial.state, trial.reason = TrialState.FAILED, event.reason
        self.scheduler.end(trial.name)
        self._judge(trial)

    def _begin_session(self, trials: int) -> None:
        """Paused trials may be resumed again. If more trials are planned than before, the search starts new ones."""
        self._interrupt()
        if trials > self.trials_planned:
            self.since_best, self.exhausted = 0, False
        self.trials_planned = trials
        for trial in self.paused:
            trial.state = TrialState.PAUSED

    def _interrupt(self) -> None:
        for trial in self.running:
            self._wait(trial)


def replay(state: SearchState, records: Iterable[Record]) -> SearchState:
    """Apply recorded events to a new state. A decision that differs from the recorded one is a ``UserError``."""
    for record in records:
        event = record.event
        if isinstance(event, TrialEvent) and not isinstance(event, Started) and event.trial not in state.trials:
            raise UserError(f"The ledger's event {record.seq} is of trial '{event.trial}', which was never started.")
        if isinstance(event, Started) and event.trial in state.trials:
            raise UserError(f"The ledger's event {record.seq} starts trial '{event.trial}' a second time.")
        decision = state.apply(event)
        if decision is not record.decision and isinstance(event, Reported):
            raise UserError(
                f"Replaying the ledger gives '{decision}' for {event.trial} at epoch {event.epoch}, but "
                f"'{record.decision}' was recorded: the scheduler's rules have changed since. Use the version that "
                "started the sweep, or --fresh to start anew."
            )
    return state
