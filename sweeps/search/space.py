"""Walks through a search space: its points, corners and branches.

Any space is a function that suggests on an Optuna trial; a mapping of distributions is turned into one. So one walk
serves flat and conditional spaces: run the function with a trial that answers by a rule.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from optuna import Trial
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,
    distribution_to_json,
)

from src.errors import UserError, unknown

Space = Mapping[str, BaseDistribution] | Callable[[Trial], None]
"""Override key to Optuna distribution, or a function that suggests on an Optuna trial (conditional spaces)."""

GRID_TOLERANCE = 1e-8
"""Tolerance in steps, so that 0.1 + 0.2 is on a grid of tenths."""

Choice = bool | int | float | str | None
Params = dict[str, Choice]
Branch = dict[str, BaseDistribution]
"""The distributions on one branch of a space, by key."""


class Point(NamedTuple):
    """A point of a space, and the branch on which it is."""

    params: Params
    branch: Branch


def as_function(space: Space) -> Callable[[Trial], None]:
    """The space as a function that suggests every key on an Optuna trial; it can be pickled, which Ray does to it."""
    return partial(suggest_all, space) if isinstance(space, Mapping) else space


def suggest_all(space: Mapping[str, BaseDistribution], trial: Trial) -> None:
    """Suggest every key of a mapping on a trial."""
    for key, distribution in space.items():
        suggest_from(trial, key, distribution)


def suggest_from(trial: Trial, key: str, distribution: BaseDistribution) -> Choice:
    """Suggest one key on a trial."""
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(key, distribution.choices)
    if isinstance(distribution, FloatDistribution):
        return trial.suggest_float(
            key, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(key, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
    raise UserError(f"{key}: a search space holds Float, Int or Categorical distributions, not {distribution!r}.")


class Walk:
    """Stands in for an Optuna trial: ``answer(key, distribution)`` decides, ``params`` collects what it decided."""

    def __init__(self, answer: Callable[[str, BaseDistribution], Choice]) -> None:
        self.answer = answer
        self.params: Params = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        return cast(float, self._suggest(name, FloatDistribution(low, high, log=log, step=step)))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        return cast(int, self._suggest(name, IntDistribution(low, high, log=log, step=step)))

    def suggest_categorical(self, name: str, choices: Sequence[Choice]) -> Choice:
        return self._suggest(name, CategoricalDistribution(choices))

    def _suggest(self, name: str, distribution: BaseDistribution) -> Choice:
        if name not in self.params:
            self.params[name] = of_its_type(distribution, self.answer(name, distribution))
        return self.params[name]


def walk(space: Space, answer: Callable[[str, BaseDistribution], Choice]) -> Params:
    """The point that the space reaches when ``answer`` decides. A range that cannot be is a ``UserError``."""
    trial = Walk(answer)
    try:
        as_function(space)(cast(Trial, cast(object, trial)))
    except (ValueError, TypeError) as error:
        raise UserError(f"The search space is invalid: {error}.") from error
    return trial.params


def complete_point(space: Space, point: Mapping[str, Any], default: Params) -> Params:
    """A point with the default's values where it says nothing; unknown keys and illegal values are a ``UserError``.

    A key that the default's path through a conditional space does not ask for must be in the point.
    """

    def answer(key: str, distribution: BaseDistribution) -> Choice:
        if key not in point and key not in default:
            raise UserError(f"The point {dict(point)} must give {key}: the default configuration has no value for it.")
        value = cast(Choice, point.get(key, default.get(key)))
        if not contains(distribution, value):
            raise UserError(f"The point {dict(point)} has {key}={value}; legal: {describe(distribution)}.")
        return value

    completed = walk(space, answer)
    for key in point:
        if key not in completed:
            raise unknown("key of a point", key, completed)
    return completed


def contains(distribution: BaseDistribution, value: Choice) -> bool:
    """Whether the distribution can draw the value."""
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    low, high, step = (getattr(cast(Any, distribution), name) for name in ("low", "high", "step"))
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        return False
    steps = (value - low) / step if step else 0.0
    return abs(steps - round(steps)) < GRID_TOLERANCE


def of_its_type(distribution: BaseDistribution, value: Choice) -> Choice:
    """A legal value as the distribution draws it: 1 of a range of floats is 1.0, so it is no other point."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[distribution.choices.index(value)] if value in distribution.choices else value
    kind = float if isinstance(distribution, FloatDistribution) else int
    return kind(value) if contains(distribution, value) else value  # type: ignore[arg-type]


def identity_of(params: Mapping[str, Choice]) -> str:
    """A text that is the same for the same point, whatever the order of its keys."""
    return json.dumps(params, sort_keys=True)


def distributions(space: Space, params: Mapping[str, Choice]) -> Branch | None:
    """The distributions on the branch of a point; None if the point is not in the space."""
    branch: Branch = {}
    outside: list[str] = []

    def answer(key: str, distribution: BaseDistribution) -> Choice:
        branch[key] = distribution
        if key not in params or not contains(distribution, params[key]):
            outside.append(key)
            return extremes(distribution)[0]
        return params[key]

    walk(space, answer)
    return None if outside or branch.keys() != params.keys() else branch


def corners(space: Space) -> Iterator[Params]:
    """Every combination of extremes (ends of ranges, choices), depth first; conditional keys where they apply."""
    path: list[int] = []  # which of its options each suggestion takes, in the order of asking
    while True:
        point, widths = _corner(space, path)
        yield point
        path += [0] * (len(widths) - len(path))
        while path and path[-1] + 1 == widths[len(path) - 1]:
            path.pop()
        if not path:
            return
        path[-1] += 1


def _corner(space: Space, path: Sequence[int]) -> tuple[Params, list[int]]:
    """The corner at the end of ``path`` (then first options), and how many options each suggestion had."""
    widths: list[int] = []

    def answer(_: str, distribution: BaseDistribution) -> Choice:
        options = extremes(distribution)
        taken = path[len(widths)] if len(widths) < len(path) else 0
        widths.append(len(options))
        return options[taken]

    return walk(space, answer), widths


def few_corners(space: Space) -> list[Params]:
    """The corners that a sweep checks before it starts: all low, all high, and each choice with all else low."""
    opened: dict[str, tuple[Params, Sequence[Choice]]] = {}  # key of a choice: the choices that lead to it, its options

    def visit(chosen: Params) -> Params:
        def answer(key: str, distribution: BaseDistribution) -> Choice:
            options = extremes(distribution)
            if isinstance(distribution, CategoricalDistribution):
                opened.setdefault(key, (chosen, options))
            return chosen.get(key, options[0])

        return walk(space, answer)

    found = [visit({}), walk(space, lambda _, distribution: extremes(distribution)[-1])]
    visited: set[str] = set()
    while pending := opened.keys() - visited:  # a choice may open keys that were not asked for before
        key = min(pending)
        visited.add(key)
        chosen, options = opened[key]
        found += [visit({**chosen, key: option}) for option in options]
    return [point for number, point in enumerate(found) if point not in found[:number]]


def keys(space: Space) -> set[str]:
    """Every key that a corner of ``few_corners`` has."""
    return set().union(*few_corners(space))


def branches(space: Space) -> list[Branch]:
    """The different branches of a space that its corners are on."""
    found = [distributions(space, point) or {} for point in few_corners(space)]
    return [branch for number, branch in enumerate(found) if branch not in found[:number]]


def as_json(branch: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    """Optuna's own JSON of each distribution."""
    return {key: json.loads(distribution_to_json(distribution)) for key, distribution in branch.items()}


class Names:
    """Optuna's names of keys. Under one name it takes one kind of distribution, one scale and the same choices.

    So a key whose branches differ in those has the name of the key for the first, and for each other one the name with
    what is searched behind it: ``training.loss (one of bce, dice)``.
    """

    def __init__(self, branches: Iterable[Branch]) -> None:
        self.first: Branch = {}
        for branch in branches:
            self.first = branch | self.first

    def name(self, key: str, distribution: BaseDistribution) -> str:
        try:
            check_distribution_compatibility(self.first.setdefault(key, distribution), distribution)
        except ValueError:
            return f"{key} ({describe(distribution)})"
        return key

    def named(self, branch: Mapping[str, BaseDistribution], values: Mapping[str, Any]) -> dict[str, Any]:
        """Values by key, of a branch, by Optuna's names."""
        return {self.name(key, branch[key]): value for key, value in values.items()}


def extremes(distribution: BaseDistribution) -> Sequence[Choice]:
    """All choices, or the two ends of a range (one, if they are the same)."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    low, high = cast(Any, distribution).low, cast(Any, distribution).high
    return [low] if low == high else [low, high]


def describe(distribution: BaseDistribution) -> str:
    """``1e-05 to 0.01 (log)`` or ``one of a, b``."""
    if isinstance(distribution, CategoricalDistribution):
        return f"one of {', '.join(str(choice) for choice in distribution.choices)}"
    numbers = cast(Any, distribution)
    step = f" in steps of {numbers.step}" if numbers.step not in (None, 1) else ""
    return f"{numbers.low} to {numbers.high}{step}{' (log)' if numbers.log else ''}"
