"""NePS's PriorBand over Hyperband, whose prior is the default."""

# pyright: reportMissingImports=false

import random
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from optuna.distributions import CategoricalDistribution, IntDistribution

from benchmarks.landscapes.landscape import Key, Report
from benchmarks.searches.searched import Searched, Trainings, all_keys


def priorband(world: Searched) -> Iterator[Report]:
    import neps
    import torch

    random.seed(world.seed)
    np.random.seed(world.seed)  # the package draws from it
    torch.manual_seed(world.seed)
    assert world.default
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
