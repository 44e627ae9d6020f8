"""Which configuration is tried next: a Gaussian process over the trials of all rungs, by Optuna.

Trials that stopped early cannot be compared with those that went on, and most stop early. So each trial is modelled by
what it would have come to: its last value, and the mean gain from there on of the trials that went on (``expected``).

A proposal is a function of the search's seed, its own number and the trials before: nothing is kept between proposals,
so a search that was interrupted goes on with the proposals that it would have made.
"""

import heapq
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from statistics import fmean
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeps.leaderboard import TrialRow
from sweeps.space import Branch, Choice, Names, Params, branches, distributions, suggest_from, walk
from sweeps.spec import Space

optuna.logging.set_verbosity(optuna.logging.ERROR)

STARTUP = 2
"""Trials that must have told something before there is a model."""
RANDOM_SHARE = 0.1
"""Of the proposals after that, so that a wrong model is found out."""
MODELLED = 200
"""Trials in a model at most: the best half and the latest half. So the cost of a proposal has a bound, about 1 s."""
REDRAWS = 50


class Proposal(NamedTuple):
    params: Params
    origin: str
    """default, given, random or model; seed: the same again with another seed."""
    branch: Mapping[str, BaseDistribution] = MappingProxyType({})
    """What was searched on the way to it."""


class Proposer(Protocol):
    """Who says what is tried next."""

    def propose(self, number: int, rows: Sequence[TrialRow]) -> Proposal | None:
        """Trial ``number`` after these; None: there is nothing more to try."""
        ...


class Sampler:
    """Proposes points of a space."""

    def __init__(
        self,
        space: Space,
        seed: int,
        first: Params,
        given: Sequence[Params] = (),
        before: Sequence[TrialRow] = (),
    ) -> None:
        """``first`` is trial 0, ``given`` points are the next; ``before``: trials of another sweep, for the model."""
        self.space, self.seed, self.before = space, seed, list(before)
        self.names = Names(branches(space))
        once = {_key(point): point for point in (first, *given)}
        self.queue = [
            Proposal(point, "given" if number else "default", distributions(space, point) or {})
            for number, point in enumerate(once.values())
        ]

    def propose(self, number: int, rows: Sequence[TrialRow]) -> Proposal | None:
        """Trial ``number`` after these; None: the space has no point (or hardly one) that was not tried."""
        if number < len(self.queue):
            return self.queue[number]
        random = np.random.default_rng([self.seed, number])
        known = [*self.before, *rows]
        tried = {_key(row.params) for row in rows}
        enough = sum(bool(row.values) for row in known) >= STARTUP
        if random.random() >= RANDOM_SHARE and enough and (trials := self._modelled(known)):
            params, branch = self._ask(_model(_seed(random)), trials)
            if _key(params) not in tried:
                return Proposal(params, "model", branch)
        for _ in range(REDRAWS):
            params, branch = self._ask(RandomSampler(seed=_seed(random)), [])
            if _key(params) not in tried:
                return Proposal(params, "random", branch)
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

    def _modelled(self, rows: Sequence[TrialRow]) -> list[FrozenTrial]:
        """The trials as the model sees them: ended with a value, or running and known by their place only.

        Those of a space that was changed since, and has their points no more, are left out; empty if no value is left.
        """
        running = [(row, None) for row in rows if row.state == "running" and not row.values]
        seen = [self._frozen(row, value) for row, value in [*observations(rows), *running]]
        found = [trial for trial in seen if trial is not None]
        return found if any(trial.value is not None for trial in found) else []

    def _frozen(self, row: TrialRow, value: float | None) -> FrozenTrial | None:
        found = distributions(self.space, row.params)
        if found is None:
            return None
        state = TrialState.RUNNING if value is None else TrialState.COMPLETE
        params, named = self.names.named(found, row.params), self.names.named(found, found)
        return create_trial(params=params, distributions=named, value=value, state=state)


def _model(seed: int) -> BaseSampler:
    """A Gaussian process; keys that not every trial has (conditional ones) are left to TPE."""
    rest = TPESampler(seed=seed, n_startup_trials=0)
    return GPSampler(seed=seed, n_startup_trials=0, independent_sampler=rest, warn_independent_sampling=False)


def observations(rows: Sequence[TrialRow]) -> list[tuple[TrialRow, float]]:
    """What a model is made of: trials and what they are expected to come to, ``MODELLED`` at most.

    Trials that failed, out of memory for instance, count as the worst, so that the model keeps away from them.
    """
    told = [row for row in rows if row.values and row.state != "failed"]
    seen = list(zip(told, expected(told), strict=True))
    worst = min((value for _, value in seen), default=0.0)
    failed = [(row, worst) for row in rows if row.state == "failed"]
    if len(seen) > MODELLED:
        half = MODELLED // 2
        seen = heapq.nlargest(half, seen[:-half], key=itemgetter(1)) + seen[-half:]
    return seen + failed[-MODELLED // 4 :]


def expected(rows: Sequence[TrialRow]) -> list[float]:
    """What each trial would come to: its last value, plus the mean gains from rung to rung of those that went on."""
    rungs = sorted({epoch for row in rows for epoch in row.values})
    gains = dict.fromkeys(rungs, 0.0)  # from a rung to the end
    for rung, following in reversed(list(pairwise(rungs))):
        both = [row.values[following] - row.values[rung] for row in rows if {rung, following} <= row.values.keys()]
        gains[rung] = gains[following] + (fmean(both) if both else 0.0)
    return [row.values[last] + gains[last] for row in rows for last in [max(row.values)]]


def _key(params: Mapping[str, Choice]) -> str:
    return json.dumps(params, sort_keys=True)


def _seed(random: np.random.Generator) -> int:
    return int(random.integers(2**31))
