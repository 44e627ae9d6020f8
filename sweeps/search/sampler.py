"""Samplers propose the next configuration: the default, known points, and then those of a model, one in ten at random.

A proposal is a function of the search's seed, its own number and the trials before: nothing is kept between proposals,
so a search that was interrupted continues with the proposals that it would have made.

A sweep's spec chooses a model by a name in ``SAMPLERS``, or gives a function from a seed to an Optuna sampler. To add a
model, write a class like ``sweeps.search.gp_model.GPModel`` and give it a name there. A sampler that does not model
the trials is a class with ``propose``, such as ``analysis.retrain.race.Race``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np
from optuna.distributions import BaseDistribution

from sweeps.search.changes import changed
from sweeps.search.encoding import Array, Encoding, squared_differences
from sweeps.search.optuna_model import MakeSampler, OptunaModel, gaussian_process, tpe
from sweeps.search.space import Choice, Params, Point, Space, distributions, identity_of
from sweeps.search.trial import Origin, Trial, TrialState

RANDOM_SHARE = 0.1
"""The share of random proposals after the first ones. They protect against a wrong model."""
NEAR_SHARE, NEAR_CHANCE, NEAR_STEP = 0.5, 0.7, 0.2
"""The share of random points that are near one which is believed in; each key is changed with this chance, so far."""
SPREAD = 8
"""Before there is a model, the point of so many random ones that is farthest from all that were tried."""
OTHERS = 2
"""Before so many other trials have been where they were, nothing is said of suggested points."""
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
    """Trials with a value, besides given points, before it is asked."""

    def propose(self, trials: Sequence[Trial], random: np.random.Generator) -> Point | None:
        """A point, which may have been tried; None: the trials say nothing. All chance comes from ``random``."""
        ...


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a search knows before it begins, besides its space."""

    default: Params
    """Trial 0."""
    points: Sequence[Params] = ()
    """The trials after it."""
    suggested: Sequence[Params] = ()
    """The points of another sweep that are tried next, as long as they do well here. After each of them there is one
    from here: if they are bad, something else is there to pass the rungs."""
    trials: Sequence[Trial] = ()
    """Of another sweep with the same trainings, for the model."""
    elsewhere: Sequence[Trial] = ()
    """Of another sweep with other data or settings: the model finds out how alike they are."""
    default_to_end: bool = False
    """Whether the default is trained to the end, whatever its values are."""
    expected_near: Sequence[Mapping[str, Choice]] = ()
    """Points, or some of their keys, near which good points are expected at first (``sweeps.search.prior``)."""


BuildModel = Callable[[Encoding, Known], Model]


def own_gaussian_process(encoding: Encoding, known: Known) -> Model:
    """The project's own model, the only one that knows ``elsewhere`` and ``expected_near``."""
    from sweeps.search.gp_model import GPModel  # imports scipy, which listing specs need not wait for
    from sweeps.search.prior import Prior

    return GPModel(encoding, Prior(encoding, known.expected_near), known.elsewhere)


def of_optuna(make: MakeSampler) -> BuildModel:
    return lambda encoding, _: OptunaModel(encoding.space, make)


OWN_MODEL = "gp"
SAMPLERS: dict[str, BuildModel | None] = {
    OWN_MODEL: own_gaussian_process,
    "optuna_gp": of_optuna(gaussian_process),
    "tpe": of_optuna(tpe),
    "random": None,
}
"""The samplers that a spec can use, by name; None for random search."""


class ModelSampler:
    """Proposes the default, the known points, and then points of a model; one in ten is random (``Sampler``)."""

    def __init__(self, space: Space, seed: int, known: Known | Params, sampler: str | MakeSampler = OWN_MODEL) -> None:
        """``known`` may be the default alone. ``sampler``: a name, or a function from a seed to an Optuna sampler."""
        self.space, self.seed = space, seed
        self.known = known if isinstance(known, Known) else Known(default=known)
        self.encoding = Encoding(space)
        build = SAMPLERS[sampler] if isinstance(sampler, str) else of_optuna(sampler)
        self.model = build(self.encoding, self.known) if build else None
        near = [vector for point in self.known.expected_near if (vector := self.encoding.encode(point)) is not None]
        self.near = np.array(near) if near and self.model is not None else None
        """Whole points that are believed in, as vectors."""
        first = Proposal(self.known.default, Origin.DEFAULT, to_end=self.known.default_to_end)
        self.queue: list[Proposal | None] = [first._replace(branch=distributions(space, first.params) or {})]
        """The first proposals; None where there is none that was known before."""
        known_keys = {identity_of(first.params)}
        self.suggested = {identity_of(point) for point in self.known.suggested} - {
            identity_of(point) for point in self.known.points
        }
        for points, after in ((self.known.points, []), (self.known.suggested, [None])):
            for point in points:
                if identity_of(point) not in known_keys:
                    known_keys.add(identity_of(point))
                    self.queue += [Proposal(point, Origin.GIVEN, distributions(space, point) or {}), *after]

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        """Trial ``number`` after these; None: the space has no point (or hardly one) that was not tried."""
        all_trials = [*self.known.trials, *trials]
        known = self.queue[number] if number < len(self.queue) else None
        if known and not (identity_of(known.params) in self.suggested and self._are_misled(all_trials)):
            return known
        random = np.random.default_rng([self.seed, number])
        tried = {identity_of(trial.params) for trial in trials}
        # points that were given lie where others were good: they show a model too little of the space
        with_value = sum(bool(trial.values) and trial.origin != Origin.GIVEN for trial in all_trials)
        enough = self.model is not None and with_value >= self.model.startup
        if random.random() >= RANDOM_SHARE and enough and self.model:
            point = self.model.propose(all_trials, random)
            if point and identity_of(point.params) not in tried:
                return Proposal(point.params, Origin.MODEL, point.branch)
        drawn = self.encoding.drawn(REDRAWS, random)
        if self.near is not None and random.random() < NEAR_SHARE:
            center = self.near[random.integers(len(self.near))]
            drawn[0] = changed(self.encoding, center[None], NEAR_CHANCE, NEAR_STEP, random)[0]
        elif self.model is not None and not enough:
            drawn[:SPREAD] = self._farthest_first(drawn[:SPREAD], trials)
        for vector in drawn:
            params, branch = self.encoding.decode(vector, random)
            if identity_of(params) not in tried:
                return Proposal(params, Origin.RANDOM, branch)
        return None

    def _are_misled(self, trials: Sequence[Trial]) -> bool:
        """Whether all suggested points that were tried have failed, or were worse than half of the others.

        Values are compared at the first rung of the suggested ones, if at least ``OTHERS`` others have been there.
        """
        is_suggested = [identity_of(trial.params) in self.suggested for trial in trials]
        suggested = [trial for trial, one in zip(trials, is_suggested, strict=True) if one]
        tried = [trial.values for trial in suggested if trial.values]
        if not tried:
            return bool(suggested) and all(trial.is_infeasible for trial in suggested)
        rung = min(min(values) for values in tried)
        others = [trial.values for trial, one in zip(trials, is_suggested, strict=True) if not one]
        here = [values[rung] for values in others if rung in values]
        return len(here) >= OTHERS and max(values[rung] for values in tried if rung in values) < np.median(here)

    def _farthest_first(self, vectors: Array, trials: Sequence[Trial]) -> Array:
        """The vectors by falling distance to the nearest trial."""
        encoding = self.encoding
        known = [vector for trial in trials if (vector := encoding.encode(trial.params)) is not None]
        if not known:
            return vectors
        points, others = encoding.points(vectors), encoding.points(np.array(known))
        apart = squared_differences(points, others, encoding.is_unordered).sum(axis=-1).min(axis=1)
        return vectors[np.argsort(-apart, kind="stable")]

    def check_model(self) -> None:
        """Make one proposal of a user's own sampler, after a made-up trial. Whatever is wrong with it is raised."""
        if isinstance(self.model, OptunaModel):
            params = dict(self.known.default)
            self.model.check(Trial("", params, state=TrialState.COMPLETE, values={1: 0.0}))
