"""Warns of rungs that are too early to compare trials, as a small ``--max-epochs`` causes them."""

import math
from collections.abc import Iterable

from src.config.compose import load_config
from sweeps.search.scheduler import SchedulerSettings
from sweeps.search.space import Params, Space, few_corners
from trainable.overrides import trial_overrides

LEAST = 2
"""The first epoch at which trials can be compared: after one epoch the ranking is mostly noise."""
SCHEDULE = "training.lr_scheduler"


def early_rungs(scheduler: SchedulerSettings, space: Space, fixed: Iterable[str]) -> list[str]:
    """A warning if rungs are at epoch 1 or before the end of the learning rate's warm-up; else an empty list."""
    warmup = warmup_epochs(space, fixed)
    early = [str(rung) for rung in scheduler.rungs if rung < max(LEAST, warmup)]
    if not early:
        return []
    rungs = f"The rungs at epochs {', '.join(early)} are" if len(early) > 1 else f"The rung at epoch {early[0]} is"
    why = (
        f"the warm-up lasts until epoch {warmup:.3g}" if scheduler.rungs[0] < warmup else "scores are mostly noise then"
    )
    return [
        f"{rungs} too early: {why}, so trials are stopped by chance. Choose a larger --max-epochs, or a larger "
        f"grace_period in the spec: the first rung should be at epoch {max(LEAST, math.ceil(warmup))} or later."
    ]


def warmup_epochs(space: Space, fixed: Iterable[str]) -> float:
    """The length of the learning rate's warm-up in epochs; the longest one of the search space."""
    schedules: list[Params] = []
    for point in few_corners(space):
        schedule = {key: value for key, value in point.items() if key.startswith(SCHEDULE)}
        if schedule not in schedules:
            schedules.append(schedule)
    trainings = [load_config(trial_overrides(fixed, schedule)).training for schedule in schedules]
    return max(training.lr_scheduler.warmup_fraction * training.epochs for training in trainings)
