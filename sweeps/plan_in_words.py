"""Describes a plan in words, as a dry run prints it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sweeps.plan import SweepPlan
from sweeps.search.space_in_words import described
from sweeps.search.state import SearchState

if TYPE_CHECKING:
    from trainable.smoke_test import EpochCost  # imports torch

HOURS_A_DAY = 24
NIGHT_HOURS = 10
SMALL = 256
"""Pixels of a side, below which an image of a crack is not halved."""
FEWEST = 6
"""Fewer trials, or epochs of a trial, are no search."""


def plan_lines(plan: SweepPlan, cost: "EpochCost | None", state: SearchState | None = None) -> Iterator[str]:
    """The plan in lines. With a measured ``cost`` it includes hours and disk space.

    ``state``: the state of the sweep that is continued, if any.
    """
    scheduler, trials, expected = plan.spec.scheduler, plan.spec.budget.trials, plan.forecast()
    yield "search space; default (trial 0):"
    for key, text in described(plan.spec.space).items():
        yield f"  {key:40} {text}; {plan.default_params.get(key, 'not used by the default')}"
    yield f"{type(scheduler).__name__} ({scheduler.described}); expected number of trials that reach epoch"
    for epoch, count in expected.trials_at.items():
        yield f"  {epoch:4}  {count:6.1f}{'  the end' if epoch == scheduler.max_epochs else ''}"
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
        if not left and hours > NIGHT_HOURS:
            ways = "; ".join(shorter(plan, cost, hours))
            small = " Smaller images lose the thinnest cracks." if "image_size" in ways else ""
            yield f"That is longer than a night ({NIGHT_HOURS} hours). Shorter: {ways}.{small}"


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


def shorter(plan: SweepPlan, cost: "EpochCost", hours: float) -> Iterator[str]:
    """Ways to a search that takes a night at most: of one option, or else of several together."""
    (height, width), budget, epochs = plan.config.data.image_size, plan.spec.budget, plan.spec.scheduler.max_epochs
    counts = range(budget.trials - 1, FEWEST - 1, -max(1, budget.trials // 50))  # each takes a simulation
    shares = {f"--trials {count}": share_of(plan, cost, count) for count in counts}
    ways = [
        {f"data.image_size=[{height // 2},{width // 2}]": 1 / 4} if min(height, width) >= 2 * SMALL else {},
        {f"--max-epochs {epochs // factor}": 1 / factor for factor in (2, 3, 4) if epochs // factor >= FEWEST},
        shares,
    ]
    best = [enough(way, NIGHT_HOURS / hours) for way in ways if way]
    alone = [(words, share * hours) for words, share in best if share * hours <= NIGHT_HOURS]
    yield from (f"{words}, about {duration(left)}" for words, left in alone)
    if not alone:
        together, left = list[str](), hours
        for way in filter(None, ways):
            if left > NIGHT_HOURS:
                words, share = enough(way, NIGHT_HOURS / left)
                together, left = [*together, words], left * share
        yield (
            f"{' '.join(together)}, about {duration(left)}"
            if left <= NIGHT_HOURS
            else "a graphics card, or a faster one"
        )
    yield f"--hours {NIGHT_HOURS}, which ends it then, to be continued with --resume"


def enough(ways: Mapping[str, float], share: float) -> tuple[str, float]:
    """The first of these options that leaves at most this share of the time, else the last; each with its share."""
    return next((one for one in ways.items() if one[1] <= share), [*ways.items()][-1])


def share_of(plan: SweepPlan, cost: "EpochCost", trials: int) -> float:
    """The share of a plan's hours that fewer trials take."""
    return plan.hours(cost, plan.forecast(trials)) / plan.hours(cost, plan.forecast())


def duration(hours: float) -> str:
    """``12 minutes``, ``3.5 hours`` or ``4.2 days``."""
    if hours < 1:
        return f"{round(hours * 60)} minutes" if hours >= 1 / 40 else "a minute"
    return f"{hours:.1f} hours" if hours < HOURS_A_DAY else f"{hours / HOURS_A_DAY:.1f} days"
