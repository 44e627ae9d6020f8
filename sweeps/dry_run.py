"""Dry run: checks a new or extended sweep and measures its cost, without writing to the sweep's folder."""

from collections.abc import Callable, Iterator
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING

from sweeps.identity import identity
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.neighbours import sharing
from sweeps.plan import SweepPlan
from sweeps.plan_in_words import plan_lines
from sweeps.preflight import check_corners, check_memory, console
from sweeps.recorded import read_state
from sweeps.search.space import corners
from sweeps.search.state import SearchState
from sweeps.session import refuse_changes
from trainable.overrides import trial_overrides
from trainable.smoke_test import EpochCost, measure_epoch

if TYPE_CHECKING:
    from sweeps.cluster.cluster import Cluster

CHOICE_SECONDS = 20.0
"""After which the epoch of a choice is extrapolated from its steps, of which it needs three."""


def dry_run(
    plan: SweepPlan, measure: bool = True, state: SearchState | None = None, cluster: "Cluster | None" = None
) -> int:
    """Check every corner of the space and each network's memory, measure epochs, and print the plan.

    ``measure``: False if the plan is for a card that this machine does not have. ``state``: the state of the sweep that
    the plan continues, if any. ``cluster``: its nodes are checked and printed, and one of them measures.
    """
    for line in node_lines(plan, cluster) if cluster else ():
        console.print(line)
    console.print("Checking every corner of the space: each different network is trained for one step.")
    networks = check_corners(plan, corners(plan.spec.space), which="all of them")
    check_memory(plan, networks, all_of_them=True)
    for line in () if cluster else sharing(plan.name, plan.resources):
        console.print(line)
    cost = (
        measure_families(plan, partial(cluster.run, measure_epoch) if cluster else measure_epoch) if measure else None
    )
    for line in plan_lines(plan, cost, state):
        console.print(line)
    return 0


def node_lines(plan: SweepPlan, cluster: "Cluster") -> Iterator[str]:
    """The nodes of a cluster, with what each one offers. A node that lacks something is a ``UserError``."""
    yield from cluster.check(plan)
    yield "Every node has the same code, packages and data as this machine, and sees the sweep's folder:"
    for node in plan.resources.nodes:
        cards = f", {', '.join(map(str, node.cards))}" if node.cards else ""
        yield f"  {node}: cores {node.cores}, trials at once {plan.resources.places_on(node)}{cards}"


def state_of(plan: SweepPlan, spec_name: str, accept_changes: bool) -> SearchState:
    """The state of the sweep that the plan would continue. A sweep that has changed is a ``UserError``."""
    ledger = Ledger(plan.folder / LEDGER_FILE, read_only=True)
    try:
        refuse_changes(ledger, identity(plan, spec_name), accept_changes)
        return read_state(ledger)
    finally:
        ledger.close()


def measure_families(plan: SweepPlan, measure: Callable[..., EpochCost]) -> EpochCost:
    """The average cost of an epoch over the networks of the space.

    Each choice of a key is measured with all other keys as in trial 0, for ``CHOICE_SECONDS``. The relative costs of
    different keys are assumed to multiply. ``measure``: of overrides, and the seconds after which it extrapolates.
    """
    families = plan.families()
    if more := sum(len(points) for points in families.values()):
        console.print(
            f"Measuring an epoch of the default, and of {more} other networks for {CHOICE_SECONDS:.0f} s each."
        )
    base = measure(trial_overrides(plan.fixed, plan.default_params))
    seconds, mib, first = base.seconds, base.checkpoint_mib, base.first_seconds
    for key, points in families.items():
        costs = list[EpochCost]()
        for point in points:
            costs.append(measure(trial_overrides(plan.fixed, point), CHOICE_SECONDS))
            console.print(f"{key}={point[key]}: {costs[-1].seconds:.1f} s per epoch")
        seconds *= fmean(cost.seconds for cost in costs) / base.seconds
        mib *= fmean(cost.checkpoint_mib for cost in costs) / base.checkpoint_mib
        first = max(first, fmean(cost.first_seconds for cost in costs))
    return EpochCost(seconds, mib, base.device, first)
