"""A landscape is a space with a learning curve for each point; a world is one as a search sees it."""

import json
import math
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from optuna import Trial
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sweeps.search.space import Choice, Params, Space, suggest_from, walk
from sweeps.spec import Asha

REFERENCES = Path(__file__).parents[2] / "outputs" / "benchmarks" / "references"
"""Where references are kept, because some take a minute."""
SHARED = Path(__file__).parents[3] / "shared" / "data"
REFERENCE_POINTS = 1500

Curves = npt.NDArray[np.float64]


class Key(NamedTuple):
    """One key of a space."""

    name: str
    distribution: BaseDistribution
    parent: str = ""
    """A key before it, with a few choices; this one is there only where that has one of ``opened_by``."""
    opened_by: tuple[Choice, ...] = ()

    def applies(self, point: Mapping[str, Choice]) -> bool:
        return not self.parent or (self.parent in point and point[self.parent] in self.opened_by)


class Landscape(Protocol):
    """A space, and what a training of each of its points comes to."""

    name: str
    keys: tuple[Key, ...]
    epochs: int
    grace: int
    """Epochs before the first rung."""
    default: Params | None
    """Where a sensible person would begin; None: nobody knows."""

    def truths(self, points: Sequence[Params]) -> Curves:
        """The score (points, epochs) without noise, the higher the better; NaN where a training has failed."""
        ...

    def values(self, point: Params, random: np.random.Generator) -> Curves:
        """The score (epochs,) as one training reports it."""
        ...


class Report(NamedTuple):
    """One epoch that a search has spent."""

    trial: int
    value: float
    """As reported; NaN: the training has failed."""
    truth: float
    """Without noise; 0 where it has failed."""


class Reference(NamedTuple):
    """Regret is 0 at ``best`` and 1 at ``median``."""

    median: float
    best: float


class World:
    """A landscape as one search sees it: the same trial of the same search always has the same curve."""

    def __init__(self, landscape: Landscape, seed: int) -> None:
        self.landscape, self.keys = landscape, landscape.keys
        self.seed = zlib.crc32(f"{landscape.name} {seed}".encode())
        """Of the search: another one for each landscape, or the first points of all searches would be the same."""
        self.space = space_of(landscape.keys)
        self.asha = Asha(grace_period=landscape.grace, reduction_factor=3, max_epochs=landscape.epochs)
        self.default = landscape.default
        self.first = landscape.default or next(random_points(self.space, [self.seed, 77]))
        """The default, or a random point."""
        self.points: dict[int, Params] = {}
        """What was tried, by trial."""
        self.seconds = 0.0
        """Of CPU, spent in looking up curves."""

    def train(self, trial: int, point: Params) -> Iterator[Report]:
        """A report an epoch, up to the last, or to the one in which it fails."""
        point = restricted(self.keys, point)
        self.points[trial] = point
        began = time.process_time()
        values = self.landscape.values(point, np.random.default_rng([self.seed, 5, trial]))
        truths = self.landscape.truths([point])[0]
        self.seconds += time.process_time() - began
        for value, truth in zip(values.tolist(), np.nan_to_num(truths).tolist(), strict=True):
            yield Report(trial, value, truth)
            if math.isnan(value):
                return


def space_of(keys: Sequence[Key]) -> Space:
    """The keys as a sweep's search space: a mapping, or a function if some of them are conditional."""
    if not any(key.parent for key in keys):
        return {key.name: key.distribution for key in keys}

    def space(trial: Trial) -> None:
        point: Params = {}
        for key in keys:
            if key.applies(point):
                point[key.name] = suggest_from(trial, key.name, key.distribution)

    return space


def restricted(keys: Sequence[Key], point: Mapping[str, Choice]) -> Params:
    """The point without the keys that do not apply."""
    found: Params = {}
    for key in keys:
        if key.applies(found):
            found[key.name] = point[key.name]
    return found


def random_points(space: Space, seed: int | Sequence[int]) -> Iterator[Params]:
    """Points drawn evenly from each parameter's range, or from its logarithm."""
    random = np.random.default_rng(seed)
    while True:
        yield walk(space, lambda _, distribution: draw(random, distribution))


def draw(random: np.random.Generator, distribution: BaseDistribution) -> Choice:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[random.integers(len(distribution.choices))]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high = distribution.low, distribution.high
    if isinstance(distribution, IntDistribution) and not distribution.log:
        return int(random.integers(int(low), int(high) + 1))
    value = float(np.exp(random.uniform(np.log(low), np.log(high))) if distribution.log else random.uniform(low, high))
    return int(min(max(round(value), low), high)) if isinstance(distribution, IntDistribution) else value


@cache
def reference(landscape: Landscape) -> Reference:
    """Median and best of random points that are trained fully, without noise."""
    kept = REFERENCES / f"{landscape.name.replace(' ', '-')}.json"
    if kept.exists():
        return Reference(**json.loads(kept.read_text()))
    points = random_points(space_of(landscape.keys), 123)
    batches = [list(islice(points, 100)) for _ in range(REFERENCE_POINTS // 100)]
    best = np.concatenate([np.nan_to_num(landscape.truths(batch)).max(axis=1) for batch in batches])
    found = Reference(float(np.median(best)), float(best.max()))
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found._asdict()))
    return found


def with_noise(truths: Curves, standard_deviation: float, random: np.random.Generator) -> Curves:
    """Reports with Gaussian noise of their own."""
    return truths + standard_deviation * random.normal(size=truths.shape) if standard_deviation else truths
