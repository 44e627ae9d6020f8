"""Where a trial's values lie on the axes of figures: a parameter's range from 0 to 1, choices side by side."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from analysis.results import Range, SweepResults
from sweeps.leaderboard import short


def positions(sweep: SweepResults, key: str, axes: Axes) -> list[Any]:
    """Where the ranked trials lie on a parameter's axis, which is set up for them."""
    values = [sweep.params[name].get(key) for name in sweep.ranked["trial"]]
    of = sweep.ranges.get(key, Range())
    if of.choices or any(not isinstance(value, int | float) or isinstance(value, bool) for value in values):
        names = choices(sweep, key)
        axes.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.5, len(names) - 0.5)
        return [names.index(str(value)) for value in values]
    if of.log:
        axes.set_xscale("log")
    return values


def choices(sweep: SweepResults, key: str) -> list[str]:
    """What was searched of a key that is no range; where that is not known, what was tried."""
    of = sweep.ranges.get(key, Range())
    return list(of.choices) or sorted({str(params.get(key)) for params in sweep.params.values()})


def scaled(sweep: SweepResults, key: str) -> list[float]:
    """The ranked trials' values of a key, from 0 to 1 of what was searched; nan where a trial has none."""
    return [place_of(sweep, key, sweep.params[name].get(key)) for name in sweep.ranked["trial"]]


def place_of(sweep: SweepResults, key: str, value: Any) -> float:
    of = sweep.ranges.get(key, Range())
    known = choices(sweep, key)
    if value is None:
        return float("nan")
    if of.low < of.high and isinstance(value, int | float):
        if of.log:
            return float(np.log(value / of.low) / np.log(of.high / of.low))
        return float((value - of.low) / (of.high - of.low))
    return known.index(str(value)) / max(1, len(known) - 1)


def ticks(sweep: SweepResults, key: str) -> list[tuple[float, str]]:
    """Places from 0 to 1 on a parameter's axis, and what is there."""
    of = sweep.ranges.get(key, Range())
    if of.low < of.high:
        return [(0.0, short(of.low)), (1.0, short(of.high))]
    known = choices(sweep, key)
    return [(index / max(1, len(known) - 1), name) for index, name in enumerate(known)]


def scaled_score(sweep: SweepResults) -> list[float]:
    scores = sweep.ranked["score"].to_numpy()
    return list((scores - scores.min()) / max(1e-12, scores.max() - scores.min()))
