"""What is searched, and what the searches of other packages share."""

import math
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from itertools import islice
from typing import Protocol

import numpy as np

from benchmarks.landscapes.landscape import Key, Report, draw
from sweeps.search.space import Params, Space
from sweeps.spec import Asha


class Searched(Protocol):
    """What is searched: a space, and what a point comes to (``benchmarks.landscapes.landscape.World`` is one)."""

    keys: tuple[Key, ...]
    space: Space
    asha: Asha
    seed: int
    """Of the search."""
    first: Params
    default: Params | None
    """The first point, if it is one that a sensible person would begin with."""

    def train(self, trial: int, point: Params) -> Iterator[Report]:
        """A report an epoch, up to the last, or to one that is NaN: it has failed."""
        ...


Search = Callable[[Searched], Iterator[Report]]


class Trainings:
    """The trainings of a search by what its package calls them: one that is asked for again continues."""

    def __init__(self, world: Searched) -> None:
        self.world = world
        self.begun: dict[Hashable, Iterator[Report]] = {}
        self.values: dict[Hashable, list[float]] = {}
        self.worst = math.inf

    def to(self, key: Hashable, point: Params, epochs: int) -> Generator[Report, None, float]:
        """Train up to an epoch; returns its value, or the worst of all so far if the training has failed."""
        if key not in self.begun:
            self.begun[key] = self.world.train(len(self.begun), point)
            self.values[key] = []
        values = self.values[key]
        for report in islice(self.begun[key], max(0, epochs - len(values))):
            yield report
            values.append(report.value)
            self.worst = min(self.worst, report.value) if math.isfinite(report.value) else self.worst
        value = values[min(epochs, len(values)) - 1]
        return value if math.isfinite(value) else self.bad

    @property
    def bad(self) -> float:
        """The value of a failed training."""
        return self.worst if math.isfinite(self.worst) else 0.0


def all_keys(keys: Sequence[Key], point: Params) -> Params:
    """The point with a value for the keys that do not apply, for packages without conditions."""
    random = np.random.default_rng(0)
    return {key.name: point.get(key.name, draw(random, key.distribution)) for key in keys}
