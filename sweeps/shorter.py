"""Options with which a search takes a night at most, for a dry run of one that would take longer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sweeps.plan import SweepPlan
from sweeps.search.space import keys

if TYPE_CHECKING:
    from trainable.smoke_test import EpochCost  # imports torch

NIGHT_HOURS = 10
SMALL = 256
"""Pixels of a side, below which an image of a crack is not halved."""
FEWEST = 6
"""Fewer trials, or epochs of a trial, are no search."""
SIMULATED = 50
"""Numbers of trials that are tried, at most."""
SIZE = "data.image_size"


@dataclass(frozen=True)
class Shape:
    """What the options change."""

    trials: int
    epochs: int
    """Of a trial that is trained to the end."""
    halved: bool = False
    """Images of half the height and width."""


def fitting(plan: SweepPlan, cost: "EpochCost") -> list[tuple[str, float]]:
    """Options and the hours that are left: each that is enough alone, else several together; none if none is enough."""
    start = Shape(plan.spec.budget.trials, plan.spec.scheduler.max_epochs)
    alone = [least_change(plan, cost, some) for some in changes(plan, start) if some]
    found = [shape for shape in alone if hours_of(plan, cost, shape) <= NIGHT_HOURS]
    if not found:
        shape = start
        for number in range(len(changes(plan, start))):
            if hours_of(plan, cost, shape) > NIGHT_HOURS and (some := changes(plan, shape)[number]):
                shape = least_change(plan, cost, some)
        found = [shape] if hours_of(plan, cost, shape) <= NIGHT_HOURS else []
    return [(" ".join(words(plan, start, shape)), hours_of(plan, cost, shape)) for shape in found]


def changes(plan: SweepPlan, shape: Shape) -> tuple[list[Shape], ...]:
    """Smaller images, fewer epochs, fewer trials: of each, the smallest change first.

    A halved image changes nothing for crops, of which there are then more, and cannot be chosen where it is searched.
    """
    (height, width), crop = plan.config.data.image_size, plan.config.data.crop.name
    can_halve = min(height, width) >= 2 * SMALL and crop == "none" and SIZE not in keys(plan.spec.space)
    counts = range(shape.trials - 1, FEWEST - 1, -max(1, shape.trials // SIMULATED))
    return (
        [replace(shape, halved=True)] if can_halve else [],
        [replace(shape, epochs=shape.epochs // by) for by in (2, 3, 4) if shape.epochs // by >= FEWEST],
        [replace(shape, trials=count) for count in counts],
    )


def least_change(plan: SweepPlan, cost: "EpochCost", shapes: Sequence[Shape]) -> Shape:
    """The first that takes a night at most, else the last."""
    return next((shape for shape in shapes if hours_of(plan, cost, shape) <= NIGHT_HOURS), shapes[-1])


def hours_of(plan: SweepPlan, cost: "EpochCost", shape: Shape) -> float:
    """The hours of a search of this shape. An epoch of images of half the size takes a quarter of the time."""
    share = 0.25 if shape.halved else 1.0
    epoch = replace(cost, seconds=share * cost.seconds, first_seconds=share * cost.first_seconds)
    return plan.hours(epoch, plan.forecast(shape.trials, plan.spec.scheduler.scaled(shape.epochs)))


def words(plan: SweepPlan, start: Shape, shape: Shape) -> Iterator[str]:
    """The options that make ``shape`` of ``start``."""
    if shape.halved:
        height, width = plan.config.data.image_size
        yield f"{SIZE}=[{height // 2},{width // 2}]"
    if shape.epochs != start.epochs:
        yield f"--max-epochs {shape.epochs}"
    if shape.trials != start.trials:
        yield f"--trials {shape.trials}"
