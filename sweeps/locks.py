"""File locks. The kernel releases a lock when its process ends, even if it is killed.

The text in a lock file is only for people. Its process number may be out of date, or belong to another process now.
"""

import fcntl
import time
from pathlib import Path
from typing import IO

ATTEMPTS, WAIT_SECONDS = 20, 0.02
"""How often a taken lock is tried again, and the time between: ``is_taken`` holds a lock for a moment."""


def take(file: IO[str]) -> bool:
    """Lock a file until it is closed. Returns False if another process has the lock."""
    for _ in range(ATTEMPTS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(WAIT_SECONDS)
    return False


def is_taken(path: Path) -> bool:
    """Whether a running process has locked a file. On a drive without locks the answer is False."""
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
