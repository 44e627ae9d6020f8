"""Points of a search space as vectors, for a model: numbers as places from 0 to 1, choices as indices.

A place is a share of the range that the number has in the point's own branch, on its scale. A key that not every branch
has is one column all the same, with -1 where it does not apply. In most spaces the choices of a point decide its
branch, so what applies is kept by the choices.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from sweeps.search.space import Branch, Choice, Names, Point, Space, branches, contains, distributions, walk

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

NOT_THERE = -1.0
"""What a key has that does not apply."""
MIDDLE = 0.5
"""The place of a number that has one value only, and in a kernel also of one that does not apply."""
LOOKS = 100
"""How many random choices are looked at to see whether numbers decide a branch, too."""
MOST_KEPT = 20_000


def is_ordered(distribution: BaseDistribution) -> bool:
    """Whether it has three or more choices, all of them numbers, in rising or falling order."""
    if not isinstance(distribution, CategoricalDistribution):
        return False
    numbers = [one for one in distribution.choices if isinstance(one, int | float) and not isinstance(one, bool)]
    pairs = list(pairwise(numbers))
    ordered = all(one < two for one, two in pairs) or all(one > two for one, two in pairs)
    return len(numbers) == len(distribution.choices) > 2 and ordered


def place_of(value: Choice, distribution: BaseDistribution) -> float:
    """The index of a choice, or the place of a number in its range."""
    if isinstance(distribution, CategoricalDistribution):
        return float(distribution.choices.index(value))
    low, high = ends(distribution)
    return (scaled(cast(float, value), distribution) - low) / (high - low) if high > low else MIDDLE


def value_at(place: float, distribution: BaseDistribution) -> Choice:
    """The choice of an index, or the legal number that is nearest to a place."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(place)]
    start, end = ends(distribution)
    at = start + place * (end - start)
    value = math.exp(at) if cast(Any, distribution).log else at
    low, high, step = (getattr(cast(Any, distribution), name) for name in ("low", "high", "step"))
    if step:
        value = float(f"{low + step * round((value - low) / step):.12g}")  # 0.3, not 0.1 + 2 * 0.1
    value = min(max(value, low), high)
    return int(value) if isinstance(distribution, IntDistribution) else float(value)


def ends(distribution: BaseDistribution) -> tuple[float, float]:
    """The ends of a range on its scale; half a step further for numbers with steps, so that all have equal room."""
    low, high, step = (getattr(cast(Any, distribution), name) for name in ("low", "high", "step"))
    half = (step or 0.0) / 2
    return scaled(low - half, distribution), scaled(high + half, distribution)


def scaled(value: float, distribution: BaseDistribution) -> float:
    return math.log(value) if cast(Any, distribution).log else float(value)


class Encoding:
    """A space's points as vectors of one length."""

    def __init__(self, space: Space) -> None:
        self.space, self.branches = space, branches(space)
        self.names = Names(self.branches)
        found: dict[str, list[BaseDistribution]] = {}
        for branch in self.branches:
            for key, distribution in branch.items():
                found.setdefault(self.names.name(key, distribution), []).append(distribution)
        self.index = {name: number for number, name in enumerate(found)}
        """The column of each key."""
        first = [those[0] for those in found.values()]
        self.counts = np.array([len(one.choices) if isinstance(one, CategoricalDistribution) else 0 for one in first])
        """The number of choices; 0 for numbers."""
        self.is_choice = self.counts > 0
        self.is_ordered = np.array([is_ordered(one) for one in first])
        self.is_unordered = self.is_choice & ~self.is_ordered
        self.can_change = np.array([not all(one.single() for one in those) for those in found.values()])
        """Whether a key has more than one value."""
        self.kept: dict[tuple[float, ...], Mask] = {}
        """What applies, by the choices of a point."""
        self.is_flat = isinstance(space, Mapping)
        self.numbers_decide = not self.is_flat and self._numbers_decide()
        """Whether numbers decide the branch. Then each point is walked, which is slow."""

    def encode(self, params: Mapping[str, Choice]) -> Array | None:
        """A point as a vector, without keys of no known branch; None if it is not in the space."""
        branch = distributions(self.space, params)
        return None if branch is None else self._encoded(params, branch, NOT_THERE)

    def encode_keys(self, params: Mapping[str, Choice]) -> Array:
        """A point, or some keys of one, as a vector; NaN for all others.

        A number that several branches can have, in different ranges, has its place in the first of them.
        """
        branch = distributions(self.space, params)
        if branch is None:
            branch = Branch()
            for one in self.branches:
                legal = {key: one[key] for key in one.keys() & params.keys() if contains(one[key], params[key])}
                branch = legal | branch
        return self._encoded(params, branch, np.nan)

    def _encoded(self, params: Mapping[str, Choice], branch: Branch, otherwise: float) -> Array:
        vector = np.full(len(self.index), otherwise)
        for key, distribution in branch.items():
            name = self.names.name(key, distribution)
            if name in self.index:
                vector[self.index[name]] = place_of(params[key], distribution)
        return vector

    def decode(self, vector: Array, random: np.random.Generator) -> Point:
        """The point of the space that is at a vector; keys of no known branch are drawn."""
        branch: Branch = {}

        def answer(key: str, distribution: BaseDistribution) -> Choice:
            branch[key] = distribution
            column = self.index.get(self.names.name(key, distribution))
            if column is not None and vector[column] > NOT_THERE:
                return value_at(float(vector[column]), distribution)
            is_choice = isinstance(distribution, CategoricalDistribution)
            place = random.integers(len(distribution.choices)) if is_choice else random.random()
            return value_at(float(place), distribution)

        return Point(walk(self.space, answer), branch)

    def points(self, vectors: Array) -> Array:
        """Vectors for a kernel: choices that have an order as places too, and the middle for what does not apply."""
        places = np.where(self.is_ordered, vectors / np.maximum(self.counts - 1, 1), vectors)
        return np.where(self.is_unordered | (vectors > NOT_THERE), places, MIDDLE)

    def drawn(self, count: int, random: np.random.Generator) -> Array:
        """Random vectors (count, columns) of the space."""
        return self.fitted(self.places(count, random))

    def places(self, count: int, random: np.random.Generator) -> Array:
        """Random vectors (count, columns) in which all keys apply."""
        places = random.random((count, len(self.counts)))
        return np.where(self.is_choice, np.floor(places * self.counts), places)

    def fitted(self, vectors: Array) -> Array:
        """Vectors in which all keys apply, as those of points."""
        if self.is_flat:
            return vectors
        rows = vectors.tolist()
        applies = [self._walked(row, row) for row in rows] if self.numbers_decide else self._applies(rows)
        return np.where(applies, vectors, NOT_THERE)

    def _applies(self, rows: Sequence[Sequence[float]]) -> list[Mask]:
        choices = [column for column, is_choice in enumerate(self.is_choice.tolist()) if is_choice]
        found: list[Mask] = []
        for row in rows:
            asked = tuple(row[column] for column in choices)
            if asked not in self.kept:
                if len(self.kept) >= MOST_KEPT:
                    self.kept.clear()
                self.kept[asked] = self._walked(row)
            found.append(self.kept[asked])
        return found

    def _numbers_decide(self) -> bool:
        random = np.random.default_rng(0)
        for choices in self.places(LOOKS, random).tolist():
            one, other = (self._walked(choices, row) for row in self.places(2, random).tolist())
            if (one != other).any():
                return True
        return False

    def _walked(self, choices: Sequence[float], numbers: Sequence[float] = ()) -> Mask:
        """Which columns apply where these choices and numbers lead; without ``numbers``, those are in the middle."""
        applies = np.zeros(len(self.index), bool)

        def answer(key: str, distribution: BaseDistribution) -> Choice:
            column = self.index.get(self.names.name(key, distribution))
            if column is None:
                return value_at(0.0, distribution)
            applies[column] = True
            if self.is_choice[column]:
                return value_at(choices[column], distribution)
            return value_at(numbers[column] if numbers else MIDDLE, distribution)

        walk(self.space, answer)
        return applies


def squared_differences(one: Array, other: Array, is_unordered: Mask) -> Array:
    """(n, m, columns) of ``Encoding.points``: the squares of differences; 1 for choices without order that differ."""
    squares = (one[:, None, :] - other[None]) ** 2
    squares[..., is_unordered] = squares[..., is_unordered] > 0
    return squares
