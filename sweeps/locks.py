"""Locks on files: the kernel knows who has one, and gives it back when that process dies, however it dies.

What stands in such a file is for people to read. It may be of a process that died, and of another one with its number.
"""

import fcntl
import time
from pathlib import Path
from typing import IO

LOOKS, LOOK_SECONDS = 20, 0.02
"""How often, and how far apart, a lock is tried that another has: one that only looks has it for a moment."""


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
