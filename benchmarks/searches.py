"""Ways to search, ours and its peers, as generators of reports: one an epoch that was spent.

- ours: the rules of a sweep; grace period and factor are 3 by default;
- random: random points, trained fully;
- tpe: Optuna's TPE, trained fully;
- ray: Ray's defaults, OptunaSearch (which tells Optuna the last value of a stopped trial) and ASHA, grace 1, factor 4;
- ray_tuned: the same with ours's grace and factor.

Ray's cutoffs are taken by Ray's own code.
"""

from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from ray.tune.schedulers import async_hyperband

from sweeps.search.sampler import ModelSampler
from sweeps.search.scheduler import Decision
from sweeps.search.space import Choice, Params
from sweeps.search.state import SearchState
from sweeps.search.study import Study
from sweeps.spec import Asha, Budget

METRIC = "val/score"
BRACKET: Any = vars(async_hyperband)["_Bracket"]  # the rungs and cutoffs of Ray's ASHA, without Ray


class Report(NamedTuple):
    """One epoch that a search has spent."""

    trial: int
    value: float
    """As reported."""
    truth: float
    """Without noise."""


class Landscape(Protocol):
    """What is searched: a space, and what a point comes to."""

    space: Mapping[str, BaseDistribution]
    asha: Asha
    seed: int
    """Of the search."""
    first: Params
    """Where ours begins; the others have no such thing."""

    def train(self, trial: int, point: Params) -> Iterator[Report]:
        """A report an epoch, up to the last."""
        ...


Search = Callable[[Landscape], Iterator[Report]]


def ours(world: Landscape) -> Iterator[Report]:
    study = Study(
        SearchState(world.asha.build(), METRIC),
        ModelSampler(world.space, world.seed, world.first),
        Budget(trials=10**6),
    )
    trainings: dict[str, Iterator[Report]] = {}
    while row := study.next_trial():
        if row.name not in trainings:
            trainings[row.name] = world.train(row.number, row.params)
        decision = Decision.CONTINUE
        while decision is Decision.CONTINUE:
            report = next(trainings[row.name])
            yield report
            decision = study.report(row.name, row.epochs + 1, {METRIC: report.value})
        if row.state in ("complete", "failed"):
            del trainings[row.name]


def random_full(world: Landscape) -> Iterator[Report]:
    for trial, point in enumerate(random_points(world.space, world.seed)):
        yield from world.train(trial, point)


def tpe_full(world: Landscape) -> Iterator[Report]:
    return optuna_with(world, None)


def ray_defaults(world: Landscape) -> Iterator[Report]:
    return optuna_with(world, BRACKET(1, world.asha.max_epochs, 4, 0))


def ray_tuned(world: Landscape) -> Iterator[Report]:
    asha = world.asha
    return optuna_with(world, BRACKET(asha.grace_period, asha.max_epochs, asha.reduction_factor, 0))


def optuna_with(world: Landscape, bracket: Any) -> Iterator[Report]:
    """OptunaSearch as Ray has it: its TPE is told the last value of a trial, wherever that was stopped."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=world.seed))
    trial = 0
    while True:
        asked = study.ask(dict(world.space))
        value = -np.inf
        for epoch, report in enumerate(world.train(trial, cast(Params, asked.params)), 1):
            yield report
            value = report.value
            if bracket is not None and bracket.on_result(identity_of(trial), epoch, value) == "STOP":
                break
        study.tell(asked, value)
        trial += 1


def identity_of(trial: int) -> Any:
    """As much of a trial of Ray's as its rungs look at."""
    return SimpleNamespace(trial_id=str(trial))


METHODS: dict[str, Search] = {
    "ours": ours,
    "random": random_full,
    "tpe": tpe_full,
    "ray": ray_defaults,
    "ray_tuned": ray_tuned,
}


def random_points(space: Mapping[str, BaseDistribution], seed: int) -> Iterator[Params]:
    """Points drawn evenly from each parameter's range, or from its logarithm."""
    random = np.random.default_rng(seed)
    while True:
        yield {key: draw(random, distribution) for key, distribution in space.items()}


def draw(random: np.random.Generator, distribution: BaseDistribution) -> Choice:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[random.integers(len(distribution.choices))]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high = distribution.low, distribution.high
    if isinstance(distribution, IntDistribution) and not distribution.log:
        return int(random.integers(int(low), int(high) + 1))
    value = float(np.exp(random.uniform(np.log(low), np.log(high))) if distribution.log else random.uniform(low, high))
    return round(value) if isinstance(distribution, IntDistribution) else value
