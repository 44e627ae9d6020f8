"""The cards and cores of this machine that a sweep uses. It is known before anything slow is imported."""

from src.cards import Card, absent_card, find_cards
from src.config.compose import load_config
from src.errors import UserError
from sweeps.spec import SweepSpec
from trainable.resources import choose_cards


def cards_for(spec: SweepSpec, gpu_memory: float | None = None) -> tuple[Card, ...]:
    """The graphics cards to plan for: those of this machine, or hypothetical ones with ``gpu_memory`` GiB."""
    device, budget = load_config(spec.fixed).device, spec.budget
    if gpu_memory is not None and device == "cpu":
        raise UserError("--gpu-memory plans for graphics cards, but device=cpu uses none: leave out one of the two.")
    cards = find_cards(device) if gpu_memory is None else [absent_card(gpu_memory)] * (budget.gpus or 1)
    return choose_cards(cards, budget.gpus, budget.number_at_once)
