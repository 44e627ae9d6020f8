"""Ways to search, ours and its peers, as generators of reports: one an epoch that was spent.

- ours: the rules of a sweep;
- random: the first point, then random ones, trained fully;
- tpe: Optuna's TPE, trained fully;
- ray: Ray's defaults, OptunaSearch (which tells Optuna the last value of a stopped trial) and ASHA, grace 1, factor 4;
- ray_tuned: the same with ours's grace and factor;
- those of ``benchmarks.peers``, which need ``make peers``.

Ray's cutoffs are taken by Ray's own code. Where there is a default, every package that takes a first point has it.
"""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Protocol

import optuna
from ray.tune.schedulers import async_hyperband

from benchmarks import peers
from benchmarks.landscapes.landscape import Key, Report, random_points
from sweeps.search.sampler import Known, ModelSampler
from sweeps.search.scheduler import Decision
from sweeps.search.space import Params, Space
from sweeps.search.state import SearchState
from sweeps.search.study import Study
from sweeps.spec import Asha, Budget

METRIC = "val/score"
BRACKET: Any = vars(async_hyperband)["_Bracket"]  # the rungs and cutoffs of Ray's ASHA, without Ray


class Searched(Protocol):
    """What is searched: a space, and what a point comes to (``benchmarks.landscapes.landscape.World`` is one)."""

    keys: tuple[Key, ...]
    space: Space
    asha: Asha
    seed: int
    """Of the search."""
    first: Params
    default: Params | None
    """The first point, if it is one that a sensible person would begin with."""

    def train(self, trial: int, point: Params) -> Iterator[Report]:
        """A report an epoch, up to the last, or to one that is NaN: it has failed."""
        ...


Search = Callable[[Any], Iterator[Report]]


def known_of(world: Searched) -> Known:
    """As in a sweep; a first point that is no default is not trained to its end, and nothing is expected near it."""
    is_default = world.default is not None
    near = (world.first,) if is_default else ()
    return Known(default=world.first, default_to_end=is_default, expected_near=near)


def our_study(world: Searched, known: Known | None = None, trials: int = 10**6) -> Study:
    sampler = ModelSampler(world.space, world.seed, known or known_of(world))
    return Study(SearchState(world.asha.build(), METRIC), sampler, Budget(trials=trials))


def ours(world: Searched) -> Iterator[Report]:
    return reports_of(world, our_study(world))


def reports_of(world: Searched, study: Study) -> Iterator[Report]:
    """What a study is told, with one place."""
    trainings: dict[str, Iterator[Report]] = {}
    while row := study.next_trial():
        if row.name not in trainings:
            trainings[row.name] = world.train(row.number, row.params)
        decision = Decision.CONTINUE
        while decision is Decision.CONTINUE:
            report = next(trainings[row.name])
            yield report
            decision = study.report(row.name, row.epochs + 1, {METRIC: report.value})
        if row.state in ("complete", "failed"):
            del trainings[row.name]


def random_full(world: Searched) -> Iterator[Report]:
    yield from world.train(0, world.first)
    for trial, point in enumerate(random_points(world.space, world.seed), 1):
        yield from world.train(trial, point)


def tpe_full(world: Searched) -> Iterator[Report]:
    return peers.optuna_search(world, optuna.samplers.TPESampler(seed=world.seed), peers.never)


def ray_defaults(world: Searched) -> Iterator[Report]:
    return optuna_with(world, BRACKET(1, world.asha.max_epochs, 4, 0))


def ray_tuned(world: Searched) -> Iterator[Report]:
    asha = world.asha
    return optuna_with(world, BRACKET(asha.grace_period, asha.max_epochs, asha.reduction_factor, 0))


def optuna_with(world: Searched, bracket: Any) -> Iterator[Report]:
    """OptunaSearch as Ray has it: its TPE is told the last value of a trial, wherever that was stopped."""

    def stops(trial: optuna.Trial, epoch: int, value: float) -> bool:
        return bracket.on_result(identity_of(trial.number), epoch, value) == "STOP"

    return peers.optuna_search(world, optuna.samplers.TPESampler(seed=world.seed), stops)


def identity_of(trial: int) -> Any:
    """As much of a trial of Ray's as its rungs look at."""
    return SimpleNamespace(trial_id=str(trial))


METHODS: dict[str, Search] = {
    "ours": ours,
    "random": random_full,
    "tpe": tpe_full,
    "ray": ray_defaults,
    "ray_tuned": ray_tuned,
    **peers.METHODS,
}
