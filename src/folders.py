"""What lies at a path: folders that make room for new ones without being lost, and files that are none."""

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


def refuse_irregular(path: Path) -> None:
    """A folder, a pipe, a device or a link to nowhere is a ``UserError``: to read it would fail, wait, or never end."""
    if not path.is_file():
        why = "it is not a file" if path.exists() else "No such file"
        raise UserError(f"Cannot read {in_full(path)}: {why}.")


def in_full(path: Path) -> str:
    """A path for a sentence that it is not there: as it was given, and where that is, seen from the current folder."""
    return str(path) if path.is_absolute() else f"{path} ({path.absolute()})"
