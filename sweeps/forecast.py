"""What a sweep is going to take, before anything is spent: ASHA's rules played with trials that are not trained."""

import random
from statistics import fmean
from typing import NamedTuple

from sweeps.asha import Decision, Form, SuccessiveHalving
from sweeps.spec import Asha

PLAYED_TRIALS = 2000  # in all plays together: enough for the mean, and a moment of time


class Forecast(NamedTuple):
    """Expectations, means over several plays."""

    trials_at: dict[int, float]
    """Trials that reach each rung, and the end."""
    epochs: float
    """Of all trials together."""
    starts: float
    """How often a trial gets a process: once, and once more after each pause."""


def forecast(asha: Asha, form: Form, trials: int) -> Forecast:
    """What ``trials`` trials are expected to take, if each keeps its place among the others from rung to rung.

    Trials that are promoted early and would not be later make it more than 1/eta at each rung.
    """
    plays = [play(asha, form, trials, seed) for seed in range(max(1, PLAYED_TRIALS // trials))]
    at = {epoch: fmean(played.trials_at[epoch] for played in plays) for epoch in plays[0].trials_at}
    return Forecast(at, fmean(played.epochs for played in plays), fmean(played.starts for played in plays))


def play(asha: Asha, form: Form, trials: int, seed: int) -> Forecast:
    """One search, one trial after the other, with values drawn once a trial."""
    draw = random.Random(seed)
    rules = SuccessiveHalving(asha, form)
    values: dict[str, float] = {}
    at: dict[int, float] = dict.fromkeys([*asha.rungs, asha.max_epochs], 0)
    reached: dict[str, int] = {}
    epochs = starts = 0
    while (trial := rules.next(closing=len(values) == trials)) or len(values) < trials:
        if trial:
            rules.resume(trial)
        else:
            trial = f"{len(values):06d}"
            values[trial] = draw.random()
            rules.start(trial)
        starts += 1
        decision = Decision.CONTINUE
        while decision is Decision.CONTINUE:
            before = reached.get(trial, 0)
            reached[trial] = before + asha.to_next_rung(before)
            epochs += reached[trial] - before
            at[reached[trial]] += 1
            decision = rules.report(trial, reached[trial], values[trial])
    return Forecast(at, epochs, starts)
