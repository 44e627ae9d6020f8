"""Finds other running sweeps that use the same CPU cores or graphics cards, and warns that both will be slower.

Every running sweep of a user has a locked file in one folder. The lock shows that its sweep is running; the file of a
killed sweep is removed by the next sweep.
"""

import json
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from sweeps.locks import is_taken, take
from trainable.resources import Resources


@dataclass(frozen=True)
class Share:
    """The share of the machine that a sweep uses."""

    name: str
    process: int
    cores: int
    """How many cores it uses."""
    allowed: tuple[int, ...]
    """The numbers of the cores on which it may run."""
    cards: tuple[str, ...]
    """The cards by their names in CUDA_VISIBLE_DEVICES."""

    def overlap(self, other: "Share") -> str:
        """The part that another sweep uses too, in words; empty if there is none."""
        cards = [card for card in self.cards if card in other.cards]
        common, all_cores = {*self.allowed} & {*other.allowed}, {*self.allowed} | {*other.allowed}
        cores = [f"{other.cores} of the same {len(common)} cores"] if self._too_many(other, common, all_cores) else []
        return " and ".join([*cores, *([f"the same card {', '.join(cards)}"] if cards else [])])

    def _too_many(self, other: "Share", common: set[int], all_cores: set[int]) -> bool:
        return bool(common) and self.cores + other.cores > len(all_cores)


@contextmanager
def announced(name: str, resources: Resources) -> Generator[list[str]]:
    """Announce this sweep to others on the machine while the block runs; yields the lines of ``sharing``."""
    own = share_of(name, resources)
    try:
        lines, folder = sharing(name, resources), registry_folder()
        folder.mkdir(mode=0o700, exist_ok=True)
        hidden = folder / f".{uuid4().hex}"
        file = hidden.open("w")
        try:
            take(file)
            file.write(json.dumps(asdict(own)))
            file.flush()
            visible = hidden.rename(folder / f"{hidden.name[1:]}.json")  # visible only when it is locked and complete
        except OSError:  # a drive without locks, or a full one
            file.close()
            hidden.unlink(missing_ok=True)
            raise
    except OSError as error:
        yield [f"Cannot check whether other sweeps are running on this machine: {error}."]
        return
    with file:
        try:
            yield lines
        finally:
            visible.unlink(missing_ok=True)


def sharing(name: str, resources: Resources) -> list[str]:
    """One line for each other running sweep that uses cores or cards of this one."""
    own = share_of(name, resources)
    return [
        f"{other.name} (process {other.process}) is running on {what}: both sweeps will take longer than planned. Wait "
        f"for it, or separate the two with {'taskset and CUDA_VISIBLE_DEVICES' if resources.cards else 'taskset'}."
        for other in running()
        if (what := own.overlap(other))
    ]


def running() -> list[Share]:
    """The sweeps of this user that are running on this machine."""
    shares: list[Share] = []
    for path in sorted(registry_folder().glob("*.json")):
        if not is_taken(path):
            path.unlink(missing_ok=True)  # its sweep was killed
            continue
        with suppress(ValueError, TypeError, KeyError, FileNotFoundError):  # of another version, or just removed
            kept: Any = json.loads(path.read_text())
            shares.append(Share(**kept | {"allowed": tuple(kept["allowed"]), "cards": tuple(kept["cards"])}))
    return shares


def share_of(name: str, resources: Resources) -> Share:
    """The share of this machine that a sweep with these resources uses."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(number) for number in range(len(resources.cards))]
    cores = resources.cores_per_trial * resources.trials_at_once
    allowed = tuple(sorted(os.sched_getaffinity(0)))
    return Share(name, os.getpid(), cores, allowed, tuple(names[: len(resources.cards)]))


def registry_folder() -> Path:
    """The folder with a file for each running sweep. Each user has a separate one."""
    return Path(tempfile.gettempdir()) / f"crack-sweeps-{os.getuid()}"
