"""Chooses ``trials_at_once: auto``: the smallest number of trials whose throughput is almost that of the best number.

Measured is the default configuration, with 1, 2 and 4 trainings at once on one graphics card, or on all cores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from src.cards import Card
from src.cores import available_cores
from src.data.cache import open_split
from sweeps.plan import SweepPlan, make_plan
from sweeps.preflight import console, with_data
from sweeps.search.space import few_corners
from sweeps.spec import SweepSpec
from trainable.guard import machine_memory
from trainable.overrides import trial_overrides
from trainable.packing import measure
from trainable.resources import share_machine

COUNTS = (1, 2, 4)
ENOUGH = 0.95
"""A smaller number is taken if it reaches this part of the best throughput."""
SECONDS = 10.0
"""For which each number is measured."""
LEAST_HOURS = 0.5
"""For a shorter search a measurement does not pay."""
MIB = 2**20


def choose_trials_at_once(spec: SweepSpec, cards: Sequence[Card]) -> tuple[SweepSpec, dict[int, float]]:
    """The spec with a number in place of ``auto``; and images per second by trials at once, for all cards together.

    The measurement is printed. It is empty for a search that is too short for one.
    """
    spec, per = with_data(spec), max(1, len(cards))
    found: dict[int, float] = {}
    memory = 0
    for count in COUNTS:
        if found and not fits(spec, cards, count, memory):
            break
        plan = plan_of(spec, cards, count)
        overrides = trial_overrides(plan.fixed, plan.default_params)
        throughput = measure(overrides, count, SECONDS, limit(cards, count))
        found[count * per], memory = per * throughput.images_per_second, throughput.memory_mib
        if count == 1 and (hours := hours_of(plan, found[per])) < LEAST_HOURS:
            console.print(f"trials_at_once=auto: not measured, as the search takes about {60 * hours:.0f} minutes.")
            return with_number(spec, None), {}
    chosen = smallest(found)
    rates = ", ".join(f"{rate:.1f} with {count} at once" for count, rate in found.items())
    console.print(f"trials_at_once=auto: {chosen}. Images per second: {rates}.")
    return with_number(spec, chosen), found


def smallest(rates: Mapping[int, float]) -> int:
    """The smallest number whose rate is almost the best one."""
    return min(count for count, rate in rates.items() if rate >= ENOUGH * max(rates.values()))


def fits(spec: SweepSpec, cards: Sequence[Card], count: int, process_mib: int) -> bool:
    """Whether so many trials fit into the cores, the main memory and the memory of each card, without halved batches.

    ``process_mib``: main memory of one training.
    """
    if count * max(1, len(cards)) > available_cores():
        return False
    _, free = machine_memory()
    if not cards:
        return count * process_mib * MIB < free
    from trainable.card_memory import fit_networks  # imports torch

    plan = plan_of(spec, cards, count)
    networks = [trial_overrides(plan.fixed, point) for point in few_corners(spec.space)]
    enough = all(fit.micro_batch == fit.batch_size for fit in fit_networks(networks, plan.resources, plan.fixed))
    return enough and count * len(cards) * process_mib * MIB < free


def limit(cards: Sequence[Card], count: int) -> int | None:
    """MiB of a card for the tensors of each of so many trials; None where a trial has its card to itself."""
    return min(card.share(count) for card in cards) if cards and count > 1 else None


def plan_of(spec: SweepSpec, cards: Sequence[Card], count: int) -> SweepPlan:
    """The plan with so many trials on each card."""
    number = count * max(1, len(cards))
    return make_plan("auto", with_number(spec, number), 0, share_machine(number, cards))


def hours_of(plan: SweepPlan, rate: float) -> float:
    """Hours of the search at so many images per second; a validation image costs a third of a training image."""
    train, val = (len(open_split(plan.config.data, split)) for split in ("train", "val"))
    return plan.forecast().epochs * (train + val / 3) / rate / 3600


def with_number(spec: SweepSpec, number: int | None) -> SweepSpec:
    return replace(spec, budget=replace(spec.budget, trials_at_once=number))
