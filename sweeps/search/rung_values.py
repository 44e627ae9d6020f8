"""Extrapolates a trial's value from a rung to the end: the mean gain, from there on, of those that continued."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from sweeps.search.trial import Trial


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
