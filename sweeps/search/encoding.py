"""Points of a search space as vectors, for a model: numbers from 0 to 1 on their scale, choices as indices.

A key that not every branch has is one column all the same; where it does not apply it has the middle of its range, or
the index -1. In most spaces the choices of a point decide its branch: points with the same choices share a ``Shape``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from sweeps.search.space import Branch, Choice, Names, Point, Space, branches, distributions, walk

Array = npt.NDArray[np.float64]

NOT_THERE = -1.0
"""The index of a choice that does not apply."""
MIDDLE = 0.5
"""A number that does not apply."""
LOOKS = 100
"""How many random choices are looked at to see whether numbers decide a branch, too."""
MOST_SHAPES = 20_000


@dataclass
class Column:
    """One key as a column: all its choices, or the range of all its branches together, on its scale."""

    choices: Sequence[Choice] = ()
    log: bool = False
    low: float = math.inf
    high: float = -math.inf

    @classmethod
    def of(cls, distribution: BaseDistribution) -> "Column":
        """The column of one distribution alone."""
        column = cls()
        column.include(distribution)
        return column

    @property
    def is_ordered(self) -> bool:
        """Whether it has three or more choices, all of them numbers, in rising or falling order."""
        numbers = [one for one in self.choices if isinstance(one, int | float) and not isinstance(one, bool)]
        pairs = list(pairwise(numbers))
        ordered = all(one < two for one, two in pairs) or all(one > two for one, two in pairs)
        return len(numbers) == len(self.choices) > 2 and ordered

    def drawn(self, random: np.random.Generator) -> float:
        return float(random.integers(len(self.choices))) if self.choices else float(random.random())

    def include(self, distribution: BaseDistribution) -> None:
        if isinstance(distribution, CategoricalDistribution):
            self.choices = distribution.choices
            return
        self.log = cast(Any, distribution).log
        low, high = self.ends(distribution)
        self.low, self.high = min(self.low, low), max(self.high, high)

    def ends(self, distribution: BaseDistribution) -> tuple[float, float]:
        """The ends of a range on its scale; half a step further for numbers with steps, so that all have equal room."""
        low, high, step = (getattr(cast(Any, distribution), name) for name in ("low", "high", "step"))
        half = (step or 0.0) / 2
        return self.scaled(low - half), self.scaled(high + half)

    def scaled(self, value: float) -> float:
        return math.log(value) if self.log else float(value)

    def share(self, distribution: BaseDistribution) -> tuple[float, float]:
        """The range of a distribution as places in the column."""
        low, high = self.ends(distribution)
        width = self.high - self.low
        return ((low - self.low) / width, (high - self.low) / width) if width else (MIDDLE, MIDDLE)

    def takes(self, value: Choice) -> bool:
        """Whether any branch can have the value."""
        if self.choices:
            return value in self.choices
        if not isinstance(value, int | float) or isinstance(value, bool) or (self.log and value <= 0):
            return False
        return self.low <= self.scaled(value) <= self.high

    def encode(self, value: Choice) -> float:
        if self.choices:
            return float(self.choices.index(value))
        return (self.scaled(cast(float, value)) - self.low) / (self.high - self.low) if self.high > self.low else MIDDLE

    def decode(self, place: float, distribution: BaseDistribution) -> Choice:
        """The legal value of a distribution that is nearest to a place in the column."""
        if self.choices:
            return self.choices[max(int(place), 0)]
        scaled = self.low + place * (self.high - self.low)
        value = math.exp(scaled) if self.log else scaled
        low, high, step = (getattr(cast(Any, distribution), name) for name in ("low", "high", "step"))
        if step:
            value = float(f"{low + step * round((value - low) / step):.12g}")  # 0.3, not 0.1 + 2 * 0.1
        value = min(max(value, low), high)
        return int(value) if isinstance(distribution, IntDistribution) else float(value)


class Shape(NamedTuple):
    """What holds for a point in its branch, by column."""

    applies: npt.NDArray[np.bool_]
    choices: Array
    """Indices of the choices that apply; -1 elsewhere."""
    low: Array
    high: Array
    """The range of each number in this branch."""


class Encoding:
    """A space's points as vectors of one length."""

    def __init__(self, space: Space) -> None:
        self.space = space
        found = branches(space)
        self.names = Names(found)
        columns: dict[str, Column] = {}
        self.keys: dict[str, str] = {}
        """The key of each column."""
        for branch in found:
            for key, distribution in branch.items():
                name = self.names.name(key, distribution)
                columns.setdefault(name, Column()).include(distribution)
                self.keys[name] = key
        self.columns = columns
        self.index = {name: number for number, name in enumerate(columns)}
        self.is_choice = np.array([bool(column.choices) for column in columns.values()])
        self.is_ordered = np.array([column.is_ordered for column in columns.values()])
        self.is_unordered = self.is_choice & ~self.is_ordered
        self.counts = np.array([len(column.choices) for column in columns.values()])
        self.shapes: dict[tuple[float, ...], Shape] = {}
        self.is_flat = isinstance(space, Mapping)
        self.numbers_decide = not self.is_flat and self._numbers_decide()
        """Whether numbers decide the branch, or another number's range. Then each point is walked, which is slow."""

    def encode(self, params: Mapping[str, Choice]) -> Array | None:
        """A point as a vector, without keys of no known branch; None if it is not in the space."""
        branch = distributions(self.space, params)
        if branch is None:
            return None
        vector = np.where(self.is_choice, NOT_THERE, MIDDLE)
        for key, distribution in branch.items():
            name = self.names.name(key, distribution)
            if name in self.index:
                vector[self.index[name]] = self.columns[name].encode(params[key])
        return vector

    def encode_keys(self, params: Mapping[str, Choice]) -> Array:
        """Some keys of a point as a vector; NaN for all others."""
        vector = np.full(len(self.counts), np.nan)
        for name, place in self.index.items():
            key = self.keys[name]
            if key in params and self.columns[name].takes(params[key]):
                vector[place] = self.columns[name].encode(params[key])
        return vector

    def decode(self, vector: Array, random: np.random.Generator) -> Point:
        """The point of the space that is at a vector; keys of no known branch are drawn."""
        branch: Branch = {}

        def answer(key: str, distribution: BaseDistribution) -> Choice:
            branch[key] = distribution
            name = self.names.name(key, distribution)
            if name in self.index and vector[self.index[name]] > NOT_THERE:
                return self.columns[name].decode(float(vector[self.index[name]]), distribution)
            column = Column.of(distribution)
            return column.decode(column.drawn(random), distribution)

        return Point(walk(self.space, answer), branch)

    def points(self, vectors: Array) -> Array:
        """Vectors for a kernel: the indices of choices that have an order as places from 0 to 1, too."""
        return np.where(self.is_ordered, vectors / np.maximum(self.counts - 1, 1), vectors)

    def drawn(self, count: int, random: np.random.Generator) -> Array:
        """Random vectors (count, columns) of the space."""
        vectors = random.random((count, len(self.counts)))
        choices = np.floor(vectors * self.counts)
        return self.fitted(np.where(self.is_choice, choices, vectors), stretch=True)

    def fitted(self, vectors: Array, stretch: bool = False) -> Array:
        """Vectors as those of points: what does not apply is marked, numbers are within the range of their branch.

        ``stretch``: numbers from 0 to 1 are spread over the range; otherwise they are brought to its nearest end.
        """
        asked = np.where(self.is_choice, np.maximum(vectors, 0.0), 0.0)
        if self.is_flat:
            applies, _, low, high = self._shape(())
            choices = asked
        else:
            if self.numbers_decide:
                shapes = [self._walked(*row, stretch) for row in zip(asked.tolist(), vectors.tolist(), strict=True)]
            else:
                shapes = [self._shape(tuple(row)) for row in asked.tolist()]
            applies, choices, low, high = (np.array(part) for part in zip(*shapes, strict=True))
        numbers = low + vectors * (high - low) if stretch else np.clip(vectors, low, high)
        return np.where(self.is_choice, choices, np.where(applies, numbers, MIDDLE))

    def _shape(self, asked: tuple[float, ...]) -> Shape:
        if asked not in self.shapes:
            if len(self.shapes) >= MOST_SHAPES:
                self.shapes.clear()
            self.shapes[asked] = self._walked(asked or (0.0,) * len(self.columns))
        return self.shapes[asked]

    def _numbers_decide(self) -> bool:
        random = np.random.default_rng(0)
        for _ in range(LOOKS):
            choices = np.floor(random.random(len(self.counts)) * self.counts).tolist()
            one, other = (self._walked(choices, random.random(len(self.counts)).tolist(), True) for _ in range(2))
            if any((was != now).any() for was, now in zip(one, other, strict=True)):
                return True
        return False

    def _walked(self, asked: Sequence[float], places: Sequence[float] = (), stretch: bool = False) -> Shape:
        """The branch to which these choices and the places of numbers lead; without places, those are in the middle."""
        width = len(self.columns)
        shape = Shape(np.zeros(width, np.bool_), np.full(width, NOT_THERE), np.zeros(width), np.ones(width))

        def answer(key: str, distribution: BaseDistribution) -> Choice:
            name = self.names.name(key, distribution)
            if name not in self.index:
                return Column.of(distribution).decode(0.0, distribution)
            place, column = self.index[name], self.columns[name]
            shape.applies[place] = True
            if column.choices:
                shape.choices[place] = asked[place]
                return column.choices[int(asked[place])]
            shape.low[place], shape.high[place] = low, high = column.share(distribution)
            number = places[place] if places else MIDDLE
            at = low + number * (high - low) if stretch else min(max(number, low), high)
            return column.decode(at, distribution)

        walk(self.space, answer)
        return shape


def squared_differences(one: Array, other: Array, is_unordered: npt.NDArray[np.bool_]) -> Array:
    """(n, m, columns) of ``Encoding.points``: the squares of differences; 1 for choices without order that differ."""
    squares = (one[:, None, :] - other[None]) ** 2
    squares[..., is_unordered] = squares[..., is_unordered] > 0
    return squares
