"""Keeps one bad trial from harming the others: a watchdog over its steps, and checks of host and GPU memory."""

import faulthandler
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from src.cards import MIB, count_cards
from src.errors import UserError
from src.models.micro_batch import is_out_of_memory

SPARE_SHARE = (
    0.05  # share of the machine's memory; with less free memory, a trial that uses more than its share is ended
)
CGROUP = Path("/sys/fs/cgroup")
HELD_MIB = 512
"""If so much less is free on a card than planned, another program or a process that is still ending uses it."""


class OutOfHostMemory(MemoryError):
    """The machine's memory is almost used up, and this process uses more than its share."""


class OutOfCardMemory(Exception):
    """A trial does not fit on a graphics card that no other trial used: it would not fit the next time either."""


class CardWasFull(Exception):
    """A trial ran out of memory on a graphics card that others used too: it may fit the next time."""


class CardLost(Exception):
    """The graphics card that a sweep was planned for cannot be used any more, so no trial can be trained."""


def require_card() -> None:
    """Raise ``CardLost`` if torch cannot use any graphics card."""
    try:
        count_cards("cuda")
    except UserError as error:
        raise CardLost(str(error)) from error


@contextmanager
def classify_gpu_out_of_memory(trials_per_card: int, missing_mib: int) -> Generator[None]:
    """Turn torch's out-of-memory error into ``OutOfCardMemory``, or ``CardWasFull`` if others used the card too.

    ``missing_mib``: how much of the planned memory was not free when the trial began.
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
            raise CardWasFull(f"{missing_mib} MiB of the card were in use when the trial began. {first}") from error
        raise OutOfCardMemory(first) from error


class Watchdog:
    """Ends the process if ``feed`` is not called for some time, after writing the stacks of all threads to a file.

    It is a C thread, so it also works while Python hangs in a library. The file is kept, even if the trial succeeds in
    its second attempt.
    """

    def __init__(self, seconds: float, path: Path) -> None:
        self.seconds, self.path = seconds, path
        self.file: TextIO | None = None

    def feed(self) -> None:
        """Report progress: the time starts again."""
        if self.file is None:
            self.file = self.path.open("a")
        faulthandler.dump_traceback_later(self.seconds, exit=True, file=self.file)

    def pause(self) -> None:
        """Stop watching until the next ``feed``."""
        faulthandler.cancel_dump_traceback_later()
        if self.file is not None:
            self.file.close()
            self.file = None
            if self.path.is_file() and not self.path.stat().st_size:
                self.path.unlink()


def guard_memory(trials_at_once: int) -> None:
    """Raise ``OutOfHostMemory`` if the machine's memory is almost used up and this process uses more than its share.

    Ray's own memory monitor would end the whole sweep, and may choose a trial that is not the cause.
    """
    total, free = machine_memory()
    if free < SPARE_SHARE * total and (own := own_memory()) > (1 - SPARE_SHARE) * total / (trials_at_once + 1):
        raise OutOfHostMemory(
            f"{free // MIB} of this machine's {total // MIB} MiB are free, and this trial uses {own // MIB} MiB"
        )


def machine_memory() -> tuple[int, int]:
    """Bytes of memory: total and free. A control group with a lower limit counts instead of the machine."""
    pages = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, free = (int(pages[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    limit = _number(CGROUP / "memory.max")
    if limit is not None and limit < total:
        used = (_number(CGROUP / "memory.current") or 0) - _reclaimable()
        return limit, min(free, limit - used)
    return total, free


def own_memory() -> int:
    """Bytes that only this process uses."""
    _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_text().split())
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def _number(path: Path) -> int | None:
    """The number in a file; None if the file does not exist or contains ``max``."""
    text = path.read_text().strip() if path.is_file() else "max"
    return int(text) if text != "max" else None


def _reclaimable() -> int:
    """Bytes of the control group that are file cache, which the kernel frees when needed."""
    path = CGROUP / "memory.stat"
    lines = path.read_text().splitlines() if path.is_file() else []
    counts = dict(line.split() for line in lines)
    return int(counts.get("inactive_file", 0)) + int(counts.get("active_file", 0))
