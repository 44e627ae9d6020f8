"""Everything that can happen to a search. ``SearchState.apply`` takes an event in, the ledger keeps it.

``KINDS`` names each event as it is written in a ledger. Fields with a default may be missing in older ledgers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sweeps.search.scheduler import Decision


@dataclass(frozen=True)
class TrialEvent:
    """An event of one trial."""

    trial: str


@dataclass(frozen=True)
class Started(TrialEvent):
    """A new trial got a process."""

    params: Mapping[str, Any]
    origin: str
    space: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Optuna's JSON of each distribution on the trial's own branch of the search space."""
    to_end: bool = False
    """Whether it is trained to the end, whatever its values are."""


@dataclass(frozen=True)
class Resumed(TrialEvent):
    """A waiting or paused trial got a process."""


@dataclass(frozen=True)
class Reported(TrialEvent):
    """A trial completed an epoch."""

    epoch: int
    value: float
    """Of the search's metric; not finite if it is missing or the training diverged."""
    metrics: Mapping[str, float]
    finished: bool = False
    """Whether the training has ended, at its last epoch or by early stopping."""


@dataclass(frozen=True)
class Failed(TrialEvent):
    """A trial's process failed."""

    reason: str
    retry: bool
    """Whether it continues from its checkpoint."""


@dataclass(frozen=True)
class Skipped(TrialEvent):
    """A trial broke a limit before its first epoch."""

    reason: str


@dataclass(frozen=True)
class Requeued(TrialEvent):
    """A trial lost its process without a fault of its own; it waits."""


@dataclass(frozen=True)
class Lost(TrialEvent):
    """A trial lost its process together with the machine under it; it waits, and is the first to continue."""

    reason: str = ""


@dataclass(frozen=True)
class CheckpointsDeleted(TrialEvent):
    """A trial's checkpoints are about to be deleted to stay within the disk quota."""


@dataclass(frozen=True)
class SessionBegan:
    """A process opened the search. If trials still run, the last session was killed: they wait now."""

    trials: int
    """Total number of trials planned."""
    commit: str = ""
    packages: Mapping[str, str] = field(default_factory=dict[str, str])
    """Versions."""
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Parts of the sweep's identity that the user accepted as changed, each with its value before and now."""
    places: int = 0
    """Trials that run at once; 0 in older ledgers."""
    checked_seconds: float = 0.0
    """From the start of the command to this event."""


@dataclass(frozen=True)
class PlacesChanged:
    """Nodes of a cluster have joined or are gone. It changes nothing that is decided."""

    places: int
    """Trials that can run at once from now on."""
    why: str


@dataclass(frozen=True)
class Interrupted:
    """The session ended before the search did: running trials wait."""


@dataclass(frozen=True)
class SpaceExhausted:
    """The sampler found no point that was not tried."""


@dataclass(frozen=True)
class Finished:
    """The search ended: paused trials are stopped, unless it is extended later."""


Event = TrialEvent | SessionBegan | PlacesChanged | Interrupted | SpaceExhausted | Finished

KINDS: dict[str, type[Event]] = {
    "session": SessionBegan,
    "places": PlacesChanged,
    "start": Started,
    "resume": Resumed,
    "report": Reported,
    "fail": Failed,
    "skip": Skipped,
    "postpone": Requeued,
    "lost": Lost,
    "drop": CheckpointsDeleted,
    "exhausted": SpaceExhausted,
    "interrupt": Interrupted,
    "finish": Finished,
}


class Record(NamedTuple):
    """An event as it was recorded."""

    seq: int
    """Its place in the order of all events, from 1."""
    event: Event
    decision: Decision | None
    """Of the scheduler, for a report."""
    time: str = ""
    """By the clock, in ISO format; nothing is decided by it."""
