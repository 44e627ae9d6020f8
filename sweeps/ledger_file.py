"""Opens the SQLite file of a ledger: for the one process that writes, and for all that read."""

import os
import sqlite3
import time
from pathlib import Path

from sweeps.network_disk import is_network_disk
from sweeps.writer import others_writer

LONGEST_READ_SECONDS = 60.0
"""How long to wait for a process that reads or writes at this moment."""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """A connection that keeps every commit. SQLite's WAL needs memory that all its users share, so one machine."""
    database = sqlite3.connect(path, isolation_level=None, timeout=LONGEST_READ_SECONDS)
    database.execute(f"PRAGMA journal_mode={'DELETE' if is_network_disk(path.parent) else 'WAL'}")
    database.execute("PRAGMA synchronous=FULL")
    return database


def snapshot(path: Path) -> sqlite3.Connection:
    """A copy in memory of what is recorded now, while a sweep on this or another machine may be writing."""
    end = time.monotonic() + LONGEST_READ_SECONDS
    while True:
        nobody_writes = others_writer(path.parent) is None
        before = commits(path)
        try:
            found = copy_of(path, nobody_writes)
        except sqlite3.OperationalError:
            if nobody_writes or not journal_of(path).exists() or time.monotonic() > end:
                raise
        else:
            if nobody_writes or (before == commits(path) and not journal_of(path).exists()):
                return found
            if time.monotonic() > end:
                raise sqlite3.OperationalError("it is written all the time")
        time.sleep(0.05)  # a commit takes some milliseconds


def copy_of(path: Path, nobody_writes: bool) -> sqlite3.Connection:
    mode = "mode=ro"
    if in_wal_mode(path) and not path.with_name(f"{path.name}-wal").exists():
        mode += "&immutable=1"  # nobody is writing: now a read-only folder is no hindrance either
    if journal_of(path).exists() and os.access(path, os.W_OK) and nobody_writes:
        mode = "mode=rw"  # its writer was killed: a reader undoes the last commit
    source = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, timeout=LONGEST_READ_SECONDS)
    copy = sqlite3.connect(":memory:", isolation_level=None)
    try:
        source.backup(copy)
    finally:
        source.close()
    return copy


def commits(path: Path) -> bytes:
    """SQLite's counter of commits (bytes 24 to 27). With a write-ahead log it stays as it is.

    A disk that several machines share may not pass on SQLite's own locks, so a copy is compared with it.
    """
    with path.open("rb") as file:
        return file.read(28)[24:]


def journal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-journal")


def in_wal_mode(path: Path) -> bool:
    """Whether a database has a write-ahead log (SQLite's file format, bytes 18 and 19)."""
    with path.open("rb") as file:
        return file.read(20)[18:] == b"\2\2"
