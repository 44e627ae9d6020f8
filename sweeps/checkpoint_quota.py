"""Keeps a sweep's checkpoints within its disk quota by deleting those of the weakest trials."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sweeps.observer import Observer
from sweeps.search.study import Study
from sweeps.search.trial import Trial, TrialState, ranked

GIB = 2**30


class CheckpointQuota(Observer):
    """Deletes checkpoints when trials end, so that all of them together stay below ``budget.checkpoints_gib``."""

    def __init__(self, study: Study, sweep_dir: Path) -> None:
        self.study, self.sweep_dir = study, sweep_dir

    def left(self, trial: Trial) -> None:
        if trial.state in (TrialState.COMPLETE, TrialState.STOPPED):
            keep_best_only(self.sweep_dir / trial.name)
        self.keep_below()

    def keep_below(self) -> None:
        limit = self.study.budget.checkpoints_gib * GIB
        for trial in worst(self.sweep_dir, self.study.trials.values(), limit):
            self.study.checkpoints_deleted(trial.name)  # recorded first: a checkpoint that was not deleted does no harm
            delete_checkpoints(self.sweep_dir / trial.name)


def keep_best_only(trial_dir: Path) -> None:
    """Delete all checkpoints of a trial that has ended, except its best one."""
    folder = trial_dir / "checkpoints"
    if (folder / "best_model.pth").is_file():
        for name in ("last.pth", "previous.pth"):
            (folder / name).unlink(missing_ok=True)


def worst(sweep_dir: Path, trials: Iterable[Trial], limit: float) -> list[Trial]:
    """The trials whose checkpoints must be deleted to stay below ``limit`` bytes, the worst trial first.

    The best trial and trials that run or wait keep their checkpoints. A paused trial that is promoted without its
    checkpoint is trained again from the beginning.
    """
    best_first = ranked(trials)
    sizes = {trial.name: size_of(sweep_dir / trial.name / "checkpoints") for trial in best_first}
    total, to_delete = sum(sizes.values()), list[Trial]()
    for trial in reversed(best_first[1:]):
        if total <= limit:
            break
        if trial.state in (TrialState.RUNNING, TrialState.WAITING) or not sizes[trial.name]:
            continue
        total -= sizes[trial.name]
        to_delete.append(trial)
    return to_delete


def delete_checkpoints(trial_dir: Path) -> None:
    for path in (trial_dir / "checkpoints").glob("*.pth"):
        path.unlink(missing_ok=True)


def size_of(folder: Path) -> int:
    """Bytes of the checkpoints in a folder; hard links to the same file count once."""
    sizes: dict[int, int] = {}
    for path in folder.glob("*.pth"):
        with suppress(FileNotFoundError):  # a running trial renames its checkpoints
            status = path.stat()
            sizes[status.st_ino] = status.st_size
    return sum(sizes.values())
