"""Searches of Optuna's, and Ray's use of them."""

import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import optuna
from ray.tune.schedulers import async_hyperband

from benchmarks.landscapes.landscape import Report
from benchmarks.searches.searched import Searched
from sweeps.search.space import Params, as_function

BRACKET: Any = vars(async_hyperband)["_Bracket"]  # the rungs and cutoffs of Ray's ASHA, without Ray


def tpe_hyperband(world: Searched) -> Iterator[Report]:
    asha = world.asha
    conditional = any(key.parent for key in world.keys)
    sampler = optuna.samplers.TPESampler(seed=world.seed, multivariate=True, group=conditional)
    pruner = optuna.pruners.HyperbandPruner(asha.grace_period, asha.max_epochs, asha.reduction_factor)

    def pruned(trial: optuna.Trial, epoch: int, value: float) -> bool:
        trial.report(value, epoch)
        return trial.should_prune()

    return optuna_search(world, sampler, pruned, pruner)


def optuna_gp(world: Searched) -> Iterator[Report]:
    rest = optuna.samplers.TPESampler(seed=world.seed)  # for conditional keys
    sampler = optuna.samplers.GPSampler(seed=world.seed, independent_sampler=rest, warn_independent_sampling=False)
    return optuna_search(world, sampler, never)


def never(trial: optuna.Trial, epoch: int, value: float) -> bool:
    """Stops no trial."""
    return False


def optuna_search(
    world: Searched, sampler: Any, stops: Callable[[optuna.Trial, int, float], bool], pruner: Any = None
) -> Iterator[Report]:
    """Optuna's loop. With a ``pruner``, a stopped trial is told as pruned; without one, its last value is told."""
    named = f"search {world.seed}"  # Hyperband's brackets are drawn from the name
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner, study_name=named)
    if world.default:
        study.enqueue_trial(dict(world.default))
    worst = math.inf
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
            bad = worst if math.isfinite(worst) else 0.0
            study.tell(trial, value if math.isfinite(value) else bad)


def tpe_full(world: Searched) -> Iterator[Report]:
    return optuna_search(world, optuna.samplers.TPESampler(seed=world.seed), never)


def ray_defaults(world: Searched) -> Iterator[Report]:
    return optuna_with(world, BRACKET(1, world.asha.max_epochs, 4, 0))


def ray_tuned(world: Searched) -> Iterator[Report]:
    asha = world.asha
    return optuna_with(world, BRACKET(asha.grace_period, asha.max_epochs, asha.reduction_factor, 0))


def optuna_with(world: Searched, bracket: Any) -> Iterator[Report]:
    """OptunaSearch as Ray has it: its TPE is told the last value of a trial, wherever that was stopped."""

    def stops(trial: optuna.Trial, epoch: int, value: float) -> bool:
        return bracket.on_result(identity_of(trial.number), epoch, value) == "STOP"

    return optuna_search(world, optuna.samplers.TPESampler(seed=world.seed), stops)


def identity_of(trial: int) -> Any:
    """As much of a trial of Ray's as its rungs look at."""
    return SimpleNamespace(trial_id=str(trial))
