"""NePS's PriorBand over Hyperband, whose prior is the default."""

# pyright: reportMissingImports=false

import random
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from optuna.distributions import CategoricalDistribution, IntDistribution

from benchmarks.landscapes.landscape import Key, Report
from benchmarks.searches.searched import Searched, Trainings
from sweeps.search.space import Params


def priorband(world: Searched) -> Iterator[Report]:
    import neps
    import torch

    random.seed(world.seed)
    np.random.seed(world.seed)  # the package draws from it
    torch.manual_seed(world.seed)
    assert world.default
    members = {key.name: of_neps(key, world.default) for key in world.keys}
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


def of_neps(key: Key, default: Params) -> Any:
    """A parameter; of a key that the default does not have, nothing is believed."""
    import neps

    distribution = key.distribution
    believed: dict[str, Any] = {}
    if key.name in default:
        value = default[key.name]
        is_choice = isinstance(distribution, CategoricalDistribution)
        believed = {"prior": distribution.choices.index(value) if is_choice else value, "prior_confidence": "medium"}
    if isinstance(distribution, CategoricalDistribution):
        return neps.Categorical(choices=list(distribution.choices), **believed)
    kind = neps.Integer if isinstance(distribution, IntDistribution) else neps.Float
    low, high, log = cast(Any, distribution).low, cast(Any, distribution).high, cast(Any, distribution).log
    return kind(lower=low, upper=high, log=log, **believed)
