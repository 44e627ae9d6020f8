"""Where a trial's values lie on the axes of figures: along a range, or beside each other as choices."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.results import SweepResults
from sweeps.leaderboard import short

LONGEST = 18
"""Characters of a label."""
NOWHERE = float("nan")
"""The place of a value that a trial does not have."""


@dataclass(frozen=True)
class Scale:
    """An axis for one parameter."""

    key: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[str, ...] = ()
    """If it is no range."""

    def place(self, params: dict[str, Any]) -> float:
        """Of a trial's value: itself, or the number of the choice; ``NOWHERE`` if the trial has none."""
        if self.key not in params:
            return NOWHERE
        return self.choices.index(str(params[self.key])) if self.choices else float(params[self.key])

    def share(self, place: float) -> float:
        """A place from 0 to 1 of the axis."""
        if self.choices:
            return place / max(1, len(self.choices) - 1)
        if self.log:
            return math.log(place / self.low) / math.log(self.high / self.low)
        return (place - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Places and what is there: the ends, or all choices."""
        if self.choices:
            return [(float(index), shortened(name)) for index, name in enumerate(self.choices)]
        return [(self.low, short(self.low)), (self.high, short(self.high))]


def shortened(name: str) -> str:
    """A choice as a label: a fraction by three significant digits, the middle of a long name left out."""
    try:
        return short(float(name)) if "." in name or "e-" in name else name
    except ValueError:
        return name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}…{name[-LONGEST // 2 + 1 :]}"


def scale_of(sweep: SweepResults, key: str) -> Scale:
    """What was searched of a key, made wider if trials lie outside of that; if it is not known, what was tried."""
    ranges = sweep.ranges_of(key)
    tried = [params[key] for params in sweep.params.values() if key in params]
    choices = [str(choice) for of in ranges for choice in of.choices]
    if choices or not all(is_number(value) for value in tried) or not tried:
        return Scale(key, choices=tuple(dict.fromkeys([*choices, *sorted(str(value) for value in tried)])))
    ends = [*tried, *(end for of in ranges if of.low < of.high for end in (of.low, of.high))]
    low, high = float(min(ends)), float(max(ends))
    log = bool(ranges) and all(of.log for of in ranges) and low > 0
    return Scale(key, low, high, log) if low < high else Scale(key, choices=(str(tried[0]),))


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def shares(sweep: SweepResults, scale: Scale) -> Sequence[float]:
    """The ranked trials' places from 0 to 1 of an axis."""
    return [scale.share(scale.place(sweep.params[name])) for name in sweep.ranked["trial"]]
