"""Is all of a sweep there, once, and the same in every file? ``python -m sweeps.run NAME --check``."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from src.checkpoint import is_sound
from src.errors import UserError
from src.lines import read_lines
from sweeps.leaderboard import TrialRow
from sweeps.ledger import NAME, Ledger
from sweeps.standing import Standing, read_standing


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
            *(line for row in study.rows.values() for line in folder_differs(folder / row.name, row, ledger)),
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


def folder_differs(folder: Path, row: TrialRow, ledger: Ledger) -> Iterator[str]:
    """Whether a trial's files hold the epochs that the ledger knows, each once, with the same value."""
    reported = ledger.values(row.name)
    if not reported:
        return
    path = folder / "result.json"
    lines = read_lines(path)
    epochs = [line["epoch"] for line in lines]
    if epochs != list(range(1, len(epochs) + 1)):
        yield f"{path}: the epochs are {epochs}, not each once in order."
    maybe_more = row.state in ("running", "waiting", "failed")  # an epoch that nobody heard of before it was killed
    if not maybe_more and len(epochs) != row.epochs:
        yield f"{path} has {len(epochs)} epochs, the ledger {row.epochs}."
    if len(epochs) > row.epochs + 1:
        yield f"{path} has {len(epochs) - row.epochs} epochs that the ledger does not know."
    metric = ledger.get("rules")["metric"]
    for line in lines:
        value = reported.get(line["epoch"], line.get(metric))
        if value is not None and value != line.get(metric):
            yield f"{path}: {metric} of epoch {line['epoch']} is {line.get(metric)}, in the ledger {value}."
    yield from checkpoint_missing(folder, row)


def checkpoint_missing(folder: Path, row: TrialRow) -> Iterator[str]:
    """Whether the network is there that a trial would go on from, or that it has come to."""
    names = {"paused": "last.pth", "stopped": "best_model.pth", "complete": "best_model.pth"}
    if row.state not in names or row.dropped:
        return
    path = folder / "checkpoints" / names[row.state]
    if not is_sound(path):
        yield f"{path} is {'damaged' if path.exists() else 'missing'}."


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
