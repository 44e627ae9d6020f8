"""Other sweeps that run on this machine and have planned the same cores or cards: told, for both will be slower.

Every running sweep of a user has a locked file in one folder. So the kernel says which of them live, and what is left
of one that was killed is removed by the next.
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
    """What a sweep has planned of a machine."""

    name: str
    process: int
    cores: int
    """How many it uses."""
    allowed: tuple[int, ...]
    """Of which cores, by their numbers."""
    cards: tuple[str, ...]
    """As CUDA_VISIBLE_DEVICES names them."""

    def beside(self, other: "Share") -> str:
        """What another sweep has planned that this one has planned too, in words; empty: nothing."""
        cards = [card for card in self.cards if card in other.cards]
        common, all_cores = {*self.allowed} & {*other.allowed}, {*self.allowed} | {*other.allowed}
        cores = [f"{other.cores} of the same {len(common)} cores"] if self._too_many(other, common, all_cores) else []
        return " and ".join([*cores, *([f"the same card {', '.join(cards)}"] if cards else [])])

    def _too_many(self, other: "Share", common: set[int], all_cores: set[int]) -> bool:
        return bool(common) and self.cores + other.cores > len(all_cores)


@contextmanager
def announced(name: str, resources: Resources) -> Generator[list[str]]:
    """Be known to the other sweeps of this machine until the end; gives what ``sharing`` says."""
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
            seen = hidden.rename(folder / f"{hidden.name[1:]}.json")  # locked and whole since it can be seen
        except OSError:  # a drive without locks, or one that is full
            file.close()
            hidden.unlink(missing_ok=True)
            raise
    except OSError as error:
        yield [f"Whether other sweeps run on this machine cannot be told: {error}."]
        return
    with file:
        try:
            yield lines
        finally:
            seen.unlink(missing_ok=True)


def sharing(name: str, resources: Resources) -> list[str]:
    """A line for each other sweep that runs now with the cores or cards that this one has planned."""
    own = share_of(name, resources)
    return [
        f"{other.name} (process {other.process}) runs on this machine now, with {what}: both take longer than planned. "
        "It can be waited for, or taskset and CUDA_VISIBLE_DEVICES give each its own."
        for other in running()
        if (what := own.beside(other))
    ]


def running() -> list[Share]:
    """The sweeps of this user that run now, on this machine."""
    found: list[Share] = []
    for path in sorted(registry_folder().glob("*.json")):
        if not is_taken(path):
            path.unlink(missing_ok=True)  # its sweep was killed
            continue
        with suppress(ValueError, TypeError, KeyError, FileNotFoundError):  # of another version, or just gone
            kept: Any = json.loads(path.read_text())
            found.append(Share(**kept | {"allowed": tuple(kept["allowed"]), "cards": tuple(kept["cards"])}))
    return found


def share_of(name: str, resources: Resources) -> Share:
    """What a plan takes of this machine."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(number) for number in range(len(resources.cards))]
    cores = resources.cores_per_trial * resources.trials_at_once
    allowed = tuple(sorted(os.sched_getaffinity(0)))
    return Share(name, os.getpid(), cores, allowed, tuple(names[: len(resources.cards)]))


def registry_folder() -> Path:
    """Where running sweeps are known: a folder that is this user's alone."""
    return Path(tempfile.gettempdir()) / f"crack-sweeps-{os.getuid()}"
