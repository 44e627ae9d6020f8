"""What lies at a path: folders that make room for new ones without being lost, and files that are none."""

import os
import shutil
from datetime import datetime
from pathlib import Path

from src.errors import UserError


def move_aside(folder: Path) -> Path:
    """Rename a folder to its name and the time, with a number if that exists; returns where it is now."""
    stamped = folder.with_name(f"{folder.name}-{datetime.now().strftime('%Y%m%d-%H%M%S')}")
    aside, number = stamped, 1
    while aside.exists():
        number += 1
        aside = stamped.with_name(f"{stamped.name}-{number}")
    return folder.rename(aside)


def partial_beside(folder: Path) -> Path:
    """A name of this process's own for what is to become ``folder``: another may be writing the same just now.

    What processes that were killed left under theirs is removed.
    """
    start, end = f".{folder.name}.", ".partial"
    for path in folder.parent.iterdir() if folder.parent.is_dir() else ():
        pid = path.name.removeprefix(start).removesuffix(end)
        if path.name == f"{start}{pid}{end}" and pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(path, ignore_errors=True)
    return folder.with_name(f"{start}{os.getpid()}{end}")


def refuse_irregular(path: Path) -> None:
    """A folder, a pipe, a device or a link to nowhere is a ``UserError``: to read it would fail, wait, or never end."""
    if not path.is_file():
        why = "it is not a file" if path.exists() else "No such file"
        raise UserError(f"Cannot read {path}: {why}.")
