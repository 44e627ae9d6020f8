"""Divides the machine among trials: CPU cores, and a share of a graphics card for each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from src.cards import Card
from src.cores import available_cores
from src.errors import UserError

MOST_WITHOUT_CARDS = 4
"""Trials at once on a machine without graphics cards, unless the user gives a number."""
LEAST_MIB = 1024
"""GPU memory that a trial needs at least: with less, not even a small network trains."""


@dataclass(frozen=True)
class Node:
    """A machine of a Ray cluster, as far as a sweep may use it."""

    id: str
    """Ray's name for it. A machine that leaves and comes back gets another one."""
    address: str
    host: str
    cores: int
    cards: tuple[Card, ...] = ()

    def __str__(self) -> str:
        return self.host if self.host == self.address else f"{self.host} ({self.address})"


@dataclass(frozen=True)
class Resources:
    """One machine, or the nodes of a cluster, divided equally among the trials that run at once."""

    trials_at_once: int
    cores_per_trial: int
    cards: tuple[Card, ...] = ()
    """Graphics cards in use, of all nodes; none without any."""
    nodes: tuple[Node, ...] = ()
    """Of a cluster; none on one machine."""
    most_on_a_node: int | None = None
    """Trials at once on a node without cards. None: as many as its cores allow."""

    def places_on(self, node: Node) -> int:
        """How many trials may run at once on a node."""
        most = self.trials_per_card * len(node.cards) if self.cards else self.most_on_a_node
        by_cores = node.cores // self.cores_per_trial
        return by_cores if most is None else min(by_cores, most)

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
        """Free memory on the card that has the least; 0 without a card."""
        return min((card.free_mib for card in self.cards), default=0)

    @property
    def share_mib(self) -> int | None:
        """Memory for each trial's tensors, on the card that has the least free; None without a card."""
        return min((card.share(self.trials_per_card) for card in self.cards), default=None)

    @property
    def memory_limit_mib(self) -> int | None:
        """The limit for trials that share a card. None: a trial has its card to itself, or there is no card."""
        return self.share_mib if self.trials_per_card > 1 else None

    @property
    def described(self) -> dict[str, Any]:
        """The part of ``sweep.yaml`` about the machine. Free memory is left out, as it changes all the time."""
        cards, nodes = [str(card) for card in self.cards], [str(node) for node in self.nodes]
        about = {"trials_at_once": self.trials_at_once, "cores_per_trial": self.cores_per_trial, "cards": cards}
        return about | ({"nodes": nodes} if nodes else {})

    def overrides(self) -> list[str]:
        """The threads of a trial. On a CPU their number changes sums in the last bit; with a GPU they load images."""
        return [f"threads={self.cores_per_trial}"]


def share_machine(trials_at_once: int | None, cards: Sequence[Card] = (), cores: int | None = None) -> Resources:
    """Divide the machine among ``trials_at_once`` trials. None: one per card; without cards one per core, at most 4.

    If there are fewer trials than cards, some cards stay unused; if there are more, they share the cards evenly. Small
    batches hardly get faster with more threads, so on a CPU one trial per core is faster than one trial on all cores.
    But with more than a few trials at once, the search has too few results when it proposes the next trial.
    """
    cores = cores or available_cores()
    at_once = trials_at_once or len(cards) or min(MOST_WITHOUT_CARDS, cores)
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
            f"trials_at_once={at_once}: each trial would get {resources.memory_limit_mib} MiB of GPU memory, but needs "
            f"at least {LEAST_MIB}. Use a smaller --trials-at-once."
        )
    return resources


@dataclass(frozen=True)
class Before:
    """What the earlier sessions of a sweep have decided about its trials."""

    cores_per_trial: int
    trials_per_card: int
    """0 without cards."""


def share_nodes(
    trials_at_once: int | None,
    nodes: Sequence[Node],
    most: int,
    gpus: int | None = None,
    before: Before | None = None,
) -> Resources:
    """Divide the nodes of a cluster among ``trials_at_once`` trials; no trial spans two nodes.

    None: each node as ``share_machine`` divides one, but at most ``most`` trials in all. With cards, nodes without any
    are not used. ``before``: of a sweep that is continued. Its numbers are upper limits then, as there may be fewer
    nodes today; without it, fewer cores or cards than asked for are a ``UserError``.
    """
    found = [card for node in nodes for card in node.cards]
    if before and gpus is not None:
        gpus = min(gpus, len(found)) or None
    if cards := choose_cards(found, gpus, None if before else trials_at_once):
        if before and before.trials_per_card:
            cards = cards[: max(1, (trials_at_once or most) // before.trials_per_card)]
            trials_at_once = before.trials_per_card * len(cards)
        shared = share_machine(min(trials_at_once or len(cards), most), cards)
        used = [node for node in nodes if node.cards]
        cores = min(node.cores // (shared.trials_per_card * len(node.cards)) for node in used)
        return replace(shared, cores_per_trial=max(1, cores), nodes=tuple(used))
    if not nodes:
        raise UserError("The cluster has no node with a processor core for trials: see ray status.")
    return share_cores(trials_at_once, nodes, most, before.cores_per_trial if before else None)


def share_cores(trials_at_once: int | None, nodes: Sequence[Node], most: int, before: int | None) -> Resources:
    """``share_nodes`` without cards; ``before``: cores of each trial in the earlier sessions."""
    own = before or cores_for(trials_at_once, [node.cores for node in nodes])
    resources = Resources(1, own, (), tuple(node for node in nodes if node.cores >= own))
    if trials_at_once is None:
        resources = replace(resources, most_on_a_node=MOST_WITHOUT_CARDS)
    room = min(most, sum(map(resources.places_on, resources.nodes)))
    if not room or (trials_at_once is not None and room < trials_at_once and not before):
        named = ", ".join(f"{node}: {node.cores}" for node in nodes)
        origin = ", as in the session before" if before else ""
        raise UserError(
            f"trials_at_once={trials_at_once or 'not given'}: the nodes have room for {room}. A trial has {own} "
            f"core{'s' * (own > 1)}{origin}, and the nodes have {named}."
        )
    return replace(resources, trials_at_once=min(trials_at_once or room, room))


def cores_for(trials_at_once: int | None, cores: Sequence[int]) -> int:
    """Cores of each trial on a CPU, from the cores of each node: at least 1."""
    if trials_at_once is None:
        return min(max(1, have // min(MOST_WITHOUT_CARDS, have)) for have in cores if have)
    fitting = (own for own in range(max(cores), 0, -1) if sum(have // own for have in cores) >= trials_at_once)
    return next(fitting, 1)


def choose_cards(cards: Sequence[Card], gpus: int | None, trials_at_once: int | None) -> tuple[Card, ...]:
    """The first ``gpus`` cards (None: all). More than there are, or more than trials, is a ``UserError``."""
    if gpus is None:
        return tuple(cards)
    if gpus > len(cards):
        if not cards:
            raise UserError(f"gpus={gpus}: no graphics card is available (none was found, or device=cpu).")
        raise UserError(f"gpus={gpus}: only {len(cards)} graphics cards are available.")
    if trials_at_once is not None and trials_at_once < gpus:
        raise UserError(f"gpus={gpus}: with trials_at_once={trials_at_once} some of them would stay unused.")
    return tuple(cards[:gpus])
