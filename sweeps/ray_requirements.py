"""Checks what Ray needs: a writable home folder, and a short path for its sockets."""

import os
from pathlib import Path

from src.errors import UserError

SOCKET = "/ray/session_2026-01-31_23-59-59_123456_1234567/sockets/plasma_store"
"""The longest path of Ray's sockets, below the temporary folder."""
LONGEST = 107
"""Linux limits the path of a socket to so many bytes."""


def require_ray_environment() -> None:
    """Raise a ``UserError`` if the home folder is not writable or the path for sockets is too long."""
    require_writable_home()
    require_short_socket_path()


def require_writable_home() -> None:
    """Raise a ``UserError`` without a writable home folder, as often in a container that runs with ``--user``."""
    try:
        home = Path.home()
    except RuntimeError as error:
        raise UserError(
            f"Ray needs a home folder for its login token, but HOME is not set and user {os.getuid()} has no entry in "
            "the user database. Put HOME=FOLDER before the command, with any folder that you can write to."
        ) from error
    tokens = home / ".ray"
    if not os.access(tokens if tokens.is_dir() else home, os.W_OK | os.X_OK):
        raise UserError(
            f"Ray keeps a login token in the home folder, but {home} is not writable. Put HOME=FOLDER before the "
            "command, with any folder that you can write to."
        )


def require_short_socket_path() -> None:
    """Raise a ``UserError`` if the temporary folder's path is too long, as a batch system's folder for a job may be."""
    name = "RAY_TMPDIR" if os.environ.get("RAY_TMPDIR") else "TMPDIR"
    folder = os.environ.get(name, "")
    if len(os.fsencode(folder)) + len(SOCKET) > LONGEST:
        raise UserError(
            f"{name}={folder}: must have at most {LONGEST - len(SOCKET)} bytes, because Linux limits the length of "
            "socket paths. Put RAY_TMPDIR=FOLDER before the command, with a shorter path such as /tmp."
        )
