"""Scales of the figures' axes: the positions of parameter values along a range, or of choices side by side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.results import SweepResults
from sweeps.leaderboard import short

LONGEST = 18
"""The maximum number of characters of a label."""
NO_POSITION = float("nan")
"""The position for a trial that does not have the key."""


@dataclass(frozen=True)
class Scale:
    """The scale of one parameter's axis."""

    key: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[str, ...] = ()
    """The values of a categorical parameter; empty for a range."""

    def position(self, params: dict[str, Any]) -> float:
        """The position of a trial: its value, or the number of its choice; ``NO_POSITION`` without a value."""
        if self.key not in params:
            return NO_POSITION
        return self.choices.index(str(params[self.key])) if self.choices else float(params[self.key])

    def fraction(self, position: float) -> float:
        """A position as a fraction of the axis, from 0 to 1."""
        if self.choices:
            return position / max(1, len(self.choices) - 1)
        if self.log:
            return math.log(position / self.low) / math.log(self.high / self.low)
        return (position - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Positions and labels: the two ends of a range, or all choices."""
        if self.choices:
            return [(float(index), shortened(name)) for index, name in enumerate(self.choices)]
        return [(self.low, short(self.low)), (self.high, short(self.high))]


def shortened(name: str) -> str:
    """A choice as a label: numbers with three significant digits, long names without their middle."""
    try:
        return short(float(name)) if "." in name or "e-" in name else name
    except ValueError:
        return name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}…{name[-LONGEST // 2 + 1 :]}"


def scale_of(sweep: SweepResults, key: str) -> Scale:
    """The scale of a key: its search range, widened if trials are outside of it; if unknown, the tried values."""
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


def fractions(sweep: SweepResults, scale: Scale) -> Sequence[float]:
    """The positions of the ranked trials as fractions of the axis."""
    return [scale.fraction(scale.position(sweep.params[name])) for name in sweep.ranked["trial"]]
