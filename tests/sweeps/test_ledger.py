"""The ledger: what was recorded is there, in order, and one program writes."""

import errno
import json
import multiprocessing
import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from src.errors import UserError
from sweeps.leaderboard import TrialRow
from sweeps.ledger import NAME, Ledger, is_finished, locked, refuse_second_writer, writer


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / NAME)


def test_events_come_back_in_the_order_of_recording_with_their_details(ledger: Ledger):
    row = TrialRow("t0000-aa", {"lr": 0.1}, origin="default")
    ledger.record("session", trials=3)
    ledger.record("start", row, params=row.params, origin=row.origin)
    row.epochs = 2
    ledger.record_report(row, {"val/iou": 0.5, "lr": 0.1}, 0.5, "continue", finished=False)
    ledger.close()
    entries = list(Ledger(ledger.path, read_only=True).entries())
    assert [entry.kind for entry in entries] == ["session", "start", "report"]
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert entries[1].detail == {"params": {"lr": 0.1}, "origin": "default"}
    assert entries[2].detail == {
        "finished": False,
        "epoch": 2,
        "metrics": {"val/iou": 0.5, "lr": 0.1},
        "decision": "continue",
    }


def test_the_order_is_that_of_recording_whatever_the_clock_says(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    for year in (2030, 2020, 2025):
        ledger.record("session", year=year)
        ledger.database.execute("UPDATE event SET time = ? WHERE seq = last_insert_rowid()", (f"{year}-01-01",))
    assert [entry.detail["year"] for entry in ledger.entries()] == [2030, 2020, 2025]


def test_a_full_disk_is_one_sentence_and_what_was_recorded_stays(ledger: Ledger):
    ledger.record("session", trials=3)
    (pages,) = ledger.database.execute("PRAGMA page_count").fetchone()
    ledger.database.execute(f"PRAGMA max_page_count={pages}")
    numbers = iter(range(1000))

    def fill() -> None:
        for number in numbers:
            ledger.record("start", TrialRow(f"t{number}", {}, number=number), params={}, origin="x" * 999)

    with pytest.raises(UserError, match=r"cannot be written: database or disk is full. What it holds is safe"):
        fill()
    assert ledger.failure
    entries = list(ledger.entries())
    assert entries[0].kind == "session"
    assert {entry.trial for entry in entries[1:]} == {row["name"] for row in ledger.trials()}


def test_the_table_of_trials_says_how_each_one_stands(ledger: Ledger):
    row, other = TrialRow("t0000-aa", {"lr": 0.1}), TrialRow("t0001-bb", {"lr": 0.2}, number=1)
    ledger.record("start", row, params={}, origin="default")
    row.state, row.reason, row.epochs, row.score = "failed", "Diverged", 3, 0.25
    ledger.record("fail", row, also=[other], reason="Diverged", retry=False)
    first, second = ledger.trials()
    assert (first["state"], first["reason"], first["epochs"], first["score"]) == ("failed", "Diverged", 3, 0.25)
    assert (second["name"], second["params"], second["state"]) == ("t0001-bb", {"lr": 0.2}, "running")


def test_an_event_and_its_report_are_written_together_or_not_at_all(ledger: Ledger):
    row = TrialRow("t0000-aa", {})
    row.epochs = 1
    ledger.record_report(row, {}, 0.5, "continue", finished=False)
    with pytest.raises(sqlite3.IntegrityError):  # the same epoch once more
        ledger.record_report(row, {}, 0.6, "continue", finished=False)
    assert len(list(ledger.entries())) == 1


def record_until_killed(path: Path, connection: Any) -> None:
    ledger = Ledger(path)
    for number in range(10**6):
        ledger.record("session", number=number)
        connection.send(number)


def test_what_was_recorded_before_a_kill_is_there(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=record_until_killed, args=(tmp_path / NAME, theirs))
    process.start()
    told = [ours.recv() for _ in range(50)]
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    while ours.poll():
        told.append(ours.recv())
    kept = [entry.detail["number"] for entry in Ledger(tmp_path / NAME).entries()]
    assert kept[: len(told)] == told
    assert len(kept) <= len(told) + 1  # killed between the commit and the word


def test_a_ledger_whose_making_was_cut_off_is_made_again(tmp_path: Path):
    (tmp_path / NAME).touch()
    Ledger(tmp_path / NAME).record("session")
    assert len(list(Ledger(tmp_path / NAME).entries())) == 1


@pytest.mark.parametrize("content", [b"not a database, but long enough to be looked at" * 30, None])
def test_a_damaged_or_foreign_ledger_is_named(tmp_path: Path, content: bytes | None):
    path = tmp_path / NAME
    ledger = Ledger(path)
    for _ in range(200):
        ledger.record("session", text="x" * 100)
    ledger.close()
    whole = path.read_bytes()
    path.write_bytes(content or whole[: len(whole) // 2])
    with pytest.raises(UserError, match=f"{NAME} is not a ledger, or it is damaged"):
        Ledger(path)


def test_a_place_where_no_ledger_can_be_written_is_named(tmp_path: Path):
    with pytest.raises(UserError, match="cannot be opened: unable to open database file"):
        Ledger(tmp_path / "nowhere" / NAME)


def test_what_is_written_within_a_transaction_is_there_as_a_whole_or_not_at_all(ledger: Ledger):
    def killed_half_way() -> None:
        with ledger.transaction():
            ledger.put("trials", 7)
            ledger.record("session")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed_half_way()
    assert ledger.get("trials") is None
    assert list(ledger.entries()) == []
    with ledger.transaction():
        ledger.put("trials", 7)
        ledger.record("session")
    assert ledger.get("trials") == 7
    assert len(list(ledger.entries())) == 1


def test_a_ledger_of_another_format_is_named(ledger: Ledger):
    ledger.database.execute("PRAGMA user_version=99")
    with pytest.raises(UserError, match="its format 99 is not 1"):
        Ledger(ledger.path)


def test_reading_needs_a_ledger(tmp_path: Path):
    with pytest.raises(UserError, match="No ledger in"):
        Ledger(tmp_path / NAME, read_only=True)
    assert not (tmp_path / NAME).exists()


def test_all_that_is_read_beside_a_sweep_that_runs_is_of_one_moment(ledger: Ledger):
    row = TrialRow("t0000-aa", {})
    ledger.record("start", row, params={}, origin="default")
    reader = Ledger(ledger.path, read_only=True)
    row.state = "failed"
    ledger.record("fail", row, reason="it broke", retry=False)
    assert [entry.kind for entry in reader.entries()] == ["start"]
    assert reader.trials()[0]["state"] == "running"
    assert Ledger(ledger.path, read_only=True).trials()[0]["state"] == "failed"


def test_only_the_last_event_says_whether_a_sweep_is_finished(ledger: Ledger):
    assert not is_finished(ledger)
    ledger.record("finish")
    assert is_finished(ledger)
    ledger.record("session")
    assert not is_finished(ledger)


def test_values_about_the_sweep_are_json(ledger: Ledger):
    ledger.put("command", {"trials": 3})
    ledger.put("command", {"trials": 4})
    assert ledger.get("command") == {"trials": 4}
    assert ledger.get("nothing") is None
    assert json.loads(ledger.database.execute("SELECT value FROM sweep").fetchone()[0]) == {"trials": 4}


def hold(folder: Path, connection: Any) -> None:
    with locked(folder):
        connection.send(os.getpid())
        connection.recv()


def test_a_second_writer_is_told_who_writes_until_that_one_dies(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=hold, args=(tmp_path / "sweep", theirs))
    process.start()
    pid = ours.recv()
    with pytest.raises(UserError, match=f"is being written by process {pid}"), locked(tmp_path / "sweep"):
        pass
    os.kill(pid, signal.SIGKILL)
    process.join()
    (tmp_path / ".sweep.lock").write_text(f"process {os.getpid()}")  # the number is that of another process now
    assert writer(tmp_path / "sweep") is None
    refuse_second_writer(tmp_path / "sweep")
    with locked(tmp_path / "sweep"):
        assert writer(tmp_path / "sweep") == f"process {os.getpid()}"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_drive_without_locks_is_named_with_what_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("sweeps.locks.fcntl.flock", refuse)
    with pytest.raises(UserError, match="output_root=") as caught, locked(tmp_path / "sweep"):
        pass
    assert os.strerror(number) in str(caught.value)
    assert str(tmp_path) in str(caught.value)
