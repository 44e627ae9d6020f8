"""Folders that make room for new ones without being lost."""

from datetime import datetime
from pathlib import Path


def move_aside(folder: Path) -> Path:
    """Rename a folder to its name and the time, with a number if that exists; returns where it is now."""
    stamped = folder.with_name(f"{folder.name}-{datetime.now().strftime('%Y%m%d-%H%M%S')}")
    aside, number = stamped, 1
    while aside.exists():
        number += 1
        aside = stamped.with_name(f"{stamped.name}-{number}")
    return folder.rename(aside)
