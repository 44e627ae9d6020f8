"""What a sweep shows while it runs: a status line and the best five trials; plain lines where there is no terminal."""

import time
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from sweeps.leaderboard import TrialRow, ranked, table, write_csv
from sweeps.spec import SweepSpec

TOP = 5
QUIET_SECONDS = 60  # without a terminal, a line of status after so long without any


class LiveView(Callback):
    """Follows Ray's events; keeps ``rows``, one per trial, and ``leaderboard.csv``."""

    def __init__(self, spec: SweepSpec, sweep_dir: Path, console: Console) -> None:
        super().__init__()
        self.spec, self.path, self.console = spec, sweep_dir / "leaderboard.csv", console
        self.rows: dict[str, TrialRow] = {}
        self.started = self.said = time.monotonic()
        self.live = Live(console=console, refresh_per_second=2, get_renderable=self.render, transient=True)

    def __enter__(self) -> "LiveView":
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()
        for row in self.rows.values():
            if row.state == "running":
                row.state, row.reason = "stopped", "cut off by the end of the sweep"
        self.save()

    def __reduce__(self) -> tuple[type[Callback], tuple[()]]:
        return Callback, ()  # Ray pickles its callbacks with its own state, which nobody reads; a terminal cannot be

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self.rows.setdefault(str(trial), TrialRow(str(trial), dict(trial.config)))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        row = self.rows[str(trial)]
        row.report(result, self.spec.metric)
        if result["finished"]:  # by itself: all epochs, or early stopping
            row.state = "complete"
        self.save()
        if not self.console.is_terminal and time.monotonic() - self.said > QUIET_SECONDS:
            self._print(self.status())

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        row = self.rows[str(trial)]
        if row.state == "running":
            row.state = "stopped"
        self._say(row)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        row = self.rows.setdefault(str(trial), TrialRow(str(trial), dict(trial.config)))
        row.state, row.reason = "failed", reason_of(trial)
        self._say(row)

    def save(self) -> None:
        write_csv(self.rows.values(), self.spec.metric, self.path)

    def render(self) -> Group:
        return Group(Text(self.status()), table(self.rows.values(), self.spec.metric, TOP))

    def status(self) -> str:
        """``7/40 trials ended (4 stopped, 1 failed), 2 running, 63 of about 784 epochs, 0:12:10 left``."""
        states = [row.state for row in self.rows.values()]
        ended = [state for state in states if state != "running"]
        counts = ", ".join(f"{ended.count(state)} {state}" for state in ("stopped", "failed") if state in ended)
        epochs = sum(row.epochs for row in self.rows.values())
        to_come, spent = self.epochs_to_come(), time.monotonic() - self.started
        left = f", about {clock(spent * to_come / epochs)} left" if epochs and to_come else ""
        return (
            f"{len(ended)}/{self.spec.budget.trials} trials ended{f' ({counts})' if counts else ''}, "
            f"{len(states) - len(ended)} running, {epochs} of about {epochs + to_come} epochs, "
            f"{clock(spent)} gone{left}"
        )

    def epochs_to_come(self) -> int:
        """Running trials to their next rung, trials not begun as many epochs as one is expected to take."""
        asha, trials = self.spec.asha, self.spec.budget.trials
        running = sum(asha.to_next_rung(row.epochs) for row in self.rows.values() if row.state == "running")
        return running + (trials - len(self.rows)) * asha.expected_epochs(trials) // trials

    def _say(self, row: TrialRow) -> None:
        self.save()
        if self.console.is_terminal and row.state != "failed":
            return
        score = "no score" if row.score is None else f"{self.spec.metric} {row.score:.4f}"
        best = ranked(self.rows.values())[0]
        why = f": {row.reason}" if row.reason else ""
        lead = f"best {best.name} {best.score:.4f}; " if best.score is not None else ""
        self._print(f"{row.name} {row.state} at epoch {row.epochs}, {score}{why}; {lead}{self.status()}")

    def _print(self, line: str) -> None:
        self.said = time.monotonic()
        self.console.print(line, highlight=False, soft_wrap=True)


def reason_of(trial: Trial) -> str:
    """The last line of the trial's error: exception and message, without the traceback."""
    path = Path(trial.error_file) if trial.error_file else None  # Ray's own text, in its staging folder
    text = path.read_text() if path is not None and path.is_file() else ""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "the process died")


def clock(seconds: float) -> str:
    """``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
