"""The trials of a sweep as a table on the screen and as ``leaderboard.csv``."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from src.atomic import replaced_file
from src.tables import fitted
from sweeps.search.trial import Trial, ranked

LAST = ("micro_batch", "origin", "reason")
"""The last columns of ``leaderboard.csv``."""


def in_words(state: str, micro_batch: int | None) -> str:
    """``complete``, or ``complete, micro-batch 2`` where memory ran out."""
    return state if micro_batch is None else f"{state}, micro-batch {micro_batch}"


def write_csv(trials: Iterable[Trial], metric: str, path: Path) -> None:
    """Write one row per trial, best first, with one column per parameter. The file is replaced atomically."""
    best_first = ranked(trials)
    parameters = list(dict.fromkeys(key for trial in best_first for key in trial.params))
    scores = [key for key in ("val/iou", "val/threshold", "val/loss", "train/loss") if key != metric]
    with replaced_file(path) as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", "state", metric, "best_epoch", "epochs", "seconds", *scores, *parameters, *LAST])
        for trial in best_first:
            head = [
                trial.name,
                trial.state,
                "" if trial.score is None else trial.score,
                trial.best_epoch,
                trial.epochs,
                round(trial.seconds, 2),
            ]
            tail = [trial.params.get(key, "") for key in parameters]
            last = ["" if trial.micro_batch is None else trial.micro_batch, trial.origin, trial.reason]
            writer.writerow([*head, *(trial.metrics.get(key, "") for key in scores), *tail, *last])


def tables(trials: Iterable[Trial], metric: str, width: int, top: int | None = None) -> Iterator[Table]:
    """The best ``top`` trials (None: all) as tables that fit ``width``. Parameters have shortened names."""
    shown = ranked(trials)[:top]
    keys = list(dict.fromkeys(key for trial in shown for key in trial.params))
    numbers = (metric.removeprefix("val/"), "epochs")
    heads = ["trial", *numbers, "state", *(name.replace("_", " ") for name in short_names(keys))]
    cells: list[list[str]] = []
    for trial in shown:
        score = "-" if trial.score is None else f"{trial.score:.4f}"
        values = [short(trial.params.get(key, "")) for key in keys]
        cells.append([trial.name, score, str(trial.epochs), in_words(trial.state, trial.micro_batch), *values])
    return fitted(heads, cells, width, texts={head for head in heads if head not in numbers})


def short_names(keys: Sequence[str]) -> list[str]:
    """The shortest endings of the dotted keys that are still unique."""
    names: list[str] = []
    for key in keys:
        parts = key.split(".")
        length = 1
        while length < len(parts) and sum(other.endswith("." + ".".join(parts[-length:])) for other in keys) > 1:
            length += 1
        names.append(".".join(parts[-length:]))
    return names


def short(value: Any) -> str:
    """A parameter's value for a narrow column; floats with three significant digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
