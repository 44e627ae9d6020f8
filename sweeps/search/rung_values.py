"""What a model takes from the rungs: values extrapolated to the end, by the mean gain of the trials that continued."""

import heapq
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import fmean
from typing import TypeVar

from sweeps.search.trial import Trial

T = TypeVar("T")


def gains(trials: Sequence[Trial]) -> dict[int, float]:
    """The mean gain from each rung to the highest one that any trial has reached, by epoch."""
    rungs = sorted({epoch for trial in trials for epoch in trial.values})
    found = dict.fromkeys(rungs, 0.0)
    for rung, following in reversed(list(pairwise(rungs))):
        both = [
            trial.values[following] - trial.values[rung] for trial in trials if {rung, following} <= trial.values.keys()
        ]
        found[rung] = found[following] + (fmean(both) if both else 0.0)
    return found


def expected(trials: Sequence[Trial]) -> list[float]:
    """The extrapolated final value of each trial: its last value, plus the gain from there on."""
    to_come = gains(trials)
    return [trial.values[last] + to_come[last] for trial in trials for last in [max(trial.values)]]


def best_and_latest(rows: Sequence[T], most: int, value: Callable[[T], float]) -> list[T]:
    """At most so many rows: if there are more, the best by ``value`` as one half, and the latest as the other."""
    half = most // 2
    return [*rows] if len(rows) <= most else [*heapq.nlargest(half, rows[:-half], key=value), *rows[-half:]]
