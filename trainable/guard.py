"""What keeps one bad trial from spoiling the others: a watchdog over its steps, and limits on its memory."""

import faulthandler
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from src.cards import MIB, count_cards
from src.errors import UserError
from src.models.device import is_out_of_memory

SPARE_SHARE = 0.05  # of the machine's memory, below which the largest trial has to go
CGROUP = Path("/sys/fs/cgroup")
HELD_MIB = 512
"""Less free on a card than was planned with: another program, or a process that is still ending, holds it."""


class OutOfHostMemory(MemoryError):
    """The machine's memory is almost gone, and this process has more of it than its share."""


class OutOfCardMemory(Exception):
    """A trial does not fit on the graphics card that it had to itself: it would not fit the next time either."""


class CardWasFull(Exception):
    """A trial ran out of the memory of a graphics card that others used too: the next time it may fit."""


class CardLost(Exception):
    """The graphics card that a sweep was planned for cannot be used any more: no trial could be trained now."""


def require_card() -> None:
    """A card that torch can use, or ``CardLost``."""
    try:
        count_cards("cuda")
    except UserError as error:
        raise CardLost(str(error)) from error


@contextmanager
def classify_gpu_out_of_memory(trials_per_card: int, missing_mib: int) -> Generator[None]:
    """Say of a card whose memory runs out within whether the trial had it to itself.

    ``missing_mib``: of the memory that was planned with, what was not free when the trial began.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        first = str(error).strip().partition("\n")[0]
        if trials_per_card > 1:
            raise CardWasFull(f"{trials_per_card} trials share the card. {first}") from error
        if missing_mib > HELD_MIB:
            raise CardWasFull(f"{missing_mib} MiB of the card were held by others when it began. {first}") from error
        raise OutOfCardMemory(first) from error


class Watchdog:
    """Ends the process, with the stacks of all its threads in a file, when ``feed`` is not called for some time.

    It is a thread in C, so it also works while Python itself hangs in a library. Stacks stay in the file, also when the
    trial is tried again and goes well.
    """

    def __init__(self, seconds: float, path: Path) -> None:
        self.seconds, self.path = seconds, path
        self.file: TextIO | None = None

    def feed(self) -> None:
        """There was progress: count anew from here."""
        if self.file is None:
            self.file = self.path.open("a")
        faulthandler.dump_traceback_later(self.seconds, exit=True, file=self.file)

    def rest(self) -> None:
        """No progress is expected until the next ``feed``."""
        faulthandler.cancel_dump_traceback_later()
        if self.file is not None:
            self.file.close()
            self.file = None
            if self.path.is_file() and not self.path.stat().st_size:
                self.path.unlink()


def guard_memory(trials_at_once: int) -> None:
    """Raise ``OutOfHostMemory`` if the machine's memory is almost gone and this process has more than its share.

    Ray's own monitor would end the whole sweep, and may choose an innocent trial.
    """
    total, free = machine_memory()
    if free < SPARE_SHARE * total and (own := own_memory()) > (1 - SPARE_SHARE) * total / (trials_at_once + 1):
        raise OutOfHostMemory(
            f"{free // MIB} MiB of this machine's {total // MIB} MiB are left, and this trial has {own // MIB} MiB"
        )


def machine_memory() -> tuple[int, int]:
    """Bytes of memory in total, and those that are free; those of the control group, where it has fewer."""
    pages = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, free = (int(pages[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    limit = _number(CGROUP / "memory.max")
    if limit is not None and limit < total:
        used = (_number(CGROUP / "memory.current") or 0) - _reclaimable()
        return limit, min(free, limit - used)
    return total, free


def own_memory() -> int:
    """Bytes that this process holds and shares with none."""
    _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_text().split())
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def _number(path: Path) -> int | None:
    """The number in a file; None if there is no such file, or it says ``max``."""
    text = path.read_text().strip() if path.is_file() else "max"
    return int(text) if text != "max" else None


def _reclaimable() -> int:
    """Bytes of the control group that are a cache of files: the kernel gives them back."""
    path = CGROUP / "memory.stat"
    lines = path.read_text().splitlines() if path.is_file() else []
    counts = dict(line.split() for line in lines)
    return int(counts.get("inactive_file", 0)) + int(counts.get("active_file", 0))
