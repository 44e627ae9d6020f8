"""Keeps a sweep's checkpoints within its disk quota: above it, those of the weakest trials are deleted."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from sweeps.leaderboard import TrialRow, ranked
from sweeps.ray_executor import Unkept, name_of
from sweeps.study import Study

GIB = 2**30


class DiskBudget(Unkept, Callback):
    """Removes checkpoints as trials end, so that those of a sweep stay below ``budget.checkpoints_gib``."""

    def __init__(self, study: Study, sweep_dir: Path) -> None:
        super().__init__()
        self.study, self.sweep_dir = study, sweep_dir

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        row = self.study.rows[name_of(trial)]
        if row.state in ("complete", "stopped"):
            keep_best_only(self.sweep_dir / row.name)
        self.keep_below()

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self.keep_below()

    def keep_below(self) -> None:
        limit = self.study.budget.checkpoints_gib * GIB
        for row in worst(self.sweep_dir, self.study.rows.values(), limit):
            self.study.drop(row.name)  # before it is done: a network that is not missed does no harm
            remove_networks(self.sweep_dir / row.name)


def keep_best_only(trial_dir: Path) -> None:
    """A trial that will not go on needs no other network than its best."""
    folder = trial_dir / "checkpoints"
    if (folder / "best_model.pth").is_file():
        for name in ("last.pth", "previous.pth"):
            (folder / name).unlink(missing_ok=True)


def worst(sweep_dir: Path, rows: Iterable[TrialRow], limit: float) -> list[TrialRow]:
    """The trials whose networks have to go so that all take at most ``limit`` bytes, the worst first.

    The best trial keeps its own, and so do trials that run or wait. A paused trial that is promoted without its
    checkpoint is trained again from the beginning.
    """
    rows = ranked(rows)
    sizes = {row.name: taken(sweep_dir / row.name / "checkpoints") for row in rows}
    spent, found = sum(sizes.values()), list[TrialRow]()
    for row in reversed(rows[1:]):
        if spent <= limit:
            break
        if row.state in ("running", "waiting") or not sizes[row.name]:
            continue
        spent -= sizes[row.name]
        found.append(row)
    return found


def remove_networks(trial_dir: Path) -> None:
    for path in (trial_dir / "checkpoints").glob("*.pth"):
        path.unlink(missing_ok=True)


def taken(folder: Path) -> int:
    """Bytes of the files in a folder; those that are linked to each other count once."""
    found: dict[int, int] = {}
    for path in folder.glob("*.pth"):
        with suppress(FileNotFoundError):  # a trial that runs renames its own
            status = path.stat()
            found[status.st_ino] = status.st_size
    return sum(found.values())
