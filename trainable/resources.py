"""What one trial may use: cores of this machine, and a share of its graphics cards."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from src.cards import Card
from src.cores import available_cores
from src.errors import UserError

LEAST_MIB = 1024
"""Of a card for one trial: below it not even a small network trains."""


@dataclass(frozen=True)
class Resources:
    """The budget of one machine, cut into equal parts."""

    trials_at_once: int
    cores_per_trial: int
    cards: tuple[Card, ...] = ()
    """Graphics cards in use; none on a machine without one."""

    def __str__(self) -> str:
        if not self.cards:
            return f"CPU cores: {self.cores_per_trial}"
        names = " or ".join(dict.fromkeys(str(card) for card in self.cards))
        return names if self.memory_limit_mib is None else f"{self.memory_limit_mib / 1024:.1f} GiB of {names}"

    @property
    def trials_per_card(self) -> int:
        """0 without a graphics card."""
        return self.trials_at_once // len(self.cards) if self.cards else 0

    @property
    def gpus_per_trial(self) -> float:
        """Ray's share of a card; 0 without one."""
        return len(self.cards) / self.trials_at_once

    @property
    def card_free_mib(self) -> int:
        """Free for one training on the fullest of the cards; 0 without one."""
        return min((card.free_mib for card in self.cards), default=0)

    @property
    def share_mib(self) -> int | None:
        """What each trial's tensors may take on its card, the fullest one; None without a card."""
        return min((card.share(self.trials_per_card) for card in self.cards), default=None)

    @property
    def memory_limit_mib(self) -> int | None:
        """The same where trials share a card; one that has it to itself may take what is there."""
        return self.share_mib if self.trials_per_card > 1 else None

    @property
    def described(self) -> dict[str, Any]:
        """What ``sweep.yaml`` keeps; what happened to be free on the cards is no part of it."""
        cards = [str(card) for card in self.cards]
        return {"trials_at_once": self.trials_at_once, "cores_per_trial": self.cores_per_trial, "cards": cards}

    def as_ray(self) -> dict[str, float]:
        return {"cpu": self.cores_per_trial, "gpu": self.gpus_per_trial}

    def overrides(self) -> list[str]:
        """The cores of a trial: on a CPU sums depend on them in the last bit; beside a card they load the images."""
        return [f"threads={self.cores_per_trial}"]


def share_machine(trials_at_once: int | None, cards: Sequence[Card] = (), cores: int | None = None) -> Resources:
    """Resources of each of ``trials_at_once`` trials; None: one a card, or one a core, at most 4, without one.

    Fewer trials than cards leave cards unused; more share them evenly. Small batches do not speed up much with threads,
    so on a CPU a trial a core does more than all cores on one trial; but with more than a few at once the search knows
    too little of the trials before.
    """
    cores = cores or available_cores()
    at_once = trials_at_once or len(cards) or min(4, cores)
    used = tuple(cards[:at_once])
    if used and at_once % len(used):
        legal = at_once - at_once % len(used)
        raise UserError(
            f"trials_at_once={at_once}: must be a multiple of the {len(used)} graphics cards they share, such as "
            f"{legal} or {legal + len(used)}, or fewer."
        )
    resources = Resources(at_once, max(1, cores // at_once), used)
    if resources.memory_limit_mib is not None and resources.memory_limit_mib < LEAST_MIB:
        raise UserError(
            f"trials_at_once={at_once}: each trial would have {resources.memory_limit_mib} MiB of its card; at least "
            f"{LEAST_MIB} are needed. Fewer trials at once have more."
        )
    return resources


def choose_cards(cards: Sequence[Card], gpus: int | None, trials_at_once: int | None) -> tuple[Card, ...]:
    """The first ``gpus`` of the cards; None: all. More than there are, or than trials, is a ``UserError``."""
    if gpus is None:
        return tuple(cards)
    if gpus > len(cards):
        there = f"only {len(cards)} can be used here" if cards else "none is used: device=cpu, or there is none"
        raise UserError(f"gpus={gpus}: more graphics cards than there are; {there}.")
    if trials_at_once is not None and trials_at_once < gpus:
        raise UserError(f"gpus={gpus}: trials_at_once={trials_at_once} would leave some of them unused.")
    return tuple(cards[:gpus])
