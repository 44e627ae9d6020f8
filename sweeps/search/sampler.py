"""Samplers propose the next configuration. The default is Optuna's Gaussian process over the trials of all rungs.

Trials that stopped early cannot be compared with those that continued, and most stop early. So each trial enters the
model with its extrapolated final value: its last value, plus the mean gain from there on of the trials that continued
(``expected``).

A proposal is a function of the search's seed, its own number and the trials before: nothing is kept between proposals,
so a search that was interrupted continues with the proposals that it would have made.

To add a sampler, write a function from a seed to an Optuna sampler, and give it a name in ``SAMPLERS``. A sampler that
does not model the trials is a class with ``propose``, such as ``analysis.retrain.race.Race``.
"""

import heapq
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from statistics import fmean
from types import MappingProxyType
from typing import NamedTuple, Protocol, cast

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from sweeps.search.space import (
    Branch,
    Choice,
    Names,
    Params,
    Space,
    branches,
    distributions,
    suggest_from,
    walk,
)
from sweeps.search.trial import Origin, Trial, TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)

STARTUP = 2
"""Trials with a value before there is a model."""
RANDOM_SHARE = 0.1
"""The share of random proposals after that. They protect against a wrong model."""
MODELLED = 200
"""The maximum number of trials in a model: the best half and the latest half. It limits a proposal to about 1 s."""
REDRAWS = 50
"""How many random points are drawn to find one that was not tried."""


class Proposal(NamedTuple):
    """The parameters of a new trial."""

    params: Params
    origin: Origin
    branch: Mapping[str, BaseDistribution] = MappingProxyType({})
    """The distributions that the search space asked for on the way to it."""


class Sampler(Protocol):
    """Decides what is tried next."""

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        """Trial ``number`` after these; None: there is nothing more to try."""
        ...


Model = Callable[[int], BaseSampler]
"""Makes an Optuna sampler of a seed, for one proposal."""


def gaussian_process(seed: int) -> BaseSampler:
    """Optuna's Gaussian process. It uses TPE for the keys of a conditional space that not every trial has."""
    rest = tpe(seed)
    return GPSampler(seed=seed, n_startup_trials=0, independent_sampler=rest, warn_independent_sampling=False)


def tpe(seed: int) -> BaseSampler:
    """Optuna's tree-structured Parzen estimator."""
    return TPESampler(seed=seed, n_startup_trials=0)


SAMPLERS: dict[str, Model | None] = {"gp": gaussian_process, "tpe": tpe, "random": None}
"""The samplers that a spec can use, by name; None for random search."""


class ModelSampler:
    """Proposes the default, the known points, and then points of a model; one in ten is random (``Sampler``)."""

    def __init__(
        self,
        space: Space,
        seed: int,
        default_params: Params,
        known_points: Sequence[Params] = (),
        before: Sequence[Trial] = (),
        model: Model | None = gaussian_process,
    ) -> None:
        """The default is trial 0, the known points are next. ``before``: trials of another sweep, for the model."""
        self.space, self.seed, self.before, self.model = space, seed, list(before), model
        self.names = Names(branches(space))
        once = {_key(point): point for point in (default_params, *known_points)}
        self.queue = [
            Proposal(point, Origin.GIVEN if number else Origin.DEFAULT, distributions(space, point) or {})
            for number, point in enumerate(once.values())
        ]

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        """Trial ``number`` after these; None: the space has no point (or hardly one) that was not tried."""
        if number < len(self.queue):
            return self.queue[number]
        random = np.random.default_rng([self.seed, number])
        all_trials = [*self.before, *trials]
        tried = {_key(trial.params) for trial in trials}
        enough = self.model is not None and sum(bool(trial.values) for trial in all_trials) >= STARTUP
        if random.random() >= RANDOM_SHARE and enough and self.model and (modelled := self._modelled(all_trials)):
            params, branch = self._ask(self.model(_seed(random)), modelled)
            if _key(params) not in tried:
                return Proposal(params, Origin.MODEL, branch)
        for _ in range(REDRAWS):
            params, branch = self._ask(RandomSampler(seed=_seed(random)), [])
            if _key(params) not in tried:
                return Proposal(params, Origin.RANDOM, branch)
        return None

    def check_model(self) -> None:
        """Make one proposal of the model, after a made-up trial. Whatever is wrong with it is raised."""
        assert self.model
        sampler = self.model(0)
        if not isinstance(cast(object, sampler), BaseSampler):
            raise TypeError(f"it returns {sampler!r} for a seed, and not an Optuna sampler")
        default = Trial("", dict(self.queue[0].params), state=TrialState.COMPLETE, values={1: 0.0})
        self._ask(sampler, self._modelled([default]))

    def _ask(self, sampler: BaseSampler, trials: Sequence[FrozenTrial]) -> tuple[Params, Branch]:
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.add_trials(trials)
        trial = study.ask()
        branch: Branch = {}

        def suggest(key: str, distribution: BaseDistribution) -> Choice:
            branch[key] = distribution
            return suggest_from(trial, self.names.name(key, distribution), distribution)

        return walk(self.space, suggest), branch

    def _modelled(self, trials: Sequence[Trial]) -> list[FrozenTrial]:
        """The trials for the model, as Optuna's type; running trials have parameters but no value.

        Trials outside of a space that was changed later are left out. The result is empty if no value is left.
        """
        running = [(trial, None) for trial in trials if trial.state == TrialState.RUNNING and not trial.values]
        converted = [self._frozen(trial, value) for trial, value in [*observations(trials), *running]]
        inside = [trial for trial in converted if trial is not None]
        return inside if any(trial.value is not None for trial in inside) else []

    def _frozen(self, trial: Trial, value: float | None) -> FrozenTrial | None:
        branch = distributions(self.space, trial.params)
        if branch is None:
            return None
        state = OptunaState.RUNNING if value is None else OptunaState.COMPLETE
        params, named = self.names.named(branch, trial.params), self.names.named(branch, branch)
        return create_trial(params=params, distributions=named, value=value, state=state)


def observations(trials: Sequence[Trial]) -> list[tuple[Trial, float]]:
    """The trials for a model, at most about ``MODELLED``, with their extrapolated final values.

    Failed trials, out of memory for instance, get the worst value, so that the model avoids their region.
    """
    scored = [trial for trial in trials if trial.values and trial.state != TrialState.FAILED]
    with_value = list(zip(scored, expected(scored), strict=True))
    worst = min((value for _, value in with_value), default=0.0)
    failed = [(trial, worst) for trial in trials if trial.state == TrialState.FAILED]
    if len(with_value) > MODELLED:
        half = MODELLED // 2
        with_value = heapq.nlargest(half, with_value[:-half], key=itemgetter(1)) + with_value[-half:]
    return with_value + failed[-MODELLED // 4 :]


def expected(trials: Sequence[Trial]) -> list[float]:
    """The extrapolated final value of each trial: its last value, plus the mean gains of the trials that continued."""
    rungs = sorted({epoch for trial in trials for epoch in trial.values})
    gains = dict.fromkeys(rungs, 0.0)  # from a rung to the end
    for rung, following in reversed(list(pairwise(rungs))):
        both = [
            trial.values[following] - trial.values[rung] for trial in trials if {rung, following} <= trial.values.keys()
        ]
        gains[rung] = gains[following] + (fmean(both) if both else 0.0)
    return [trial.values[last] + gains[last] for trial in trials for last in [max(trial.values)]]


def _key(params: Mapping[str, Choice]) -> str:
    return json.dumps(params, sort_keys=True)


def _seed(random: np.random.Generator) -> int:
    return int(random.integers(2**31))
