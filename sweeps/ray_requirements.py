"""What Ray needs of a machine, looked at before anything is trained: a home folder, and a short one for its sockets."""

import os
from pathlib import Path

from src.errors import UserError

SOCKET = "/ray/session_2026-01-31_23-59-59_123456_1234567/sockets/plasma_store"
"""The longest of Ray's sockets, below the folder for temporary files."""
LONGEST = 107
"""Bytes of a socket's path on Linux."""


def require_ray_environment() -> None:
    """A home folder that Ray cannot keep its login token in, or a long path for its sockets, is a ``UserError``."""
    require_writable_home()
    require_short_socket_path()


def require_writable_home() -> None:
    """In a container with ``--user`` there is often none, or one that only root may write into."""
    try:
        home = Path.home()
    except RuntimeError as error:
        raise UserError(
            f"There is no home folder, in which Ray keeps a login token: HOME is not set, and user {os.getuid()} is "
            "not known here. Say HOME=FOLDER before the command, with any folder of yours."
        ) from error
    tokens = home / ".ray"
    if not os.access(tokens if tokens.is_dir() else home, os.W_OK | os.X_OK):
        raise UserError(
            f"Ray keeps a login token in the home folder, and {home} cannot be written into. Say HOME=FOLDER before "
            "the command, with any folder of yours."
        )


def require_short_socket_path() -> None:
    """Batch systems give each job a folder of its own, far below the root."""
    name = "RAY_TMPDIR" if os.environ.get("RAY_TMPDIR") else "TMPDIR"
    folder = os.environ.get(name, "")
    if len(os.fsencode(folder)) + len(SOCKET) > LONGEST:
        raise UserError(
            f"{name}={folder}: at most {LONGEST - len(SOCKET)} bytes are legal, for Ray has sockets below it, whose "
            "paths Linux limits. Say RAY_TMPDIR=FOLDER before the command, with a shorter one, such as /tmp."
        )
