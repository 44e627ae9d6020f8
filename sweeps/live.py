"""What a sweep shows while it runs: a status line and the best five trials; plain lines where there is no terminal."""

import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from sweeps.forecast import forecast
from sweeps.leaderboard import TrialRow, ranked, tables, write_csv
from sweeps.ray_executor import Unkept, name_of
from sweeps.study import Study

TOP = 5
SAVE_SECONDS = 1.0
QUIET_SECONDS = 60  # without a terminal, a line of status after so long without any


class LiveView(Unkept, Callback):
    """Shows a study as Ray's events come, and keeps ``leaderboard.csv``."""

    def __init__(self, study: Study, sweep_dir: Path, console: Console) -> None:
        super().__init__()
        self.study, self.path, self.console = study, sweep_dir / "leaderboard.csv", console
        self.started = self.said = time.monotonic()
        self.saved = -SAVE_SECONDS
        self.told = set[tuple[str, str, int]]()
        self.epochs_before = study.epochs
        self.expected = forecast(study.asha, study.rules.form, study.budget.trials).epochs
        self.live = Live(console=console, refresh_per_second=2, get_renderable=self.render, transient=True)

    def __enter__(self) -> "LiveView":
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()
        self.save()

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        if time.monotonic() - self.saved > SAVE_SECONDS:
            self.save()
        if not self.console.is_terminal and time.monotonic() - self.said > QUIET_SECONDS:
            self._print(self.status())

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._say(self.study.rows[name_of(trial)])

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._say(self.study.rows[name_of(trial)])

    def save(self) -> None:
        self.saved = time.monotonic()
        with suppress(OSError):  # a full disk: the ledger says so, and the board is written again at the end
            write_csv(self.study.rows.values(), self.study.metric, self.path)

    def render(self) -> Group:
        rows = self.study.rows.values()
        return Group(Text(self.status()), *tables(rows, self.study.metric, self.console.width, TOP))

    def status(self) -> str:
        """``7/40 trials begun (4 paused, 1 failed), 2 running, 63 of about 784 epochs, 0:12:10 left``."""
        states = Counter(row.state for row in self.study.rows.values())
        order = ("complete", "paused", "stopped", "waiting", "failed")
        counts = ", ".join(f"{states[state]} {state}" for state in order if states[state])
        epochs, budget = self.study.epochs, self.study.budget
        to_come = self.study.epochs_to_come(budget.trials, self.expected, budget.epochs)
        spent, here = time.monotonic() - self.started, self.study.epochs - self.epochs_before
        left = f", about {clock(spent * to_come / here)} left" if here and to_come else ""
        return (
            f"{len(self.study.rows)}/{self.study.budget.trials} trials begun{f' ({counts})' if counts else ''}, "
            f"{states['running']} running, {epochs} of about {epochs + to_come} epochs, {clock(spent)} gone{left}"
        )

    def _say(self, row: TrialRow) -> None:
        self.save()
        what = row.name, row.state, row.epochs
        if what in self.told or (self.console.is_terminal and row.state != "failed"):
            return
        self.told.add(what)  # Ray may say it twice
        score = "no score" if row.score is None else f"{self.study.metric} {row.values.get(row.epochs, row.score):.4f}"
        best = ranked(self.study.rows.values())[0]
        why = f": {row.reason}" if row.reason else ""
        lead = f"best {best.name} {best.score:.4f}; " if best.score is not None else ""
        self._print(f"{row.name} {row.state} at epoch {row.epochs}, {score}{why}; {lead}{self.status()}")

    def _print(self, line: str) -> None:
        self.said = time.monotonic()
        self.console.print(line, highlight=False, soft_wrap=True)


def clock(seconds: float) -> str:
    """``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
