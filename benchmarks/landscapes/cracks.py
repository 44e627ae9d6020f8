"""Real crack trainings: the tables of ``benchmarks.crack_table``, the space of ``benchmarks/crack_spec.py``.

A point comes to the real curve of the table's nearest configuration (``benchmarks.landscapes.nearest``), trained with
one of its seeds; the truth is the mean over the seeds, so a part of a report's noise is in the truth, too. Of a table
that is not complete only the configurations with all seeds are used, as soon as they are half of it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from benchmarks.crack_spec import SPEC
from benchmarks.crack_table import TABLES, identity
from benchmarks.landscapes.landscape import Curves, Key
from benchmarks.landscapes.nearest import NearestRow
from src.errors import unknown
from src.lines import read_lines
from sweeps.default_point import default_point
from sweeps.search.space import Params, branches, keys

MOMENTUM = "training.optimizer.momentum"
"""The key that is there only with SGD."""


def crack_keys() -> tuple[Key, ...]:
    """The keys of the spec's space, in the order in which it asks for them."""
    found: dict[str, BaseDistribution] = max(branches(SPEC.space), key=len)
    assert found.keys() == keys(SPEC.space)
    return tuple(
        Key(name, one, "training.optimizer", ("sgd",)) if name == MOMENTUM else Key(name, one)
        for name, one in found.items()
    )


class Cracks:
    epochs, grace = SPEC.scheduler.max_epochs, SPEC.scheduler.rungs[0]

    def __init__(self, table: str, default: bool = False) -> None:
        self.keys = crack_keys()
        self.nearest, self.curves, first = table_of(table)
        self.name = f"cracks {table}, {len(self.curves)} of {sum(map(len, self.curves))}"  # a table grows
        self.default: Params | None = first if default else None

    def truths(self, points: Sequence[Params]) -> Curves:
        """IoU at the best threshold, in per cent; the mean over the seeds."""
        rows = self.nearest.rows(np.array([as_numbers(self.keys, point) for point in points]))
        return np.array([self.curves[row].mean(axis=0) for row in rows])

    def values(self, point: Params, random: np.random.Generator) -> Curves:
        (row,) = self.nearest.rows(np.array([as_numbers(self.keys, point)]))
        return random.choice(self.curves[row])


@cache
def table_of(table: str) -> tuple[NearestRow, list[Curves], Params]:
    """The forest, the curves (seeds, epochs) of each configuration, and the default."""
    names = sorted(path.stem for path in TABLES.glob("*.jsonl"))
    if table not in names:
        raise unknown("table of cracks", table, names)
    lines: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in read_lines(TABLES / f"{table}.jsonl"):
        lines[identity(line["params"])].append(line)
    seeds = max(len(those) for those in lines.values())
    whole = {name: those for name, those in lines.items() if len(those) == seeds}
    lines = whole if 2 * len(whole) > len(lines) else lines
    points = [those[0]["params"] for those in lines.values()]
    curves = [np.array([padded(line["values"]) for line in those]) * 100 for those in lines.values()]
    means = np.array([curve.mean(axis=0) for curve in curves])
    third = Cracks.epochs // 3
    rows = np.array([as_numbers(crack_keys(), point) for point in points])
    default = default_point(SPEC.space, SPEC.fixed)
    assert identity(default) in lines
    return NearestRow(rows, means, (third, 2 * third, Cracks.epochs)), curves, default


def padded(values: Sequence[float]) -> list[float]:
    """A value for each epoch; NaN after the last, where a training has failed."""
    return [*values, *[np.nan] * (Cracks.epochs - len(values))]


def as_numbers(space: Sequence[Key], point: Params) -> list[float]:
    """A point as numbers for a forest of trees: logarithms, numbers of choices, -1 where a key does not apply."""
    return [number(key.distribution, point[key.name]) if key.name in point else -1.0 for key in space]


def number(distribution: BaseDistribution, value: Any) -> float:
    if isinstance(distribution, CategoricalDistribution):
        return float(distribution.choices.index(value))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return float(np.log(value)) if distribution.log else float(value)
