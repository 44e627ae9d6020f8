"""Paths: move old folders aside, list files, reject what is not a regular file."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from src.errors import UserError

FOREIGN_FOLDERS = ("__MACOSX", "@eaDir", "lost+found")
"""What macOS's archives, Synology's drives and file systems put beside a user's files."""


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


def visible_files(folder: Path) -> list[Path]:
    """All files in a folder and in the folders below it, by path; without hidden ones and ``FOREIGN_FOLDERS``."""
    return sorted(here / name for here, _, names in visible_folders(folder) for name in names)


def visible_folders(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """A folder and those below it, each with the names of its folders and of its files.

    Links to folders are followed, each real folder once; a link to a folder that ``folder`` lies in is not. A folder
    that cannot be listed is an ``OSError``.
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
    """Whether a file or folder is the user's: macOS puts ._NAME.jpg beside NAME.jpg."""
    return not name.startswith(".") and name not in FOREIGN_FOLDERS


def in_full(path: Path) -> str:
    """A path for a sentence that it is not there: as it was given, and where that is, seen from the current folder."""
    return str(path) if path.is_absolute() else f"{path} ({path.absolute()})"


def from_home(path: str) -> str:
    """``~/data`` as the shell would have it; it leaves the tilde within ``key=~/data``, which would name a folder."""
    if path != "~" and not path.startswith("~/"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError as error:
        raise UserError(f"{path}: there is no home folder, for HOME is not set; name the folder itself.") from error


def user_path(text: str) -> Path:
    """A path of the command line: the ``type`` of all options that are one."""
    return Path(from_home(text))
