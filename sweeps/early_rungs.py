"""Rungs that come too early to tell trials apart, as a small ``--max-epochs`` makes them."""

import math
from collections.abc import Iterable

from src.config.compose import load_config
from sweeps.search.scheduler import SchedulerSettings
from sweeps.search.space import Params, Space, few_corners
from trainable.trial import trial_overrides

LEAST = 2
"""The first epoch at which trials can be compared: after one, a network has hardly begun, and the order is chance."""
SCHEDULE = "training.lr_scheduler"


def early_rungs(scheduler: SchedulerSettings, space: Space, fixed: Iterable[str]) -> list[str]:
    """A sentence if rungs lie before the end of the learning rate's warm-up, or at epoch 1; with what to do."""
    warmup = warmup_epochs(space, fixed)
    early = [str(rung) for rung in scheduler.rungs if rung < max(LEAST, warmup)]
    if not early:
        return []
    rungs = f"The rungs at epochs {', '.join(early)} are" if len(early) > 1 else f"The rung at epoch {early[0]} is"
    why = (
        f"the learning rate rises until epoch {warmup:.3g}" if scheduler.rungs[0] < warmup else "one epoch tells little"
    )
    return [
        f"{rungs} too early: {why}, so trials are stopped there by chance. A first rung at epoch "
        f"{max(LEAST, math.ceil(warmup))} or later tells more: a larger --max-epochs, or grace_period in the spec."
    ]


def warmup_epochs(space: Space, fixed: Iterable[str]) -> float:
    """The epochs for which the learning rate rises, of the trials of a space where it does so longest."""
    schedules: list[Params] = []
    for point in few_corners(space):
        schedule = {key: value for key, value in point.items() if key.startswith(SCHEDULE)}
        if schedule not in schedules:
            schedules.append(schedule)
    trainings = [load_config(trial_overrides(fixed, schedule)).training for schedule in schedules]
    return max(training.lr_scheduler.warmup_fraction * training.epochs for training in trainings)
