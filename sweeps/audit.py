"""Is all of a sweep there, once, and the same in every file? ``python -m sweeps.run NAME --check``."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from src.errors import UserError
from src.lines import read_lines
from src.models.checkpoint import is_sound
from sweeps.leaderboard import TrialRow
from sweeps.ledger import NAME, Ledger
from sweeps.standing import Standing, read_standing

NEEDED = {"paused": "last.pth", "stopped": "best_model.pth", "complete": "best_model.pth"}
"""The network that a trial must have, by its state."""
AT_REST = tuple(NEEDED)
GOES_ON_FROM = ("last.pth", "previous.pth", "best_model.pth")
BEHIND = 2
"""Epochs that a trial may have to train again: beside a card its checkpoint is one behind, and one may be damaged."""


def audit(folder: Path) -> list[str]:
    """What is wrong with a sweep's folder, a sentence each: nothing, if all went well.

    Compares the ledger (replayed through the rules), each trial's folder and ``leaderboard.csv``. A folder without a
    ledger that can be read is a ``UserError``.
    """
    ledger = Ledger(folder / NAME, read_only=True)
    try:
        study = read_standing(ledger)
        return [
            *trials_twice(study),
            *table_differs(study, ledger),
            *folders_differ(folder, study, ledger),
            *unknown_folders(folder, study),
            *board_differs(folder / "leaderboard.csv", study),
        ]
    except UserError as error:
        return [str(error)]
    finally:
        ledger.close()


def trials_twice(study: Standing) -> Iterator[str]:
    counts = Counter(json.dumps(row.params, sort_keys=True) for row in study.rows.values())
    for params, count in counts.items():
        if count > 1:
            yield f"{count} trials have the same parameters: {params}."


def table_differs(study: Standing, ledger: Ledger) -> Iterator[str]:
    """Whether the ledger's table of trials says what its events come to. A killed session leaves trials running."""
    kept = {row["name"]: row for row in ledger.trials()}
    if kept.keys() != study.rows.keys():
        yield f"The ledger's trials are {sorted(kept)}, its events are of {sorted(study.rows)}."
        return
    for name, row in study.rows.items():
        said, found = kept[name], ("waiting" if row.state == "running" else row.state)
        state = "waiting" if said["state"] == "running" else said["state"]
        if (state, said["epochs"], said["score"]) != (found, row.epochs, row.score):
            yield f"{name}: the ledger's table says {said['state']} at epoch {said['epochs']}, its events {found}."


def folders_differ(folder: Path, study: Standing, ledger: Ledger) -> Iterator[str]:
    dropped = {entry.trial for entry in ledger.entries() if entry.kind == "drop"}
    for row in study.rows.values():
        yield from folder_differs(folder / row.name, row, ledger, begun_again=row.name in dropped)


def folder_differs(folder: Path, row: TrialRow, ledger: Ledger, begun_again: bool) -> Iterator[str]:
    """Whether a trial's files hold the epochs that the ledger knows, each once, with the same value.

    One that runs is waiting here: that it would be, if its session were killed now. ``begun_again``: without its
    networks, so that its files may know less than the ledger until it has come as far.
    """
    reported = ledger.values(row.name)
    if not reported:
        return
    path = folder / "result.json"
    if not path.is_file():
        yield f"{path} is missing, though the ledger has {row.epochs} epochs of this trial, which is {row.state}."
        return
    lines = read_lines(path)
    yield from epochs_differ(path, [line["epoch"] for line in lines], row, begun_again)
    metric = ledger.get("rules")["metric"]
    for line in lines:
        value = reported.get(line["epoch"], line.get(metric))
        if value is not None and value != line.get(metric):
            yield f"{path}: {metric} of epoch {line['epoch']} is {line.get(metric)}, in the ledger {value}."
    yield from checkpoint_missing(folder, row, begun_again)


def epochs_differ(path: Path, epochs: list[int], row: TrialRow, begun_again: bool) -> Iterator[str]:
    """Whether the epochs in a trial's file are those that the ledger knows, as far as its state lets them differ."""
    if epochs != list(range(1, len(epochs) + 1)):
        yield f"{path}: the epochs are {epochs}, not each once in order."
    if row.state in AT_REST:
        least = most = row.epochs
    else:
        least = 0 if begun_again else row.epochs - BEHIND
        most = row.epochs + 1  # one that nobody heard of before it was killed
    if not least <= len(epochs) <= most:
        yield f"{path} has {len(epochs)} epochs, the ledger {row.epochs}; the trial is {row.state}."


def checkpoint_missing(folder: Path, row: TrialRow, begun_again: bool) -> Iterator[str]:
    """Whether the network is there that a trial would go on from, or that it has come to."""
    if row.dropped:
        return
    if row.state in NEEDED:
        path = folder / "checkpoints" / NEEDED[row.state]
        if not is_sound(path):
            yield f"{path} is {'damaged' if path.exists() else 'missing'}."
    elif row.state == "waiting" and row.epochs > 1 and not (begun_again or can_go_on(folder)):
        yield f"{folder / 'checkpoints'} has no network that this trial, which is waiting, could go on from."


def can_go_on(folder: Path) -> bool:
    return any(is_sound(folder / "checkpoints" / name) for name in GOES_ON_FROM)


def unknown_folders(folder: Path, study: Standing) -> Iterator[str]:
    for path in sorted(folder.glob("t[0-9]*-*")):
        if path.name not in study.rows:
            yield f"{path} is of no trial that the ledger knows."


def board_differs(path: Path, study: Standing) -> Iterator[str]:
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
    if missing := study.rows.keys() - set(names):
        yield f"{path} lacks {', '.join(sorted(missing))}."
    for row in rows:
        score = study.rows[row["trial"]].score if row["trial"] in study.rows else None
        if score is not None and float(row[study.metric] or "nan") != score:
            yield f"{path}: {row['trial']} has {row[study.metric]}, by the ledger it is {score}."
