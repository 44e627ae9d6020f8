"""The rules of a sweep, without its processes and files."""

import heapq
from collections.abc import Callable, Iterator
from itertools import count

from benchmarks.landscapes.landscape import Report
from benchmarks.searches.searched import Searched
from sweeps.search.sampler import Known, ModelSampler
from sweeps.search.scheduler import Decision
from sweeps.search.state import SearchState
from sweeps.search.study import Study
from sweeps.search.trial import TrialState
from sweeps.spec import Budget

METRIC = "val/score"


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
    return (report for _, report in timed_reports(world, study, places=1, length=lambda: 1.0))


def timed_reports(
    world: Searched, study: Study, places: int, length: Callable[[], float]
) -> Iterator[tuple[float, Report]]:
    """What a study is told, and when. ``length`` gives the time that the next epoch takes."""
    trainings: dict[str, Iterator[Report]] = {}
    running: list[tuple[float, int, str]] = []
    now, order = 0.0, count()
    while True:
        while len(running) < places and (trial := study.next_trial()):
            trainings.setdefault(trial.name, world.train(trial.number, trial.params))
            heapq.heappush(running, (now + length(), next(order), trial.name))
        if not running:
            return
        now, _, name = heapq.heappop(running)
        report = next(trainings[name])
        yield now, report
        if study.report(name, study.trials[name].epochs + 1, {METRIC: report.value}) is Decision.CONTINUE:
            heapq.heappush(running, (now + length(), next(order), name))
        elif study.trials[name].state in (TrialState.COMPLETE, TrialState.FAILED):
            del trainings[name]
