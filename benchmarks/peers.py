"""The strongest searches of other packages, each by its package's own ask and tell, epoch by epoch (``make peers``).

- smac: SMAC's random forest with Hyperband from 1/27 of the epochs. A configuration that gets more epochs continues;
- tpe_hyperband: Optuna's multivariate TPE with its Hyperband pruner (needs nothing further);
- optuna_gp: Optuna's Gaussian process, trained fully (needs nothing further);
- syne_tune: Syne Tune's ASHA with conformal quantile regression;
- priorband: NePS's PriorBand over Hyperband, which has the default as its prior; only where there is one.

Where there is a default, each trains it first, to its end. Packages without conditional keys (Syne Tune, NePS) always
propose all keys; those that do not apply are ignored. Numeric choices in order are told as ordered where a package
knows that (SMAC, Syne Tune). A training that fails is told as the worst value so far (to Optuna as 0, unless that is
better). Grace period and reduction factor are ours with Optuna's pruner and Syne Tune.
"""

# pyright: reportMissingImports=false

import datetime
import logging
import math
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice
from typing import Any, cast

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from benchmarks.landscapes.landscape import Key, Report, draw
from sweeps.search.encoding import Column
from sweeps.search.space import Choice, Params, as_function

SMAC_POINTS = 5
"""Random points before the forest; its first stage of 27 has more anyway."""
HYPERBAND_BUDGETS = 27
"""SMAC's largest budget by its smallest."""


class Trainings:
    """The trainings of a search by what its package calls them: one that is asked for again continues."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.begun: dict[Any, Iterator[Report]] = {}
        self.values: dict[Any, list[float]] = {}
        self.worst = math.inf

    def to(self, key: Any, point: Params, epochs: int) -> Generator[Report, None, float]:
        """Train up to an epoch; returns its value, or the worst of all so far if the training has failed."""
        if key not in self.begun:
            self.begun[key] = self.world.train(len(self.begun), point)
            self.values[key] = []
        values = self.values[key]
        for report in islice(self.begun[key], max(0, epochs - len(values))):
            yield report
            values.append(report.value)
            self.worst = min(self.worst, report.value) if math.isfinite(report.value) else self.worst
        value = values[min(epochs, len(values)) - 1]
        return value if math.isfinite(value) else self.bad

    @property
    def bad(self) -> float:
        """The value of a failed training."""
        return self.worst if math.isfinite(self.worst) else 0.0


def tpe_hyperband(world: Any) -> Iterator[Report]:
    asha = world.asha
    conditional = any(key.parent for key in world.keys)
    sampler = optuna.samplers.TPESampler(seed=world.seed, multivariate=True, group=conditional)
    pruner = optuna.pruners.HyperbandPruner(asha.grace_period, asha.max_epochs, asha.reduction_factor)

    def pruned(trial: optuna.Trial, epoch: int, value: float) -> bool:
        trial.report(value, epoch)
        return trial.should_prune()

    return optuna_search(world, sampler, pruned, pruner)


def optuna_gp(world: Any) -> Iterator[Report]:
    return optuna_search(world, optuna.samplers.GPSampler(seed=world.seed), never)


def never(trial: optuna.Trial, epoch: int, value: float) -> bool:
    """Stops no trial."""
    return False


def optuna_search(
    world: Any, sampler: Any, stops: Callable[[optuna.Trial, int, float], bool], pruner: Any = None
) -> Iterator[Report]:
    """Optuna's loop. With a ``pruner``, a stopped trial is told as pruned; without one, its last value is told."""
    named = f"search {world.seed}"  # Hyperband's brackets are drawn from the name
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner, study_name=named)
    if world.default:
        study.enqueue_trial(dict(world.default))
    worst = 0.0
    while True:
        trial = study.ask()
        as_function(world.space)(trial)
        value, stopped = math.nan, False
        for epoch, report in enumerate(world.train(trial.number, cast(Params, trial.params)), 1):
            yield report
            value = report.value
            if math.isnan(value):
                break
            worst = min(worst, value)
            if stopped := stops(trial, epoch, value):
                break
        if stopped and pruner:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, value if math.isfinite(value) else worst)


def smac(world: Any) -> Iterator[Report]:
    from ConfigSpace import ConfigurationSpace, InCondition
    from smac import MultiFidelityFacade, Scenario
    from smac.runhistory.dataclasses import TrialValue

    space: Any = ConfigurationSpace(seed=world.seed)
    keys: dict[str, Key] = {key.name: key for key in world.keys}
    made = {name: of_config_space(key, world.default) for name, key in keys.items()}
    space.add(list(made.values()))
    for name, key in keys.items():
        if key.parent:
            opened_by = [index_of(keys[key.parent], choice) for choice in key.opened_by]
            space.add(InCondition(made[name], made[key.parent], opened_by))
    epochs = world.asha.max_epochs
    budgets = {"min_budget": epochs / HYPERBAND_BUDGETS, "max_budget": epochs}
    trainings = Trainings(world)
    with tempfile.TemporaryDirectory() as folder:
        scenario: Any = Scenario(
            space, deterministic=True, n_trials=10**6, **budgets, seed=world.seed, output_directory=folder
        )  # type: ignore[arg-type]
        default = space.get_default_configuration()
        extra = {"additional_configs": [default]} if world.default else {}
        design = MultiFidelityFacade.get_initial_design(scenario, n_configs=SMAC_POINTS, **extra)
        facade = MultiFidelityFacade(
            scenario, nothing, overwrite=True, logging_level=False, initial_design=design
        )  # type: ignore[arg-type]
        if world.default:
            yield from trainings.to(default, world.default, epochs)
        while True:
            asked: Any = facade.ask()
            point = {name: of_index(keys[name], plain(value)) for name, value in dict(asked.config).items()}
            value = yield from trainings.to(asked.config, point, max(1, round(asked.budget)))
            facade.tell(asked, TrialValue(cost=-value), save=False)


def nothing(config: Any, seed: int = 0, budget: float = 0) -> float:
    """SMAC wants a function, and never calls it."""
    raise AssertionError


def of_config_space(key: Key, default: Params | None) -> Any:
    from ConfigSpace import Categorical, Float, Integer, OrdinalHyperparameter

    known = {"default": index_of(key, default[key.name])} if default and key.name in default else {}
    distribution = key.distribution
    if isinstance(distribution, CategoricalDistribution):
        indices = list(range(len(distribution.choices)))
        if Column.of(distribution).is_ordered:
            return OrdinalHyperparameter(key.name, indices, **({"default_value": known["default"]} if known else {}))
        return Categorical(key.name, indices, **known)  # type: ignore[arg-type]
    kind = Integer if isinstance(distribution, IntDistribution) else Float
    low, high, log = cast(Any, distribution).low, cast(Any, distribution).high, cast(Any, distribution).log
    return kind(key.name, (low, high), log=log, **known)


def index_of(key: Key, value: Choice) -> Choice:
    """The number of a choice, which may be something that ConfigSpace does not take, such as None."""
    distribution = key.distribution
    return distribution.choices.index(value) if isinstance(distribution, CategoricalDistribution) else value


def of_index(key: Key, value: Any) -> Choice:
    distribution = key.distribution
    return distribution.choices[value] if isinstance(distribution, CategoricalDistribution) else value


def syne_tune(world: Any) -> Iterator[Report]:
    from syne_tune.backend.trial_status import Trial
    from syne_tune.optimizer.scheduler import SchedulerDecision
    from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving

    np.random.seed(world.seed)  # the package draws from it
    asha, trainings = world.asha, Trainings(world)
    given = {"points_to_evaluate": [all_keys(world.keys, world.default)]} if world.default else {}
    scheduler: Any = AsynchronousSuccessiveHalving(
        {key.name: of_syne_tune(key) for key in world.keys},
        metric="value",
        do_minimize=False,
        searcher="cqr",
        searcher_kwargs=given,
        time_attr="epoch",
        max_t=asha.max_epochs,
        grace_period=asha.grace_period,
        reduction_factor=asha.reduction_factor,
        random_seed=world.seed,
    )
    number = 0
    while True:
        config = scheduler.suggest().config
        trial = Trial(number, config, datetime.datetime.now(datetime.UTC))
        scheduler.on_trial_add(trial)
        for epoch in range(1, asha.max_epochs + 1):
            value = yield from trainings.to(number, config, epoch)
            failed = math.isnan(trainings.values[number][-1])
            if epoch == asha.max_epochs:
                scheduler.on_trial_complete(trial, {"value": value, "epoch": epoch})
                break
            decision = scheduler.on_trial_result(trial, {"value": value, "epoch": epoch})
            if failed or decision != SchedulerDecision.CONTINUE:
                scheduler.on_trial_remove(trial)
                break
        number += 1


def of_syne_tune(key: Key) -> Any:
    from syne_tune.config_space import choice, lograndint, loguniform, ordinal, randint, uniform

    distribution = key.distribution
    if isinstance(distribution, CategoricalDistribution):
        return (ordinal if Column.of(distribution).is_ordered else choice)(list(distribution.choices))
    if isinstance(distribution, IntDistribution):
        return (lograndint if distribution.log else randint)(distribution.low, distribution.high)
    assert isinstance(distribution, FloatDistribution)
    return (loguniform if distribution.log else uniform)(distribution.low, distribution.high)


def priorband(world: Any) -> Iterator[Report]:
    import random

    import neps
    import torch

    random.seed(world.seed)
    np.random.seed(world.seed)  # the package draws from it
    torch.manual_seed(world.seed)
    prior = all_keys(world.keys, world.default)
    members = {key.name: of_neps(key, prior[key.name]) for key in world.keys}
    epochs = world.asha.max_epochs
    space = type("Space", (neps.PipelineSpace,), members | {"epochs": neps.IntegerFidelity(lower=1, upper=epochs)})()
    algorithm = neps.algorithms.priorband(space, base="hyperband", sample_prior_first="highest_fidelity")
    optimizer = neps.AskAndTell(optimizer=algorithm)
    trainings = Trainings(world)
    while True:
        trial = optimizer.ask()
        config = dict(trial.config)
        value = yield from trainings.to(trial.id.split("_")[0], config, int(config.pop("epochs")))
        optimizer.tell(trial, -value)


def of_neps(key: Key, prior: Any) -> Any:
    import neps

    distribution = key.distribution
    if isinstance(distribution, CategoricalDistribution):
        index = distribution.choices.index(prior)
        return neps.Categorical(choices=list(distribution.choices), prior=index, prior_confidence="medium")
    kind = neps.Integer if isinstance(distribution, IntDistribution) else neps.Float
    low, high, log = cast(Any, distribution).low, cast(Any, distribution).high, cast(Any, distribution).log
    return kind(lower=low, upper=high, log=log, prior=prior, prior_confidence="medium")


def all_keys(keys: Sequence[Key], point: Params) -> Params:
    """The point with a value for the keys that do not apply, for packages without conditions."""
    random = np.random.default_rng(0)
    return {key.name: point.get(key.name, draw(random, key.distribution)) for key in keys}


def plain(value: Any) -> Any:
    """A value of numpy's as Python's own."""
    return value.item() if hasattr(value, "item") else value


def quiet(search: Callable[[Any], Iterator[Report]]) -> Callable[[Any], Iterator[Report]]:
    """A search without what its package logs and warns of for every configuration, until it is closed."""

    def run(world: Any) -> Iterator[Report]:
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            with warnings.catch_warnings(action="ignore"):
                yield from search(world)
        finally:
            logging.disable(before)

    return run


METHODS: dict[str, Callable[[Any], Iterator[Report]]] = {
    "tpe_hyperband": quiet(tpe_hyperband),
    "optuna_gp": quiet(optuna_gp),
    "smac": quiet(smac),
    "syne_tune": quiet(syne_tune),
    "priorband": quiet(priorband),
}
PACKAGES = {"smac": "smac", "syne_tune": "syne_tune", "priorband": "neps"}
"""What each needs."""
ONLY_WITH_DEFAULT = ("priorband",)
