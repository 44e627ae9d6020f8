"""Consistency check: ledger, trial folders and leaderboard agree. ``python -m sweeps.run NAME --check``."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from src.errors import EXIT_FAILED, UserError
from src.lines import read_lines
from src.models.checkpoint import is_sound
from sweeps.ledger import LEDGER_FILE, Ledger, is_finished
from sweeps.recorded import RULES, read_state
from sweeps.search.events import CheckpointsDeleted
from sweeps.search.space import identity_of
from sweeps.search.state import SearchState
from sweeps.search.trial import Trial, TrialState
from sweeps.writer import writer

NEEDED: dict[str, str] = {
    TrialState.PAUSED: "last.pth",
    TrialState.STOPPED: "best_model.pth",
    TrialState.COMPLETE: "best_model.pth",
}
"""The checkpoint that a trial must have, by its state."""
AT_REST = tuple(NEEDED)
CONTINUES_FROM = ("last.pth", "previous.pth", "best_model.pth")
BEHIND = 2
"""Epochs that a trial may have to train again: on a GPU its checkpoint is one epoch behind, and one may be damaged."""


def audit(folder: Path) -> list[str]:
    """Find problems in a sweep's folder. Returns one sentence per problem.

    Compares the ledger (by replaying its events), each trial's folder and ``leaderboard.csv``. A folder without a
    readable ledger is a ``UserError``.
    """
    ledger = Ledger(folder / LEDGER_FILE, read_only=True)
    try:
        state = read_state(ledger)
        return [
            *trials_twice(state),
            *table_differs(state, ledger),
            *folders_differ(folder, state, ledger),
            *unknown_folders(folder, state),
            *board_differs(folder / "leaderboard.csv", state),
        ]
    except UserError as error:
        return [str(error)]
    finally:
        ledger.close()


def findings(folder: Path) -> tuple[list[str], int]:
    """The lines to print about a sweep's folder, and the exit code."""
    problems = audit(folder)
    lines = list(problems)
    if process := writer(folder):
        ahead = ", so files may be newer than the ledger that was read: check again later" if problems else ""
        lines.append(f"{process[:1].upper()}{process[1:]} is writing to {folder} now{ahead}.")
    elif problems and not finished(folder):
        lines.append("The last session was interrupted: --resume continues it and writes the leaderboard again.")
    if not problems:
        lines.append(f"{folder}: no problems; ledger, trial folders and leaderboard agree.")
    return lines, EXIT_FAILED if problems else 0


def finished(folder: Path) -> bool:
    ledger = Ledger(folder / LEDGER_FILE, read_only=True)
    try:
        return is_finished(ledger)
    finally:
        ledger.close()


def trials_twice(state: SearchState) -> Iterator[str]:
    counts = Counter(identity_of(trial.params) for trial in state.trials.values())
    for params, count in counts.items():
        if count > 1:
            yield f"{count} trials have the same parameters: {params}."


def settled(state: str) -> str:
    """The state of a trial after its session was killed: a running trial waits."""
    return TrialState.WAITING if state == TrialState.RUNNING else state


def table_differs(state: SearchState, ledger: Ledger) -> Iterator[str]:
    """Compare the ledger's table of trials with its events. In a killed session trials are still marked as running."""
    table = {row["name"]: row for row in ledger.trials()}
    if table.keys() != state.trials.keys():
        yield f"The ledger's table has the trials {sorted(table)}, but its events have {sorted(state.trials)}."
        return
    for name, trial in state.trials.items():
        row, by_events = table[name], settled(trial.state)
        in_table = settled(row["state"])
        if (in_table, row["epochs"], row["score"]) != (by_events, trial.epochs, trial.score):
            yield f"{name}: the ledger's table has {in_table} at epoch {row['epochs']}, its events {by_events}."


def folders_differ(folder: Path, state: SearchState, ledger: Ledger) -> Iterator[str]:
    events = (record.event for record in ledger.records())
    deleted = {event.trial for event in events if isinstance(event, CheckpointsDeleted)}
    for trial in state.trials.values():
        yield from folder_differs(folder / trial.name, trial, ledger, begun_again=trial.name in deleted)


def folder_differs(folder: Path, trial: Trial, ledger: Ledger, begun_again: bool) -> Iterator[str]:
    """Check that a trial's files have the epochs of the ledger, each once, with the same values.

    ``begun_again``: its checkpoints were deleted, so it may start from epoch 0 and have fewer epochs than the ledger.
    """
    reported = ledger.values(trial.name)
    if not reported:
        return
    path = folder / "result.json"
    if not path.is_file():
        yield f"{path} is missing, but the ledger has {trial.epochs} epochs of this {settled(trial.state)} trial."
        return
    lines = read_lines(path)
    yield from epochs_differ(path, [line["epoch"] for line in lines], trial, begun_again)
    metric = ledger.get(RULES)["metric"]
    for line in lines:
        value = reported.get(line["epoch"], line.get(metric))
        if value is not None and value != line.get(metric):
            yield f"{path}: {metric} of epoch {line['epoch']} is {line.get(metric)}, but in the ledger {value}."
    yield from checkpoint_missing(folder, trial, begun_again)


def epochs_differ(path: Path, epochs: list[int], trial: Trial, begun_again: bool) -> Iterator[str]:
    """Compare the epochs in a trial's file with the ledger. A trial that was killed may differ by some epochs."""
    if epochs != list(range(1, len(epochs) + 1)):
        yield f"{path}: the epochs {epochs} are not in order, or not complete."
    if trial.state in AT_REST:
        least = most = trial.epochs
    else:
        least = 0 if begun_again else trial.epochs - BEHIND
        most = trial.epochs + 1  # one that was trained and not yet recorded when the session was killed
    if not least <= len(epochs) <= most:
        yield f"{path} has {len(epochs)} epochs, but the ledger {trial.epochs}; the trial is {settled(trial.state)}."


def checkpoint_missing(folder: Path, trial: Trial, begun_again: bool) -> Iterator[str]:
    """Check that a trial has the checkpoint that it needs in its state."""
    if trial.checkpoints_deleted:
        return
    if trial.state in NEEDED:
        path = folder / "checkpoints" / NEEDED[trial.state]
        if not is_sound(path):
            yield f"{path} is {'damaged' if path.exists() else 'missing'}."
    elif settled(trial.state) == TrialState.WAITING and trial.epochs > 1 and not (begun_again or can_continue(folder)):
        yield f"{folder / 'checkpoints'} has no checkpoint from which this waiting trial could continue."


def can_continue(folder: Path) -> bool:
    return any(is_sound(folder / "checkpoints" / name) for name in CONTINUES_FROM)


def unknown_folders(folder: Path, state: SearchState) -> Iterator[str]:
    for path in sorted(folder.glob("t[0-9]*-*")):
        if path.name not in state.trials:
            yield f"{path} belongs to no trial of the ledger."


def board_differs(path: Path, state: SearchState) -> Iterator[str]:
    """Check that the leaderboard has every trial once, with its best score."""
    if not path.is_file():
        yield f"{path} is missing."
        return
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [row["trial"] for row in rows]
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{path} has {name} {count} times."
    if missing := state.trials.keys() - set(names):
        yield f"{path} lacks {', '.join(sorted(missing))}."
    for row in rows:
        score = state.trials[row["trial"]].score if row["trial"] in state.trials else None
        if score is not None and float(row[state.metric] or "nan") != score:
            yield f"{path}: {row['trial']} has {row[state.metric]}, but in the ledger {score}."
