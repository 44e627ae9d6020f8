"""Attempt numbers: a process that was believed dead writes no more into its trial's folder once another has taken over.

A file lock does the same within one machine. On a disk that several machines share, a lock may hold on one of them.
"""

import json
import os
from pathlib import Path

from src.atomic import replace_text

ATTEMPT_FILE = "attempt.json"


class Superseded(Exception):
    """A later attempt has taken over the trial."""


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
