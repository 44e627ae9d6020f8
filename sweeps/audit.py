"""Consistency check: ledger, trial folders and leaderboard agree. ``python -m sweeps.run NAME --check``."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from src.errors import EXIT_FAILED, UserError
from src.lines import read_lines
from src.models.checkpoint import is_sound
from sweeps.ledger import LEDGER_FILE, Ledger, is_finished, writer
from sweeps.recorded import RULES, read_state
from sweeps.search.events import CheckpointsDeleted
from sweeps.search.state import SearchState
from sweeps.search.trial import Trial, TrialState

NEEDED: dict[str, str] = {
    TrialState.PAUSED: "last.pth",
    TrialState.STOPPED: "best_model.pth",
    TrialState.COMPLETE: "best_model.pth",
}
"""The checkpoint that a trial must have, by its state."""
AT_REST = tuple(NEEDED)
CONTINUES_FROM = ("last.pth", "previous.pth", "best_model.pth")
BEHIND = 2
"""Epochs that a trial may have to train again: beside a card its checkpoint is one behind, and one may be damaged."""


def audit(folder: Path) -> list[str]:
    """What is wrong with a sweep's folder, one sentence each; none, if all is well.

    Compares the ledger (its events applied again), each trial's folder and ``leaderboard.csv``. A folder without a
    ledger that can be read is a ``UserError``.
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
    """What to print of a sweep's folder, and the exit code."""
    problems = audit(folder)
    lines = list(problems)
    if who := writer(folder):
        ahead = ", so files may be ahead of the ledger that was read: check again" if problems else ""
        lines.append(f"{who[:1].upper()}{who[1:]} is writing into {folder} now{ahead}.")
    elif problems and not finished(folder):
        lines.append("The last session was cut off: --resume continues, and writes the leaderboard anew.")
    if not problems:
        lines.append(f"{folder}: every trial is there once; ledger, folders and leaderboard agree.")
    return lines, EXIT_FAILED if problems else 0


def finished(folder: Path) -> bool:
    ledger = Ledger(folder / LEDGER_FILE, read_only=True)
    try:
        return is_finished(ledger)
    finally:
        ledger.close()


def trials_twice(state: SearchState) -> Iterator[str]:
    counts = Counter(json.dumps(trial.params, sort_keys=True) for trial in state.trials.values())
    for params, count in counts.items():
        if count > 1:
            yield f"{count} trials have the same parameters: {params}."


def settled(state: str) -> str:
    """The state of a trial if its session were killed now: one that runs would wait."""
    return TrialState.WAITING if state == TrialState.RUNNING else state


def table_differs(state: SearchState, ledger: Ledger) -> Iterator[str]:
    """Whether the ledger's table of trials says what its events come to. A killed session leaves trials running."""
    kept = {one["name"]: one for one in ledger.trials()}
    if kept.keys() != state.trials.keys():
        yield f"The ledger's trials are {sorted(kept)}, its events are of {sorted(state.trials)}."
        return
    for name, trial in state.trials.items():
        in_table, by_events = settled(kept[name]["state"]), settled(trial.state)
        if (in_table, kept[name]["epochs"], kept[name]["score"]) != (by_events, trial.epochs, trial.score):
            yield f"{name}: the ledger's table has {in_table} at epoch {kept[name]['epochs']}, its events {by_events}."


def folders_differ(folder: Path, state: SearchState, ledger: Ledger) -> Iterator[str]:
    events = (record.event for record in ledger.records())
    deleted = {event.trial for event in events if isinstance(event, CheckpointsDeleted)}
    for trial in state.trials.values():
        yield from folder_differs(folder / trial.name, trial, ledger, begun_again=trial.name in deleted)


def folder_differs(folder: Path, trial: Trial, ledger: Ledger, begun_again: bool) -> Iterator[str]:
    """Whether a trial's files hold the epochs that the ledger knows, each once, with the same value.

    ``begun_again``: without its checkpoints, so that its files may have less than the ledger until it has come as far.
    """
    reported = ledger.values(trial.name)
    if not reported:
        return
    path = folder / "result.json"
    if not path.is_file():
        state = settled(trial.state)
        yield f"{path} is missing, though the ledger has {trial.epochs} epochs of this trial, which is {state}."
        return
    lines = read_lines(path)
    yield from epochs_differ(path, [line["epoch"] for line in lines], trial, begun_again)
    metric = ledger.get(RULES)["metric"]
    for line in lines:
        value = reported.get(line["epoch"], line.get(metric))
        if value is not None and value != line.get(metric):
            yield f"{path}: {metric} of epoch {line['epoch']} is {line.get(metric)}, in the ledger {value}."
    yield from checkpoint_missing(folder, trial, begun_again)


def epochs_differ(path: Path, epochs: list[int], trial: Trial, begun_again: bool) -> Iterator[str]:
    """Whether the epochs in a trial's file are those that the ledger knows, as far as its state lets them differ."""
    if epochs != list(range(1, len(epochs) + 1)):
        yield f"{path}: the epochs are {epochs}, not each once in order."
    if trial.state in AT_REST:
        least = most = trial.epochs
    else:
        least = 0 if begun_again else trial.epochs - BEHIND
        most = trial.epochs + 1  # one that was trained and not yet recorded when the session was killed
    if not least <= len(epochs) <= most:
        yield f"{path} has {len(epochs)} epochs, the ledger {trial.epochs}; the trial is {settled(trial.state)}."


def checkpoint_missing(folder: Path, trial: Trial, begun_again: bool) -> Iterator[str]:
    """Whether the checkpoint is there that a trial would continue from, or that it has come to."""
    if trial.checkpoints_deleted:
        return
    if trial.state in NEEDED:
        path = folder / "checkpoints" / NEEDED[trial.state]
        if not is_sound(path):
            yield f"{path} is {'damaged' if path.exists() else 'missing'}."
    elif settled(trial.state) == TrialState.WAITING and trial.epochs > 1 and not (begun_again or can_continue(folder)):
        yield f"{folder / 'checkpoints'} has no checkpoint that this trial, which is waiting, could continue from."


def can_continue(folder: Path) -> bool:
    return any(is_sound(folder / "checkpoints" / name) for name in CONTINUES_FROM)


def unknown_folders(folder: Path, state: SearchState) -> Iterator[str]:
    for path in sorted(folder.glob("t[0-9]*-*")):
        if path.name not in state.trials:
            yield f"{path} is of no trial that the ledger knows."


def board_differs(path: Path, state: SearchState) -> Iterator[str]:
    """Whether the leaderboard has every trial once, with its best score."""
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
            yield f"{path}: {row['trial']} has {row[state.metric]}, by the ledger it is {score}."
