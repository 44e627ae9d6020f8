"""The state of a sweep's trials, as a table on the screen and as ``leaderboard.csv``."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from src.atomic import replaced_file
from src.tables import fitted

LAST = ("micro_batch", "origin", "reason")
"""The last columns of ``leaderboard.csv``."""


@dataclass
class TrialRow:
    """One trial, as far as it is known."""

    name: str
    params: dict[str, Any]
    number: int = 0
    """In the order of starting, from 0."""
    origin: str = ""
    """Where its parameters are from: default, given, random or model."""
    state: str = "running"
    """running; waiting: begun, and next to go on; paused: at a rung; stopped: for good, or paused when the search
    ended; complete: trained all its epochs; failed, with a ``reason``."""
    epochs: int = 0
    score: float | None = None
    """The best value of the sweep's metric over its epochs."""
    best_epoch: int = 0
    metrics: dict[str, float] = field(default_factory=dict[str, float])
    """The metrics of the best epoch."""
    values: dict[int, float] = field(default_factory=dict[int, float])
    """The sweep's metric at each rung that it has reached, and at the end."""
    seconds: float = 0.0
    """Spent in epochs."""
    micro_batch: int | None = None
    """Images at once, where memory ran out and they were fewer than ``data.batch_size``: batch norm saw fewer."""
    failures: int = 0
    dropped: bool = False
    """Its networks were removed for want of disk."""
    reason: str = ""

    def report(self, epoch: int, metrics: Mapping[str, float], metric: str) -> None:
        """Take in the metrics after an epoch."""
        self.epochs = epoch
        self.seconds += metrics.get("epoch_seconds", 0.0)
        if "micro_batch" in metrics:
            self.micro_batch = int(metrics["micro_batch"])
        if self.score is None or metrics[metric] > self.score:
            self.score, self.best_epoch, self.metrics = metrics[metric], epoch, dict(metrics)

    @property
    def state_in_words(self) -> str:
        """``complete``, or ``complete, micro-batch 2`` where memory ran out."""
        return in_words(self.state, self.micro_batch)


def in_words(state: str, micro_batch: int | None) -> str:
    """A trial's state, and whether it was trained as it was meant to be."""
    return state if micro_batch is None else f"{state}, micro-batch {micro_batch}"


def ranked(rows: Iterable[TrialRow]) -> list[TrialRow]:
    """Best first; failed trials and those without a score last; equal scores in the order of their names."""
    return sorted(rows, key=lambda row: rank(row.state, row.score, row.name))


def rank(state: str, score: float | None, name: str) -> tuple[bool, bool, float, str]:
    """What trials are sorted by."""
    return state == "failed", score is None, -(score or 0.0), name


def write_csv(rows: Iterable[TrialRow], metric: str, path: Path) -> None:
    """One line a trial, best first, a column per parameter; written beside and renamed."""
    rows = ranked(rows)
    parameters = list(dict.fromkeys(key for row in rows for key in row.params))
    scores = [key for key in ("val/iou", "val/threshold", "val/loss", "train/loss") if key != metric]
    with replaced_file(path) as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", "state", metric, "best_epoch", "epochs", "seconds", *scores, *parameters, *LAST])
        for row in rows:
            head = [
                row.name,
                row.state,
                "" if row.score is None else row.score,
                row.best_epoch,
                row.epochs,
                round(row.seconds, 2),
            ]
            tail = [row.params.get(key, "") for key in parameters]
            last = ["" if row.micro_batch is None else row.micro_batch, row.origin, row.reason]
            writer.writerow([*head, *(row.metrics.get(key, "") for key in scores), *tail, *last])


def tables(rows: Iterable[TrialRow], metric: str, width: int, top: int | None = None) -> Iterator[Table]:
    """The best ``top`` trials (None: all) for a terminal of that width; parameters by the last words of their keys."""
    rows = ranked(rows)[:top]
    keys = list(dict.fromkeys(key for row in rows for key in row.params))
    numbers = (metric.removeprefix("val/"), "epochs")
    heads = ["trial", *numbers, "state", *(name.replace("_", " ") for name in short_names(keys))]
    cells: list[list[str]] = []
    for row in rows:
        score = "-" if row.score is None else f"{row.score:.4f}"
        values = [short(row.params.get(key, "")) for key in keys]
        cells.append([row.name, score, str(row.epochs), row.state_in_words, *values])
    return fitted(heads, cells, width, texts={head for head in heads if head not in numbers})


def short_names(keys: Sequence[str]) -> list[str]:
    """The last parts of the keys, with as much before them as tells them apart."""
    names: list[str] = []
    for key in keys:
        parts = key.split(".")
        length = 1
        while length < len(parts) and sum(other.endswith("." + ".".join(parts[-length:])) for other in keys) > 1:
            length += 1
        names.append(".".join(parts[-length:]))
    return names


def short(value: Any) -> str:
    """A parameter for a narrow column: three significant digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
