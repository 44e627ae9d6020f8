"""Rules that reduce the epoch scores of a trial to one number: best, last or smoothed."""

from collections.abc import Callable
from typing import Any

import numpy as np

from analysis.intervals import Float64Array
from analysis.results import SweepResults

WINDOW = 3
"""The number of epochs that are averaged: fewer than between rungs, but more than one lucky epoch."""


def smoothed(values: Float64Array) -> float:
    """The best mean of ``WINDOW`` successive epochs, or of all epochs if there are fewer."""
    width = min(WINDOW, len(values))
    return float(np.convolve(values, np.full(width, 1 / width), mode="valid").max())


RULES: dict[str, Callable[[Float64Array], float]] = {
    "best": lambda values: float(values.max()),
    "last": lambda values: float(values[-1]),
    "smoothed": smoothed,
}


def scores_by_rule(sweep: SweepResults) -> dict[str, dict[str, float]]:
    """Each trial's score under every rule; empty for a trial without a value."""
    reports: Any = sweep.reports.dropna(subset="value").sort_values(["trial", "epoch"])
    values = {name: group.to_numpy() for name, group in reports.groupby("trial")["value"]}
    return {
        name: {rule: score(values[name]) for rule, score in RULES.items()} if name in values else {}
        for name in sweep.trials["trial"]
    }


def best_by_rule(sweep: SweepResults) -> dict[str, tuple[str, float]]:
    """The best trial under each rule, with its score. Failed trials are left out."""
    scores = scores_by_rule(sweep)
    ranked = [str(name) for name in sweep.ranked["trial"]]
    best = {rule: max(ranked, key=lambda name: scores[name][rule]) for rule in RULES} if ranked else {}
    return {rule: (name, scores[name][rule]) for rule, name in best.items()}
