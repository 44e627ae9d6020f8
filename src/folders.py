"""Paths: move old folders aside, list files, reject what is not a regular file."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from src.errors import UserError

FOREIGN_FOLDERS = ("__MACOSX", "@eaDir", "lost+found")
"""Folders that macOS's archives, Synology's drives and file systems add to a user's files."""


def move_aside(folder: Path) -> Path:
    """Rename a folder to its name and the time, with a number if that exists; returns the new path."""
    stamped = folder.with_name(f"{folder.name}-{datetime.now().strftime('%Y%m%d-%H%M%S')}")
    aside, number = stamped, 1
    while aside.exists():
        number += 1
        aside = stamped.with_name(f"{stamped.name}-{number}")
    return folder.rename(aside)


def refuse_irregular(path: Path) -> None:
    """A ``UserError`` for a folder, a pipe, a device or a broken link: reading it could fail, block or never end."""
    if not path.is_file():
        why = "it is not a file" if path.exists() else "No such file"
        raise UserError(f"Cannot read {in_full(path)}: {why}.")


def visible_files(folder: Path) -> list[Path]:
    """All files in a folder and its subfolders, sorted by path, without hidden ones and ``FOREIGN_FOLDERS``."""
    return sorted(here / name for here, _, names in visible_folders(folder) for name in names)


def visible_folders(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """A folder and all its subfolders, each with the names of its folders and of its files.

    Links to folders are followed, each real folder once, but not links to a parent of ``folder``. A folder that cannot
    be listed is an ``OSError``.
    """
    seen = {folder.resolve(), *folder.resolve().parents}

    def is_new(path: Path) -> bool:
        return not path.is_symlink() or path.resolve() not in seen

    for where, inner, names in os.walk(folder, followlinks=True, onerror=refuse):
        here = Path(where)
        inner[:] = sorted(name for name in inner if is_visible(name) and is_new(here / name))
        seen.update((here / name).resolve() for name in inner)
        yield here, inner, sorted(name for name in names if is_visible(name))


def refuse(error: OSError) -> None:
    raise error


def is_visible(name: str) -> bool:
    """Whether a file or folder is the user's: not hidden (macOS adds ._NAME.jpg beside NAME.jpg), not foreign."""
    return not name.startswith(".") and name not in FOREIGN_FOLDERS


def in_full(path: Path) -> str:
    """A path for an error sentence: as given and, if it is relative, also as an absolute path."""
    return str(path) if path.is_absolute() else f"{path} ({path.absolute()})"


def from_home(path: str) -> str:
    """Expand ``~/data``, as the shell does. The shell does not expand it within ``key=~/data``."""
    if path != "~" and not path.startswith("~/"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError as error:
        raise UserError(f"{path}: HOME is not set, so there is no home folder; write the full path.") from error


def user_path(text: str) -> Path:
    """A path from the command line; the ``type`` of all options that are paths."""
    return Path(from_home(text))
