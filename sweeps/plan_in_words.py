"""Describes a plan in words, as a dry run prints it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sweeps.plan import SweepPlan
from sweeps.search.space_in_words import described
from sweeps.search.state import SearchState
from sweeps.shorter import NIGHT_HOURS, SIZE, fitting

if TYPE_CHECKING:
    from trainable.smoke_test import EpochCost  # imports torch

HOURS_A_DAY = 24


def plan_lines(plan: SweepPlan, cost: "EpochCost | None", state: SearchState | None = None) -> Iterator[str]:
    """The plan in lines. With a measured ``cost`` it includes hours and disk space.

    ``state``: the state of the sweep that is continued, if any.
    """
    scheduler, trials, expected = plan.spec.scheduler, plan.spec.budget.trials, plan.forecast()
    yield "search space; default (trial 0):"
    for key, text in described(plan.spec.space).items():
        yield f"  {key:40} {text}; {plan.default_params.get(key, 'not used by the default')}"
    yield f"{type(scheduler).__name__} ({scheduler.described})"
    yield "  epoch  trials that are expected to reach it"
    for epoch, count in expected.trials_at.items():
        yield f"  {epoch:5}  {count:6.1f}{'  the end' if epoch == scheduler.max_epochs else ''}"
    if plan.spec.default_to_end and scheduler.rungs:
        yield "the default (trial 0) is trained to the end, as the baseline"
    yield f"{trials} trials, about {expected.epochs:.0f} epochs (without stopping {trials * scheduler.max_epochs})"
    left = plan.forecast_rest(state) if state else None
    if state and left:
        begun = len(state.trials)
        yield f"done so far: {begun} trials, {state.epochs} epochs"
        yield f"remaining: {trials - begun} trials, about {left.epochs:.0f} epochs"
    yield from (f"warning: {line}" for line in plan.warnings())
    yield plan.resources_in_words
    if cost is not None:
        hours = plan.hours(cost, left or expected)
        of = "for the remaining trials" if left else "in total"
        yield f"measured: an epoch takes {cost.seconds:.1f} s ({cost.device}); about {duration(hours)} {of}"
        yield from limit_lines(plan, cost, hours)
        if not left:
            yield from night_lines(plan, cost, hours)


def limit_lines(plan: SweepPlan, cost: "EpochCost", hours: float) -> Iterator[str]:
    """Limits of the sweep: the budget of hours, and disk space."""
    budget = plan.spec.budget
    if budget.hours is not None and hours > budget.hours:
        yield f"the session ends before that, after the budget of {budget.hours:g} hours"
    # two per trial: the best checkpoint, and the last one of trials that may continue
    needed = 2 * budget.trials * cost.checkpoint_mib / 1024
    limit = budget.checkpoints_gib
    kept = f"; the budget keeps {limit:g} GiB, those of the best trials" if needed > limit else ""
    yield f"checkpoints: up to {needed:.1f} GiB in {plan.folder}{kept}"


def night_lines(plan: SweepPlan, cost: "EpochCost", hours: float) -> Iterator[str]:
    """Which options make a longer search fit a night; nothing if it fits, or ends by its budget of hours."""
    if min(hours, plan.spec.budget.hours or hours) <= NIGHT_HOURS:
        return
    found = [f"{words}, about {duration(left)}" for words, left in fitting(plan, cost)]
    ways = f"To fit: {'; '.join(found)}." if found else "No options make it fit: use a graphics card, or a faster one."
    small = " Smaller images lose the thinnest cracks." if SIZE in ways else ""
    yield f"That is longer than a night ({NIGHT_HOURS} hours). {ways}{small}"
    yield f"Or end it then with --hours {NIGHT_HOURS}, and continue it the next night with --resume."


def duration(hours: float) -> str:
    """``12 minutes``, ``3.5 hours`` or ``4.2 days``."""
    if hours < 1:
        return f"{round(hours * 60)} minutes" if hours >= 1 / 40 else "a minute"
    return f"{hours:.1f} hours" if hours < HOURS_A_DAY else f"{hours / HOURS_A_DAY:.1f} days"
