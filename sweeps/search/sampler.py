"""Which configuration is tried next: by default a Gaussian process of Optuna over the trials of all rungs.

Trials that stopped early cannot be compared with those that continued, and most stop early. So each trial enters the
model with its extrapolated final value: its last value, plus the mean gain from there on of the trials that continued
(``expected``).

A proposal is a function of the search's seed, its own number and the trials before: nothing is kept between proposals,
so a search that was interrupted continues with the proposals that it would have made.

A new sampler is a function from a seed to an Optuna sampler, and a word for it in ``SAMPLERS``; one that proposes in
another way than by a model of the trials is a class with ``propose``, as ``analysis.retrain.race`` has it.
"""

import heapq
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from statistics import fmean
from types import MappingProxyType
from typing import NamedTuple, Protocol

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
"""Share of random proposals after that, so that a wrong model is found out."""
MODELLED = 200
"""Trials in a model at most: the best half and the latest half. So the cost of a proposal has a bound, about 1 s."""
REDRAWS = 50
"""Random points that are drawn to find one that was not tried."""


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
    """Optuna's Gaussian process; keys that not every trial has (conditional ones) are left to TPE."""
    rest = tpe(seed)
    return GPSampler(seed=seed, n_startup_trials=0, independent_sampler=rest, warn_independent_sampling=False)


def tpe(seed: int) -> BaseSampler:
    """Optuna's tree-structured Parzen estimator."""
    return TPESampler(seed=seed, n_startup_trials=0)


SAMPLERS: dict[str, Model | None] = {"gp": gaussian_process, "tpe": tpe, "random": None}
"""The words of a spec for its sampler; None: every point at random."""


class ModelSampler:
    """Proposes the default, the given points, and then points of a model, one in ten at random (``Sampler``)."""

    def __init__(
        self,
        space: Space,
        seed: int,
        first: Params,
        given: Sequence[Params] = (),
        before: Sequence[Trial] = (),
        model: Model | None = gaussian_process,
    ) -> None:
        """``first`` is trial 0, ``given`` points are the next; ``before``: trials of another sweep, for the model."""
        self.space, self.seed, self.before, self.model = space, seed, list(before), model
        self.names = Names(branches(space))
        once = {_key(point): point for point in (first, *given)}
        self.queue = [
            Proposal(point, Origin.GIVEN if number else Origin.DEFAULT, distributions(space, point) or {})
            for number, point in enumerate(once.values())
        ]

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        """Trial ``number`` after these; None: the space has no point (or hardly one) that was not tried."""
        if number < len(self.queue):
            return self.queue[number]
        random = np.random.default_rng([self.seed, number])
        known = [*self.before, *trials]
        tried = {_key(trial.params) for trial in trials}
        enough = self.model is not None and sum(bool(trial.values) for trial in known) >= STARTUP
        if random.random() >= RANDOM_SHARE and enough and self.model and (seen := self._modelled(known)):
            params, branch = self._ask(self.model(_seed(random)), seen)
            if _key(params) not in tried:
                return Proposal(params, Origin.MODEL, branch)
        for _ in range(REDRAWS):
            params, branch = self._ask(RandomSampler(seed=_seed(random)), [])
            if _key(params) not in tried:
                return Proposal(params, Origin.RANDOM, branch)
        return None

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
        """The trials as the model sees them: ended with a value, or running and known by their parameters only.

        Trials outside of a space that was changed since are left out; empty if no value is left.
        """
        running = [(trial, None) for trial in trials if trial.state == TrialState.RUNNING and not trial.values]
        seen = [self._frozen(trial, value) for trial, value in [*observations(trials), *running]]
        found = [one for one in seen if one is not None]
        return found if any(one.value is not None for one in found) else []

    def _frozen(self, trial: Trial, value: float | None) -> FrozenTrial | None:
        found = distributions(self.space, trial.params)
        if found is None:
            return None
        state = OptunaState.RUNNING if value is None else OptunaState.COMPLETE
        params, named = self.names.named(found, trial.params), self.names.named(found, found)
        return create_trial(params=params, distributions=named, value=value, state=state)


def observations(trials: Sequence[Trial]) -> list[tuple[Trial, float]]:
    """What a model is made of: trials and what they are expected to come to, ``MODELLED`` at most.

    Trials that failed, out of memory for instance, count as the worst, so that the model keeps away from them.
    """
    scored = [trial for trial in trials if trial.values and trial.state != TrialState.FAILED]
    seen = list(zip(scored, expected(scored), strict=True))
    worst = min((value for _, value in seen), default=0.0)
    failed = [(trial, worst) for trial in trials if trial.state == TrialState.FAILED]
    if len(seen) > MODELLED:
        half = MODELLED // 2
        seen = heapq.nlargest(half, seen[:-half], key=itemgetter(1)) + seen[-half:]
    return seen + failed[-MODELLED // 4 :]


def expected(trials: Sequence[Trial]) -> list[float]:
    """What each trial would come to: its last value, plus the mean gains from rung to rung of those that went on."""
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
