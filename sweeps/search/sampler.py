"""Samplers propose the next configuration: the default, known points, and then those of a model, one in ten at random.

A proposal is a function of the search's seed, its own number and the trials before: nothing is kept between proposals,
so a search that was interrupted continues with the proposals that it would have made.

A sweep's spec chooses a model by a name in ``SAMPLERS``, or gives a function from a seed to an Optuna sampler. To add a
model, write a class like ``sweeps.search.gp_model.GPModel`` and give it a name there. A sampler that does not model
the trials is a class with ``propose``, such as ``analysis.retrain.race.Race``.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np
from optuna.distributions import BaseDistribution

from sweeps.search.encoding import Encoding
from sweeps.search.optuna_model import MakeSampler, OptunaModel, gaussian_process, tpe
from sweeps.search.space import Choice, Params, Point, Space, distributions
from sweeps.search.trial import Origin, Trial, TrialState

RANDOM_SHARE = 0.1
"""The share of random proposals after the first ones. They protect against a wrong model."""
REDRAWS = 200
"""How many random points are drawn to find one that was not tried."""


class Proposal(NamedTuple):
    """The parameters of a new trial."""

    params: Params
    origin: Origin
    branch: Mapping[str, BaseDistribution] = MappingProxyType({})
    """The distributions that the search space asked for on the way to it."""
    to_end: bool = False
    """Whether the trial is trained to the end, whatever its values are."""


class Sampler(Protocol):
    """Decides what is tried next."""

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        """Trial ``number`` after these; None: there is nothing more to try."""
        ...


class Model(Protocol):
    """Proposes points from what the trials have come to."""

    startup: int
    """Trials with a value before it is asked."""

    def propose(self, trials: Sequence[Trial], random: np.random.Generator) -> Point | None:
        """A point, which may have been tried; None: the trials say nothing. All chance comes from ``random``."""
        ...


def own_gaussian_process(encoding: Encoding) -> Model:
    """The project's own model."""
    from sweeps.search.gp_model import GPModel  # imports scipy, which listing specs need not wait for

    return GPModel(encoding)


SAMPLERS: dict[str, Callable[[Encoding], Model] | None] = {
    "gp": own_gaussian_process,
    "optuna_gp": lambda encoding: OptunaModel(encoding.space, gaussian_process),
    "tpe": lambda encoding: OptunaModel(encoding.space, tpe),
    "random": None,
}
"""The samplers that a spec can use, by name; None for random search."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a search knows before it begins, besides its space."""

    default: Params
    """Trial 0."""
    points: Sequence[Params] = ()
    """The trials after it."""
    trials: Sequence[Trial] = ()
    """Of another sweep with the same trainings, for the model."""
    default_to_end: bool = False
    """Whether the default is trained to the end, whatever its values are."""


class ModelSampler:
    """Proposes the default, the known points, and then points of a model; one in ten is random (``Sampler``)."""

    def __init__(self, space: Space, seed: int, known: Known | Params, sampler: str | MakeSampler = "gp") -> None:
        """``known`` may be the default alone. ``sampler``: a name, or a function from a seed to an Optuna sampler."""
        self.space, self.seed = space, seed
        self.known = known if isinstance(known, Known) else Known(default=known)
        self.encoding = Encoding(space)
        build = SAMPLERS[sampler] if isinstance(sampler, str) else lambda _: OptunaModel(space, sampler)
        self.model = build(self.encoding) if build else None
        once = {_key(point): point for point in (self.known.default, *self.known.points)}
        self.queue = [
            Proposal(point, Origin.GIVEN if number else Origin.DEFAULT, distributions(space, point) or {})
            for number, point in enumerate(once.values())
        ]
        self.queue[0] = self.queue[0]._replace(to_end=self.known.default_to_end)

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        """Trial ``number`` after these; None: the space has no point (or hardly one) that was not tried."""
        if number < len(self.queue):
            return self.queue[number]
        random = np.random.default_rng([self.seed, number])
        all_trials = [*self.known.trials, *trials]
        tried = {_key(trial.params) for trial in trials}
        enough = self.model is not None and sum(bool(trial.values) for trial in all_trials) >= self.model.startup
        if random.random() >= RANDOM_SHARE and enough and self.model:
            point = self.model.propose(all_trials, random)
            if point and _key(point.params) not in tried:
                return Proposal(point.params, Origin.MODEL, point.branch)
        for vector in self.encoding.drawn(REDRAWS, random):
            params, branch = self.encoding.decode(vector, random)
            if _key(params) not in tried:
                return Proposal(params, Origin.RANDOM, branch)
        return None

    def check_model(self) -> None:
        """Make one proposal of a user's own sampler, after a made-up trial. Whatever is wrong with it is raised."""
        if isinstance(self.model, OptunaModel):
            params = dict(self.queue[0].params)
            self.model.check(Trial("", params, state=TrialState.COMPLETE, values={1: 0.0}))


def _key(params: Mapping[str, Choice]) -> str:
    return json.dumps(params, sort_keys=True)
