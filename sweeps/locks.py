"""Locks on files. The kernel knows which process has one, and releases it when that process dies, however it dies.

The text in such a file is for people to read. The process number in it may be out of date, or belong to another
process now.
"""

import fcntl
import time
from pathlib import Path
from typing import IO

LOOKS, LOOK_SECONDS = 20, 0.02
"""How often, and how far apart, a taken lock is tried again: ``is_taken`` holds one for a moment."""


def take(file: IO[str]) -> bool:
    """Lock a file for this program until it is closed; False: another program has it."""
    for _ in range(LOOKS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(LOOK_SECONDS)
    return False


def is_taken(path: Path) -> bool:
    """Whether a program that lives has locked a file; on a drive without locks none has."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
