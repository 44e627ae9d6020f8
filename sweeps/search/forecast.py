"""Estimates the cost of a search before it starts, by simulating its scheduler with random scores."""

import math
import random
from statistics import fmean
from typing import NamedTuple

from sweeps.search.scheduler import Decision, SchedulerSettings, to_next_rung
from sweeps.search.state import SearchState
from sweeps.search.trial import TrialState

SIMULATED_TRIALS = 2000  # in all simulations together: enough for the mean, and a moment of time


class Forecast(NamedTuple):
    """Expectations, means over several simulations."""

    trials_at: dict[int, float]
    """Trials that reach each rung, and the end."""
    epochs: float
    """Of all trials together."""
    starts: float
    """How often a trial gets a process: once, and once more after each pause."""


def forecast(settings: SchedulerSettings, trials: int, first_to_end: bool = False) -> Forecast:
    """Estimate the cost of ``trials`` trials, assuming that their ranking is the same at all rungs.

    ``first_to_end``: trial 0 is trained to the end, whatever its values are.

    More than 1/eta of the trials pass a rung, because some are promoted early that would not be promoted later.
    """
    runs = [simulate(settings, trials, seed, first_to_end) for seed in range(max(1, SIMULATED_TRIALS // trials))]
    at = {epoch: fmean(run.trials_at[epoch] for run in runs) for epoch in runs[0].trials_at}
    return Forecast(at, fmean(run.epochs for run in runs), fmean(run.starts for run in runs))


def simulate(settings: SchedulerSettings, trials: int, seed: int, first_to_end: bool = False) -> Forecast:
    """One search, one trial after the other, with one random value per trial."""
    draw = random.Random(seed)
    scheduler = settings.build()
    values: dict[str, float] = {}
    at: dict[int, float] = dict.fromkeys([*settings.rungs, settings.max_epochs], 0)
    reached: dict[str, int] = {}
    epochs = starts = 0
    while (trial := scheduler.next(no_new_trials=len(values) == trials)) or len(values) < trials:
        if trial:
            scheduler.resume(trial)
        else:
            trial = f"{len(values):06d}"
            values[trial] = draw.random()
            scheduler.start(trial, first_to_end and len(values) == 1)
        starts += 1
        decision = Decision.CONTINUE
        while decision is Decision.CONTINUE:
            before = reached.get(trial, 0)
            reached[trial] = before + to_next_rung(settings, before)
            epochs += reached[trial] - before
            at[reached[trial]] += 1
            decision = scheduler.report(trial, reached[trial], values[trial])
    return Forecast(at, epochs, starts)


def epochs_to_come(state: SearchState, trials: int, expected: float, limit: float | None = None) -> int:
    """The remaining epochs of a search of ``trials`` trials.

    ``expected``: its total epochs by the forecast; ``limit``: its budget of epochs. The result includes at least the
    epochs to the next rung of all trials that run, wait or have not started yet.
    """
    active = [
        trial.epochs for trial in state.trials.values() if trial.state in (TrialState.RUNNING, TrialState.WAITING)
    ]
    new = [] if state.exhausted else [0] * (trials - state.tried)
    least = sum(to_next_rung(state.scheduler.settings, epoch) for epoch in [*active, *new])
    return round(min(max(least, expected - state.epochs), (limit or math.inf) - state.epochs))
