"""The file of a ledger, on a disk of this machine and on one that several machines share."""

import json
import multiprocessing
import os
import sqlite3
from contextlib import nullcontext
from pathlib import Path
from threading import Thread

import pytest

import sweeps.ledger_file
from src.errors import UserError
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.ledger_file import journal_of, snapshot
from sweeps.search.events import Finished, SessionBegan
from sweeps.writer import locked

OTHER = json.dumps({"pid": 7, "host": "node7", "boot": "of another machine"})
"""A lock file of a process on another machine."""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / LEDGER_FILE)


@pytest.fixture
def on_network_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sweeps.ledger_file.is_network_disk", lambda folder: True
    )  # pyright: ignore[reportUnknownLambdaType]


@pytest.mark.usefixtures("on_network_disk")
def test_on_a_network_disk_no_memory_is_shared_between_machines_and_a_reader_does_not_hold_up_the_writer(
    tmp_path: Path,
):
    ledger = Ledger(tmp_path / LEDGER_FILE)
    ledger.append(SessionBegan(1), None, [])
    reader = Ledger(ledger.path, read_only=True)
    records = reader.records()
    assert next(records).event == SessionBegan(1)
    ledger.append(Finished(), None, [])  # while the reader is at work
    assert list(records) == []
    assert [path.name for path in tmp_path.iterdir()] == [LEDGER_FILE]


def test_a_ledger_that_was_moved_to_a_network_disk_is_changed_when_it_is_written(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    ledger.append(SessionBegan(1), None, [])
    ledger.close()
    monkeypatch.setattr(
        "sweeps.ledger_file.is_network_disk", lambda folder: True
    )  # pyright: ignore[reportUnknownLambdaType]
    moved = Ledger(ledger.path)
    assert moved.database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert [record.event for record in moved.records()] == [SessionBegan(1)]


def die_within_a_commit(path: Path, spilled: bool) -> None:
    sweeps.ledger_file.is_network_disk = lambda folder: True  # pyright: ignore[reportUnknownLambdaType]
    ledger = Ledger(path)
    if spilled:
        ledger.database.execute("PRAGMA cache_size=1")  # so that changed pages go to the file before the commit
    ledger.database.execute("BEGIN IMMEDIATE")
    for number in range(1000 if spilled else 1):
        ledger.database.execute("INSERT INTO sweep VALUES (?, ?)", (f"key {number}", json.dumps("x" * 1000)))
    os._exit(0)


@pytest.mark.usefixtures("on_network_disk")
@pytest.mark.parametrize("spilled", [True, False])
@pytest.mark.parametrize("by_the_next_writer", [True, False])
def test_after_a_writer_that_died_in_a_commit_all_before_it_is_read(
    tmp_path: Path, spilled: bool, by_the_next_writer: bool
):
    """SQLite leaves a journal, which is undone if it counts already, and stays where it is if not."""
    folder = tmp_path / "sweep"
    folder.mkdir()
    ledger = Ledger(folder / LEDGER_FILE)
    ledger.put("trials", 3)
    ledger.close()
    process = multiprocessing.get_context("spawn").Process(target=die_within_a_commit, args=(ledger.path, spilled))
    process.start()
    process.join()
    assert journal_of(ledger.path).exists()
    with locked(folder) if by_the_next_writer else nullcontext():
        reader = Ledger(ledger.path, read_only=True)
        assert reader.get("trials") == 3
        assert reader.get("key 0") is None
        Ledger(ledger.path).put("trials", 4)


@pytest.mark.usefixtures("on_network_disk")
def test_a_commit_that_is_under_way_is_waited_for_and_never_undone(tmp_path: Path):
    """Of a writer on another machine, whose lock does not reach here: only the lock file beside the folder names it."""
    folder = tmp_path / "sweep"
    folder.mkdir()
    with locked(folder):
        ledger = Ledger(folder / LEDGER_FILE)
        ledger.put("trials", 3)
        (tmp_path / ".sweep.lock").write_text(OTHER)
        journal = journal_of(ledger.path)
        journal.write_bytes(b"of a commit that is under way")
        found: list[sqlite3.Connection] = []
        reader = Thread(target=lambda: found.append(snapshot(ledger.path)))
        reader.start()
        reader.join(0.3)
        assert reader.is_alive()
        assert journal.exists()
        journal.unlink()
        reader.join(10)
        assert not reader.is_alive()


def test_a_process_whose_lock_was_taken_writes_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "sweeps.ledger.is_network_disk", lambda folder: True
    )  # pyright: ignore[reportUnknownLambdaType]
    folder = tmp_path / "sweep"
    folder.mkdir()
    with locked(folder):
        ledger = Ledger(folder / LEDGER_FILE)
        ledger.put("trials", 3)
        (tmp_path / ".sweep.lock").write_text(OTHER)
        with pytest.raises(UserError, match="taken over by process 7 on node7"):
            ledger.put("trials", 4)
        assert ledger.get("trials") == 3
        assert ledger.failure is not None  # which the user is told, whatever Ray makes of it
    assert (tmp_path / ".sweep.lock").read_text() == OTHER  # the name of the process that has the folder now
