"""Syne Tune's ASHA with conformal quantile regression."""

# pyright: reportMissingImports=false

import datetime
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from benchmarks.landscapes.landscape import Key, Report
from benchmarks.searches.searched import Searched, Trainings, all_keys
from sweeps.search.encoding import is_ordered


def syne_tune(world: Searched) -> Iterator[Report]:
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
        return (ordinal if is_ordered(distribution) else choice)(list(distribution.choices))
    if isinstance(distribution, IntDistribution):
        return (lograndint if distribution.log else randint)(distribution.low, distribution.high)
    assert isinstance(distribution, FloatDistribution)
    return (loguniform if distribution.log else uniform)(distribution.low, distribution.high)
