"""Attempt numbers: a process that was believed dead writes no more into its trial's folder once another has taken over.

A file lock does the same within one machine. On a disk that several machines share, a lock may hold on one of them.
"""

import json
import logging
import os
from pathlib import Path

from filelock import FileLock, Timeout

from src.atomic import replace_text

ATTEMPT_FILE = "attempt.json"
LOCK_FILE = ".lock"
ORPHAN_SECONDS = 60.0
"""How long to wait for a process that keeps a trial's folder: of a killed sweep, or of a machine that hangs."""


class Superseded(Exception):
    """A later attempt has taken over the trial."""


def lock_folder(folder: Path, seconds: float | None = None) -> FileLock:
    """Take a trial's folder. A process that keeps it for ``seconds`` is believed dead, and the lock file is made anew.

    ``seconds``: by default ``ORPHAN_SECONDS``.
    """
    path, seconds = folder / LOCK_FILE, ORPHAN_SECONDS if seconds is None else seconds
    lock = FileLock(path, timeout=seconds)
    try:
        lock.acquire()
    except Timeout:
        logging.warning("another process keeps %s locked; its attempt is over", folder)
        path.unlink(missing_ok=True)
        lock = FileLock(path, timeout=seconds)
        lock.acquire()
    return lock


def take_over(folder: Path, attempt: int) -> None:
    """Record in a trial's folder that this attempt writes from now on. A later one in it is ``Superseded``."""
    require_latest(folder, attempt)
    about = {"attempt": attempt, "host": os.uname().nodename, "pid": os.getpid()}
    replace_text(folder / ATTEMPT_FILE, json.dumps(about))


def require_latest(folder: Path, attempt: int) -> None:
    """Raise ``Superseded`` if a later attempt has taken over the folder."""
    path = folder / ATTEMPT_FILE
    if not path.is_file():
        return
    latest = json.loads(path.read_text())
    if latest["attempt"] > attempt:
        raise Superseded(
            f"attempt {attempt} of {folder.name} was believed dead: attempt {latest['attempt']} (process "
            f"{latest['pid']} on {latest['host']}) has taken over"
        )
