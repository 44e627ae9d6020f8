"""The places of a sweep: shares of a machine in each of which one trial runs at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from ray import tune

from sweeps.plan import SweepPlan
from trainable.resources import Node, Resources


class Place(tune.PlacementGroupFactory):
    """A request for resources that differs from those of other places.

    Ray Tune gives a free process to any trial that asks for the same resources, even if another process is starting for
    that trial, which is then given up. With short rungs a single process would do all the work. So each place has a
    process of its own, and only trials of this place use it.
    """

    def __init__(self, bundle: dict[str, float], number: int, beside: int, node: Node | None = None) -> None:
        super().__init__([bundle])
        self.number = number
        self.beside = beside
        """The number of places on the same machine, with this one."""
        self.node = node
        """The machine in a cluster; None: this machine."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)


@dataclass(frozen=True)
class Changes:
    """What has changed among the machines of a sweep."""

    new: list[Place] = field(default_factory=list[Place])
    gone: set[str] = field(default_factory=set[str])
    """Ids of nodes whose places are lost."""
    said: list[str] = field(default_factory=list[str])
    """The same in words for the user."""


class Machines(Protocol):
    """The Ray that runs the processes: of this machine (``LocalRay``), or a ``Cluster``."""

    def check(self, plan: SweepPlan) -> list[str]:
        """Check what a sweep needs there, and return notes; the sweep's folder is locked."""
        ...

    def wait(self) -> None:
        """Wait until Ray has started."""
        ...

    def places(self) -> list[Place]:
        """The places at the beginning."""
        ...

    def changes(self) -> Changes:
        """What has changed since the last call."""
        ...

    def has_lost(self, place: Place) -> bool:
        """Whether the machine of a place is gone, whose process has just died."""
        ...

    def give_up(self, place: Place) -> None:
        """The machine of a place does not answer: use it only if it passes the checks again."""
        ...

    def stop(self, keep: object = None) -> None:
        """End the processes; ``keep``, which has handles of them, lives until then."""
        ...


def places_here(resources: Resources) -> list[Place]:
    """A place on this machine for each trial that runs at once."""
    bundle = {"CPU": 1.0, "GPU": resources.gpus_per_trial}
    return [Place(bundle, number, resources.trials_at_once) for number in range(resources.trials_at_once)]


def places_on(node: Node, resources: Resources, most: int, used: int, numbers: Iterator[int]) -> list[Place]:
    """At most so many new places on a node of a cluster, on which ``used`` ones are already."""
    room = resources.places_on(node)
    own = f"node:{node.address}"  # Ray gives each node one of a resource with this name
    bundle = {"CPU": float(resources.cores_per_trial), "GPU": resources.gpus_per_trial, own: 0.001}
    return [Place(bundle, next(numbers), room, node) for _ in range(min(most, room - used))]
