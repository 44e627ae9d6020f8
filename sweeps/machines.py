"""The machines of a sweep: the cards and cores of this one, or a Ray cluster. Nothing slow is imported for this one."""

from pathlib import Path
from typing import TYPE_CHECKING

from src.cards import Card, absent_card, find_cards
from src.config.compose import load_config
from src.errors import UserError
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.local_ray import LocalRay
from sweeps.spec import SweepSpec
from trainable.resources import choose_cards, share_machine

if TYPE_CHECKING:
    from sweeps.cluster import Cluster  # imports Ray

THREADS = "fixed: threads"
"""The entry of a sweep's identity with the cores of each trial."""


def cards_for(spec: SweepSpec, gpu_memory: float | None = None) -> tuple[Card, ...]:
    """The graphics cards to plan for: those of this machine, or hypothetical ones with ``gpu_memory`` GiB."""
    device, budget = load_config(spec.fixed).device, spec.budget
    if gpu_memory is not None and device == "cpu":
        raise UserError("--gpu-memory plans for graphics cards, but device=cpu uses none: leave out one of the two.")
    cards = find_cards(device) if gpu_memory is None else [absent_card(gpu_memory)] * (budget.gpus or 1)
    return choose_cards(cards, budget.gpus, budget.number_at_once)


def ray_for(spec: SweepSpec, address: str | None, cores_per_trial: int | None = None) -> "LocalRay | Cluster":
    """The Ray that runs the sweep's trials: one of its own on this machine, or the cluster at an address.

    ``cores_per_trial``: of a sweep that is continued; on one machine it is always the even share.
    """
    if address is not None:
        return join_cluster(address, spec, cores_per_trial)
    return LocalRay(share_machine(spec.budget.number_at_once, cards_for(spec)))


def join_cluster(address: str, spec: SweepSpec, cores_per_trial: int | None = None) -> "Cluster":
    from sweeps.cluster import Cluster

    if spec.budget.trials_at_once == "auto":
        raise UserError(
            "trials_at_once=auto measures this machine, not the nodes of a cluster: give --trials-at-once N. Without "
            "it, each graphics card has one trial, and a node without cards up to 4."
        )
    return Cluster(address, load_config(spec.fixed).device, spec.budget, cores_per_trial)


def cores_before(folder: Path) -> int | None:
    """Cores of each trial in a sweep's sessions before: on a CPU another number changes sums in the last bit."""
    if not (folder / LEDGER_FILE).is_file():
        return None
    ledger = Ledger(folder / LEDGER_FILE, read_only=True)
    cores = (ledger.get("identity") or {}).get(THREADS)
    ledger.close()
    return None if cores is None else int(cores)
