"""Proposals of Optuna's samplers, over the trials of all rungs.

Trials that stopped early cannot be compared with those that continued, and most stop early. So each trial enters with
its extrapolated final value (``sweeps.search.rung_values``). The sampler is made anew for every proposal, with a seed.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import cast

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from sweeps.search.rung_values import best_and_latest, expected
from sweeps.search.space import Branch, Choice, Names, Point, Space, branches, distributions, suggest_from, walk
from sweeps.search.trial import Trial, TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)

STARTUP = 2
"""Trials with a value before there is a model."""
MODELLED = 200
"""The maximum number of trials in a model: the best half and the latest half. It limits a proposal to about 1 s."""

MakeSampler = Callable[[int], BaseSampler]
"""Makes an Optuna sampler of a seed, for one proposal."""


def gaussian_process(seed: int) -> BaseSampler:
    """Optuna's Gaussian process. It uses TPE for the keys of a conditional space that not every trial has."""
    rest = tpe(seed)
    return GPSampler(seed=seed, n_startup_trials=0, independent_sampler=rest, warn_independent_sampling=False)


def tpe(seed: int) -> BaseSampler:
    """Optuna's tree-structured Parzen estimator."""
    return TPESampler(seed=seed, n_startup_trials=0)


class OptunaModel:
    """Asks an Optuna sampler (``sweeps.search.sampler.Model``)."""

    startup = STARTUP

    def __init__(self, space: Space, make: MakeSampler) -> None:
        self.space, self.make = space, make
        self.names = Names(branches(space))

    def propose(self, trials: Sequence[Trial], random: np.random.Generator) -> Point | None:
        modelled = self._modelled(trials)
        return self._ask(self.make(int(random.integers(2**31))), modelled) if modelled else None

    def check(self, default: Trial) -> None:
        """Make one proposal after a made-up trial. Whatever is wrong with the user's sampler is raised."""
        sampler = self.make(0)
        if not isinstance(cast(object, sampler), BaseSampler):
            raise TypeError(f"it returns {sampler!r} for a seed, and not an Optuna sampler")
        self._ask(sampler, self._modelled([default]))

    def _ask(self, sampler: BaseSampler, trials: Sequence[FrozenTrial]) -> Point:
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.add_trials(trials)
        trial = study.ask()
        branch: Branch = {}

        def suggest(key: str, distribution: BaseDistribution) -> Choice:
            branch[key] = distribution
            return suggest_from(trial, self.names.name(key, distribution), distribution)

        return Point(walk(self.space, suggest), branch)

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
    scored = [trial for trial in trials if trial.values and not trial.is_infeasible]
    with_value = list(zip(scored, expected(scored), strict=True))
    worst = min((value for _, value in with_value), default=0.0)
    failed = [(trial, worst) for trial in trials if trial.is_infeasible]
    return best_and_latest(with_value, MODELLED, itemgetter(1)) + failed[-MODELLED // 4 :]
