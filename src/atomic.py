"""Files and folders that are replaced in one step: a killed process leaves the old content or the new one, whole.

After a power failure that holds only for what was synced, as checkpoints are.

What is being written lies beside its place under a hidden name, ``.0123456789ab.THREAD.partial``, with the suffix of
what it becomes. A killed process leaves it there; the next one that writes the same removes it.
"""

import hashlib
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_native_id


@contextmanager
def replaced_file(path: Path) -> Generator[Path]:
    """A path to write a file at, which takes the place of ``path`` at the end; after an error the old file stays."""
    partial = partial_beside(path)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Let a file hold this text, in UTF-8."""
    with replaced_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def new_folder(folder: Path) -> Generator[Path]:
    """A folder to fill, which becomes ``folder`` at the end: an empty one gives way, any other is an ``OSError``.

    After an error nothing of it is left.
    """
    partial = partial_beside(folder)
    partial.mkdir(parents=True)
    try:
        yield partial
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def partial_beside(path: Path) -> Path:
    """A hidden name beside ``path`` of this thread's own, whatever length and characters the real name has.

    What threads of this machine that are gone left for the same path is removed.
    """
    machine = os.uname().nodename  # another one may write the same on a shared disk
    digest = hashlib.sha256(f"{machine}/{path.name}".encode(errors="surrogateescape")).hexdigest()[:12]
    end = f".partial{path.suffix}"
    for left in path.parent.glob(f".{digest}.*{end}"):
        thread = left.name.removeprefix(f".{digest}.").removesuffix(end)
        if thread.isdigit() and not Path(f"/proc/{thread}").exists():
            shutil.rmtree(left, ignore_errors=True)
            with suppress(OSError):
                left.unlink()
    return path.with_name(f".{digest}.{get_native_id()}{end}")
