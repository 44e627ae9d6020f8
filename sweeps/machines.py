"""The machines of a sweep: the cards and cores of this one, or a Ray cluster. Nothing slow is imported for this one."""

from pathlib import Path
from typing import TYPE_CHECKING

from src.cards import Card, absent_card, find_cards
from src.config.compose import load_config
from src.errors import UserError
from sweeps.about import ABOUT_FILE, read_about
from sweeps.local_ray import LocalRay
from sweeps.spec import SweepSpec
from trainable.resources import Before, choose_cards, share_machine

if TYPE_CHECKING:
    from sweeps.cluster.cluster import Cluster  # imports Ray


def cards_for(spec: SweepSpec, gpu_memory: float | None = None) -> tuple[Card, ...]:
    """The graphics cards to plan for: those of this machine, or hypothetical ones with ``gpu_memory`` GiB."""
    device, budget = load_config(spec.fixed).device, spec.budget
    if gpu_memory is not None and device == "cpu":
        raise UserError("--gpu-memory plans for graphics cards, but device=cpu uses none: leave out one of the two.")
    cards = find_cards(device) if gpu_memory is None else [absent_card(gpu_memory)] * (budget.gpus or 1)
    return choose_cards(cards, budget.gpus, budget.number_at_once)


def ray_for(spec: SweepSpec, address: str | None, before: Before | None = None) -> "LocalRay | Cluster":
    """The Ray that runs the sweep's trials: one of its own on this machine, or the cluster at an address.

    ``before``: of a sweep that is continued; on one machine the division is always the same.
    """
    if address is not None:
        return join_cluster(address, spec, before)
    return LocalRay(share_machine(spec.budget.number_at_once, cards_for(spec)))


def join_cluster(address: str, spec: SweepSpec, before: Before | None = None) -> "Cluster":
    from sweeps.cluster.cluster import Cluster

    if spec.budget.trials_at_once == "auto":
        raise UserError(
            "trials_at_once=auto measures this machine, not the nodes of a cluster: give --trials-at-once N. Without "
            "it, each graphics card has one trial, and a node without cards up to 4."
        )
    return Cluster(address, load_config(spec.fixed).device, spec.budget, before)


def division_before(folder: Path) -> Before | None:
    """How a sweep's earlier sessions have divided the machines; None without one.

    On a CPU another number of cores changes sums in the last bit.
    """
    if not (folder / ABOUT_FILE).is_file():
        return None
    resources = read_about(folder)["resources"]
    cards = len(resources["cards"])
    return Before(resources["cores_per_trial"], resources["trials_at_once"] // cards if cards else 0)
