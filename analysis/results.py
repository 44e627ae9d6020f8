"""Reads a sweep's folder: one table of trials, one of reports.

Files only, so it works beside a running sweep, after a killed one, and on a laptop.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pandas as pd
import yaml

from src.config import load_config, load_overrides
from src.errors import UserError, unknown
from src.lines import read_lines


@dataclass(frozen=True)
class SweepResults:
    """A sweep as its files tell it."""

    folder: Path
    about: dict[str, Any]
    """``sweep.yaml``: the sweep as run."""
    trials: pd.DataFrame
    """``leaderboard.csv``, best first."""

    @property
    def metric(self) -> str:
        return str(self.about["metric"])

    def best_trial(self) -> tuple[str, float]:
        """Name and score of the best trial that has a score and did not fail; none is a ``UserError``."""
        scored = self.trials.query("state != 'failed'").dropna(subset=[self.metric])
        if scored.empty:
            raise UserError(f"{self.folder} holds no trial with a score: nothing can be called best.")
        best = scored.iloc[int(scored[self.metric].argmax())]
        return str(best["trial"]), float(best[self.metric])

    def best_overrides(self) -> list[str]:
        """The overrides of ``best_trial``."""
        return load_overrides(self.folder / self.best_trial()[0] / "overrides.yaml")

    def about_best(self) -> str:
        """``t0003-29e510 of quickstart: val/iou_best 0.5987 in the search, the best of 10 trials``."""
        name, score = self.best_trial()
        running = list(self.trials["state"]).count("running")
        still = f"; {running} of them still run, so this may change" if running else ""
        return (
            f"{name} of {self.folder.name}: {self.metric} {score:.4f} in the search, "
            f"the best of {len(self.trials)} trials{still}"
        )

    def reports(self) -> pd.DataFrame:
        """One row per trial and epoch, from the trials' ``result.json``."""
        lines = [line for path in sorted(self.folder.glob("t*/result.json")) for line in read_lines(path)]
        return pd.DataFrame([{key: value for key, value in line.items() if key != "params"} for line in lines])


def sweeps_dir(output_root: Path | None = None) -> Path:
    """Where sweeps lie: ``{output_root}/sweeps``."""
    return (output_root or load_config().output_root) / "sweeps"


def load_sweep(name: str, output_root: Path | None = None) -> SweepResults:
    """The sweep of that name, in whatever state it is. A name that is not there is a ``UserError``."""
    root = sweeps_dir(output_root)
    folder = root / name
    if not (folder / "sweep.yaml").is_file():
        there = [path.parent.name for path in root.glob("*/sweep.yaml")]
        raise (
            unknown(f"sweep in {root}", name, there) if there else UserError(f"No sweep in {root} yet: run one first.")
        )
    about = cast(dict[str, Any], yaml.safe_load((folder / "sweep.yaml").read_text()))
    board = folder / "leaderboard.csv"
    trials = pd.read_csv(board) if board.is_file() else pd.DataFrame(columns=["trial", "state", about["metric"]])
    return SweepResults(folder, about, trials)
