"""The interface of schedulers. A scheduler decides after each report whether a trial continues, and which is resumed.

A spec holds the settings, a frozen dataclass such as ``Asha``; ``build`` makes the scheduler of one search from them. A
new scheduler is one file with both, and one line in ``sweeps.spec.SCHEDULERS``;
``tests/sweeps/search/test_scheduler.py`` is the contract that it must keep.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Protocol, Self


class Decision(StrEnum):
    """What a trial that has reported does next."""

    CONTINUE = "continue"
    PAUSE = "pause"
    """Keep the checkpoint and free the process; ``Scheduler.next`` may resume the trial."""
    STOP = "stop"


class SchedulerSettings(Protocol):
    """A scheduler as a spec describes it: a frozen dataclass whose fields are numbers and words."""

    @property
    def max_epochs(self) -> int:
        """Epochs of a trial that is never stopped."""
        ...

    @property
    def rungs(self) -> Sequence[int]:
        """Epochs at which trials are compared, rising, all below ``max_epochs``."""
        ...

    @property
    def described(self) -> str:
        """The rule in a few words. A sweep is not continued if its rungs or these words have changed."""
        ...

    def scaled(self, max_epochs: int) -> Self:
        """The same shape over another number of epochs."""
        ...

    def build(self) -> "Scheduler":
        """A scheduler that has seen no trial."""
        ...


class Scheduler(Protocol):
    """The trials of one search as its scheduler sees them. The same calls in the same order decide the same."""

    @property
    def settings(self) -> SchedulerSettings: ...

    @property
    def running(self) -> Collection[str]:
        """Trials that run."""
        ...

    @property
    def paused(self) -> Collection[str]:
        """Trials that ``next`` may resume, now or later."""
        ...

    def start(self, trial: str, to_end: bool = False) -> None:
        """A new trial begins. ``to_end``: it is never paused or stopped, but is compared with others like any trial."""
        ...

    def report(self, trial: str, epoch: int, value: float) -> Decision:
        """Take in the value, the higher the better, that a trial has after ``epoch`` epochs.

        The first value at a rung counts; an epoch that is reported again changes nothing. A report that skips a rung
        counts for that rung too. A value that is not finite ends the trial and is the worst at its next rung.
        For a trial that is already paused or has ended, the answer is that again.
        """
        ...

    def next(self, no_new_trials: bool = False) -> str | None:
        """The paused trial that is resumed now. None: start a new one, or wait for those that run, or end.

        ``no_new_trials``: none will start any more. If then nothing runs and no trial is complete, the best trial of
        the highest rung is resumed however few are there, so that every search trains at least one to the end. If
        some trials run, one may be resumed that would wait for them otherwise, so that no process is idle.
        """
        ...

    def resume(self, trial: str) -> None:
        """A paused trial continues."""
        ...

    def end(self, trial: str, complete: bool = False) -> None:
        """A trial has ended by itself: it failed, or it is ``complete`` before ``max_epochs``. Its values stay."""
        ...

    def withdraw(self, trial: str) -> None:
        """A trial is taken back before its first report; all goes on as if it had never begun."""
        ...


def to_next_rung(settings: SchedulerSettings, epoch: int) -> int:
    """Epochs from a trial's ``epoch`` to its next rung, or to its end; 0 after that."""
    return next((rung - epoch for rung in [*settings.rungs, settings.max_epochs] if rung > epoch), 0)
