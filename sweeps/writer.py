"""Only one process at a time writes into a sweep's folder: the one that holds the lock beside it.

The lock file names the process, its machine and the start of the machine. Some network disks keep a lock on one machine
only. There the process also renews the time of the file, and a second machine looks for that before it writes.
"""

import json
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Thread

from src.errors import UserError
from sweeps.locks import is_taken, take
from sweeps.network_disk import is_network_disk

BOOT = Path("/proc/sys/kernel/random/boot_id")
RENEWED_SECONDS = 10.0
"""Between two renewals of the lock file's time."""
SILENT_SECONDS = 35.0
"""A process whose lock file keeps its time for so long does not write any more."""


@dataclass(frozen=True)
class Writer:
    """The process that writes, or has written, into a sweep's folder."""

    pid: int
    host: str
    boot: str
    """Changes with every start of a machine, and differs between machines of one name."""

    def __str__(self) -> str:
        return f"process {self.pid}" if self.boot == boot() else f"process {self.pid} on {self.host}"


def this_process() -> Writer:
    return Writer(os.getpid(), os.uname().nodename, boot())


def boot() -> str:
    return BOOT.read_text().strip()


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Lock a sweep's folder for writing. If another process has the lock, raise a ``UserError`` that names it.

    The kernel releases the lock when the process ends, even if it is killed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    shared, path = is_network_disk(folder.parent), lock_of(folder)
    with path.open("a+") as file:
        try:
            acquired = take(file)
        except OSError as error:  # some network drives do not support locks
            raise UserError(
                f"{folder.parent}: files cannot be locked there ({error.strerror}), which a sweep needs. Use "
                "output_root=FOLDER with a folder on another disk; Lustre locks files if it is mounted with -o flock."
            ) from error
        if not acquired:
            refuse_second_writer(folder)
            raise UserError(f"Another process is writing to {folder}: wait for it, or stop it.")
        if shared:
            refuse_writer_on_another_machine(folder)
        file.truncate(0)
        file.write(json.dumps(asdict(this_process())))
        file.flush()
        os.fsync(file.fileno())  # other machines are to read it now
        try:
            with renewed(path) if shared else nullcontext():
                yield
        finally:
            if read_writer(path) == this_process():  # nobody has taken it over
                file.truncate(0)


@contextmanager
def renewed(path: Path) -> Generator[None]:
    """Renew a file's time while the block runs."""
    ended = Event()

    def renew() -> None:
        while not ended.wait(RENEWED_SECONDS):
            with suppress(OSError):  # such as of a server that restarts
                if read_writer(path) == this_process():
                    os.utime(path)

    thread = Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def refuse_second_writer(folder: Path) -> None:
    """Raise a ``UserError`` if another process is writing to the folder."""
    if process := writer(folder):
        raise UserError(f"{folder} is in use by {process}: wait for it, or stop it.")


def refuse_writer_on_another_machine(folder: Path) -> None:
    """Wait until it is clear that the last writer, if it was on another machine and did not end in order, has ended."""
    path = lock_of(folder)
    before = read_writer(path)
    if before is None or before.boot == boot():
        return
    print(f"Waiting {SILENT_SECONDS:.0f} s, as {before} may still write to {folder}.", flush=True)
    end, time_of_lock = time.monotonic() + SILENT_SECONDS, time_of(path)
    while time.monotonic() < end:
        time.sleep(SILENT_SECONDS / 10)
        if time_of(path) != time_of_lock:
            now = read_writer(path) or before
            raise UserError(f"{folder} is in use by {now}: wait for it, or stop it.")


def refuse_lost_lock(folder: Path) -> None:
    """Raise a ``UserError`` if another process has taken the folder, because this one was silent for too long."""
    process = read_writer(lock_of(folder))
    if process is not None and process != this_process():
        raise UserError(
            f"{folder} was taken over by {process}, because this process did not answer for {SILENT_SECONDS:.0f} s. It "
            "ends here; all that it has recorded is safe."
        )


def time_of(path: Path) -> int:
    """When a file was last changed, in nanoseconds. Opening it makes NFS ask the server."""
    with path.open() as file:
        return os.fstat(file.fileno()).st_mtime_ns


def writer(folder: Path) -> str | None:
    """The process that is writing to a sweep's folder, such as ``process 123 on node7``; None if there is none."""
    path = lock_of(folder)
    process = read_writer(path)
    if is_taken(path):
        return "a process that has just started" if process is None else str(process)
    if process is None or process.boot == boot() or not is_network_disk(folder.parent):
        return None
    return str(process) if time.time() - time_of(path) / 1e9 < SILENT_SECONDS else None  # its lock may not reach here


def others_writer(folder: Path) -> str | None:
    """The same, but for this process."""
    return None if read_writer(lock_of(folder)) == this_process() else writer(folder)


def read_writer(path: Path) -> Writer | None:
    """The process that a lock file names; None if there is no file, or it is empty or of an older version."""
    try:
        return Writer(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def lock_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")
