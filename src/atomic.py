"""Replaces files and folders in one step: a killed process leaves the complete old content or the complete new one.

After a power failure that holds only for files that were synced, as checkpoints are.

New content is first written beside its target under a hidden name, ``.0123456789ab.THREAD.partial``, with the suffix of
the target. If a process is killed, this file stays; the next process that writes the same target removes it.
"""

import hashlib
import os
import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_native_id


@contextmanager
def replaced_file(path: Path) -> Generator[Path]:
    """A path to write to; at the end the file replaces ``path``. After an error the old file stays."""
    partial = partial_beside(path)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Write text to a file in UTF-8, in one step."""
    with replaced_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def link_or_copy(source: Path, target: Path) -> bool:
    """Make a new file a hard link to ``source``, or a copy where the disk has none; returns whether it is a link."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
        return False
    return True


@contextmanager
def new_folder(folder: Path) -> Generator[Path]:
    """A folder to fill; at the end it is renamed to ``folder``. If that exists and is not empty, it is an ``OSError``.

    After an error nothing is left.
    """
    partial = partial_beside(folder)
    partial.mkdir(parents=True)
    try:
        yield partial
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def replaced_results(folder: Path, names: Iterable[str]) -> Generator[Path]:
    """A folder to fill; at the end its content replaces the files and folders with these names in ``folder``.

    Other files there stay. After an error nothing is changed.
    """
    partial = partial_beside(folder)
    partial.mkdir(parents=True)
    try:
        yield partial
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.rmtree(folder / name, ignore_errors=True)
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
        for path in partial.iterdir():
            path.rename(folder / path.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def partial_beside(path: Path) -> Path:
    """A hidden name beside ``path``, unique to this thread. It is a hash, so the real name may be long or strange.

    Leftovers for the same path of threads of this machine that no longer exist are removed.
    """
    path = path.absolute()  # "." has no name
    machine = os.uname().nodename  # another machine may write the same path on a shared disk
    digest = hashlib.sha256(f"{machine}/{path.name}".encode(errors="surrogateescape")).hexdigest()[:12]
    end = f".partial{path.suffix}"
    for left in path.parent.glob(f".{digest}.*{end}"):
        thread = left.name.removeprefix(f".{digest}.").removesuffix(end)
        if thread.isdigit() and not Path(f"/proc/{thread}").exists():
            shutil.rmtree(left, ignore_errors=True)
            with suppress(OSError):
                left.unlink()
    return path.with_name(f".{digest}.{get_native_id()}{end}")
