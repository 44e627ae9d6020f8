"""Live view of a running sweep: a status line and the best five trials, or plain lines without a terminal."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from operator import attrgetter
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from sweeps.leaderboard import tables, write_csv
from sweeps.observer import Observer
from sweeps.search.forecast import epochs_to_come
from sweeps.search.study import Study
from sweeps.search.trial import Origin, Trial, TrialState, ranked

TOP = 5
SHOWN = (
    TrialState.COMPLETE,
    TrialState.PAUSED,
    TrialState.STOPPED,
    TrialState.WAITING,
    TrialState.FAILED,
    TrialState.SKIPPED,
)
SAVE_SECONDS = 1.0
QUIET_SECONDS = 60  # without a terminal, a status line is printed if nothing else was printed for so long


class LiveView(Observer):
    """Shows a study while its trials run, and keeps ``leaderboard.csv`` up to date."""

    def __init__(
        self,
        study: Study,
        sweep_dir: Path,
        console: Console,
        expected_epochs: float,
        places: int = 1,
        label: Callable[[Trial], str] = attrgetter("name"),
    ) -> None:
        """``expected_epochs``: of the whole search, by its forecast; ``label``: what a trial is called."""
        self.label = label
        self.study, self.metric, self.console = study, study.state.metric, console
        self.path = sweep_dir / "leaderboard.csv"
        self.started = self.printed_at = time.monotonic()
        self.saved_at = -SAVE_SECONDS
        self.printed = set[tuple[str, str, int]]()
        self.epochs_before = study.state.epochs
        self.places, self.training_seconds = places, 0.0
        self.changed_at, self.place_seconds = self.started, 0.0
        """When the number of places has changed last, and the seconds of all places before that."""
        self.expected = expected_epochs
        self.live = Live(console=console, refresh_per_second=2, get_renderable=self.render, transient=True)

    def __enter__(self) -> "LiveView":
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()
        self.save()

    def reported(self, trial: Trial) -> None:
        self.training_seconds += trial.metrics.get("epoch_seconds", 0.0)
        if time.monotonic() - self.saved_at > SAVE_SECONDS:
            self.save()
        if not self.console.is_terminal and time.monotonic() - self.printed_at > QUIET_SECONDS:
            self._print(self.status())

    def left(self, trial: Trial) -> None:
        self._print_trial(trial)

    def said(self, line: str) -> None:
        self._print(line)

    def places_changed(self, places: int, why: str) -> None:
        now = time.monotonic()
        self.place_seconds += self.places * (now - self.changed_at)
        self.changed_at, self.places = now, places
        self._print(f"{why}. Trials at once now: {places or 'none; the sweep waits for a node to join'}.")

    def save(self) -> None:
        self.saved_at = time.monotonic()
        with suppress(OSError):  # a full disk: the ledger reports it, and the leaderboard is written again at the end
            write_csv(self.study.trials.values(), self.metric, self.path)

    def render(self) -> Group:
        trials = self.study.trials.values()
        more = [Text(f"and {len(trials) - TOP} more")] if len(trials) > TOP else []
        status = Text(self.status(), no_wrap=False, overflow="fold")  # the console itself cuts long lines
        return Group(status, *tables(trials, self.metric, self.console.width, TOP), *more)

    def status(self) -> str:
        """``7/40 trials started (4 paused, 1 failed), 2 running, 63 of about 784 epochs, 0:12:10 left``."""
        states = Counter(trial.state for trial in self.study.trials.values())
        counts = ", ".join(f"{states[state]} {state}" for state in SHOWN if states[state])
        state, budget = self.study.state, self.study.budget
        to_come = epochs_to_come(state, budget.trials, self.expected, budget.epochs)
        spent, here = time.monotonic() - self.started, state.epochs - self.epochs_before
        left = f", about {clock(spent * to_come / here)} left" if here and to_come else ""
        return (
            f"{state.tried}/{budget.trials} trials started{f' ({counts})' if counts else ''}, "
            f"{states[TrialState.RUNNING]} running, {state.epochs} of about {state.epochs + to_come} epochs, "
            f"{clock(spent)} elapsed{left}{self._busy()}{self._baseline()}"
        )

    def _baseline(self) -> str:
        """The score of the default, with which all others are compared; empty without one."""
        default = next((trial for trial in self.study.trials.values() if trial.origin == Origin.DEFAULT), None)
        if default is None or default.score is None:
            return ""
        return f", default {default.score:.4f} after {default.epochs} epochs"

    def _busy(self) -> str:
        """The share of the places' seconds that was spent in epochs; empty before the first."""
        seconds = self.place_seconds + self.places * (time.monotonic() - self.changed_at)
        if not self.training_seconds or not seconds:
            return ""
        return f", places busy {min(1.0, self.training_seconds / seconds):.0%}"

    def _print_trial(self, trial: Trial) -> None:
        self.save()
        key = trial.name, trial.state, trial.epochs
        if key in self.printed or (self.console.is_terminal and not trial.is_infeasible):
            return
        self.printed.add(key)  # Ray may call twice
        score = "no score" if trial.score is None else self._score(trial, trial.score)
        best = ranked(self.study.trials.values())[0]
        reason = f": {trial.reason}" if trial.reason else ""
        leader = f"best {self.label(best)} {best.score:.4f}; " if best.score is not None else ""
        epochs = f"{trial.epochs} epoch{'s' * (trial.epochs != 1)}"
        self._print(f"{self.label(trial)} {trial.state} after {epochs}, {score}{reason}; {leader}{self.status()}")

    def _score(self, trial: Trial, best: float) -> str:
        """The value at a rung or at the end, which decides, and the best one, if that is another."""
        last = trial.values.get(trial.epochs)
        if last is None:
            return f"{self.metric} after {trial.best_epoch}: {best:.4f}"
        before = f" (after {trial.best_epoch}: {best:.4f})" if trial.best_epoch != trial.epochs else ""
        return f"{self.metric} {last:.4f}{before}"

    def _print(self, line: str) -> None:
        self.printed_at = time.monotonic()
        self.console.print(line, highlight=False, soft_wrap=True)


def clock(seconds: float) -> str:
    """``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
