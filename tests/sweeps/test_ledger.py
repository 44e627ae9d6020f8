"""The ledger: what was recorded is there, in order, and one program writes."""

import json
import math
import multiprocessing
import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from src.errors import UserError
from sweeps.ledger import FORMAT, LEDGER_FILE, Ledger, is_finished
from sweeps.search.events import (
    KINDS,
    CheckpointsDeleted,
    Event,
    Failed,
    Finished,
    Interrupted,
    Lost,
    PlacesChanged,
    Reported,
    Requeued,
    Resumed,
    SessionBegan,
    Skipped,
    SpaceExhausted,
    Started,
)
from sweeps.search.scheduler import Decision
from sweeps.search.trial import Trial


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / LEDGER_FILE)


TRIAL = Trial("t0000-aa", {"lr": 0.1}, origin="default")

EVENTS: list[Event] = [
    SessionBegan(3, "abc", {"ray": "2"}, {"data": ["a", "b"]}),
    Started(TRIAL.name, TRIAL.params, "default", {"lr": {"name": "FloatDistribution"}}),
    Reported(TRIAL.name, 1, 0.5, {"val/iou": 0.5, "lr": 0.1}),
    Requeued(TRIAL.name),
    Skipped(TRIAL.name, "parameters 9 > 5"),
    Lost(TRIAL.name, "its node has died"),
    PlacesChanged(3, "node7 has joined"),
    Resumed(TRIAL.name),
    Reported(TRIAL.name, 2, -math.inf, {"val/iou": -math.inf}, finished=True),
    Failed(TRIAL.name, "it broke", retry=True),
    CheckpointsDeleted(TRIAL.name),
    SpaceExhausted(),
    Interrupted(),
    Finished(),
]


def test_every_kind_of_event_comes_back_as_it_was_in_the_order_of_recording(ledger: Ledger):
    assert {type(event) for event in EVENTS} == set(KINDS.values())
    decisions = [Decision.PAUSE if isinstance(event, Reported) else None for event in EVENTS]
    for event, decision in zip(EVENTS, decisions, strict=True):
        ledger.append(event, decision, [TRIAL])
    ledger.close()
    records = list(Ledger(ledger.path, read_only=True).records())
    assert [record.event for record in records] == EVENTS
    assert [record.decision for record in records] == decisions
    assert [record.seq for record in records] == list(range(1, len(EVENTS) + 1))


def test_a_write_that_was_undone_is_known(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    ledger.append(Finished(), None, [])
    assert not ledger.rolled_back

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ledger, "_put_event", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ledger.append(Finished(), None, [])
    assert ledger.rolled_back
    assert len(list(ledger.records())) == 1


def test_a_ledger_of_the_format_before_stays_so_until_a_session_is_opened(ledger: Ledger):
    ledger.database.execute("PRAGMA user_version=1")
    Ledger(ledger.path, read_only=True).close()
    assert ledger.database.execute("PRAGMA user_version").fetchone() == (1,)
    Ledger(ledger.path).close()
    assert ledger.database.execute("PRAGMA user_version").fetchone() == (1,)  # a refused --resume changes nothing
    ledger.upgrade()
    assert ledger.database.execute("PRAGMA user_version").fetchone() == (FORMAT,)


def test_a_missing_value_comes_back_as_no_number(ledger: Ledger):
    ledger.append(Reported(TRIAL.name, 1, math.nan, {}), Decision.STOP, [TRIAL])
    (record,) = ledger.records()
    assert isinstance(record.event, Reported)
    assert math.isnan(record.event.value)


def test_a_ledger_of_the_version_before_is_read(ledger: Ledger):
    """There a trial that had to wait at the end of a session had the decision ``wait``."""
    ledger.append(SessionBegan(3), None, [])
    ledger.append(Started(TRIAL.name, TRIAL.params, "default"), None, [TRIAL])
    ledger.append(Reported(TRIAL.name, 1, 0.5, {}), Decision.CONTINUE, [TRIAL])
    ledger.database.execute("UPDATE report SET decision = 'wait'")
    ledger.database.execute("UPDATE event SET detail = '{\"trials\": 3}' WHERE kind = 'session'")
    ledger.database.execute("UPDATE event SET detail = json_remove(detail, '$.space') WHERE kind = 'start'")
    found = [(record.event, record.decision) for record in ledger.records()]
    assert found[0] == (SessionBegan(3), None)
    assert found[2:] == [(Reported(TRIAL.name, 1, 0.5, {}), Decision.CONTINUE), (Requeued(TRIAL.name), None)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("kind = 'dance'", "'dance'"),
        ("detail = '{\"stars\": 3}'", "stars"),
        ("detail = '{ half'", "finish"),
        ("kind = 'report'", "report"),
    ],
)
def test_an_event_that_cannot_be_read_is_named(ledger: Ledger, change: str, words: str):
    ledger.append(Finished(), None, [])
    ledger.database.execute(f"UPDATE event SET {change}")
    with pytest.raises(UserError, match=words) as caught:
        list(ledger.records())
    assert "event 1 " in str(caught.value)


def test_the_order_is_that_of_recording_whatever_the_clock_says(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    for year in (2030, 2020, 2025):
        ledger.append(SessionBegan(year), None, [])
        ledger.database.execute("UPDATE event SET time = ? WHERE seq = last_insert_rowid()", (f"{year}-01-01",))
    assert [record.event for record in ledger.records()] == [SessionBegan(year) for year in (2030, 2020, 2025)]


def test_a_full_disk_is_one_sentence_and_what_was_recorded_stays(ledger: Ledger):
    ledger.append(SessionBegan(3), None, [])
    (pages,) = ledger.database.execute("PRAGMA page_count").fetchone()
    ledger.database.execute(f"PRAGMA max_page_count={pages}")
    numbers = iter(range(1000))

    def fill() -> None:
        for number in numbers:
            trial = Trial(f"t{number}", {}, number=number)
            ledger.append(Started(trial.name, {}, "x" * 999), None, [trial])

    with pytest.raises(UserError, match=r"disk is full.*--resume"):
        fill()
    assert ledger.failure
    first, *others = (record.event for record in ledger.records())
    assert first == SessionBegan(3)
    assert {event.trial for event in others if isinstance(event, Started)} == {row["name"] for row in ledger.trials()}


def test_the_table_of_trials_says_how_each_one_stands(ledger: Ledger):
    row, other = Trial("t0000-aa", {"lr": 0.1}), Trial("t0001-bb", {"lr": 0.2}, number=1)
    ledger.append(Started(row.name, {}, "default"), None, [row])
    row.state, row.reason, row.epochs, row.score = "failed", "Diverged", 3, 0.25
    ledger.append(Failed(row.name, "Diverged", retry=False), None, [row, other])
    first, second = ledger.trials()
    assert (first["state"], first["reason"], first["epochs"], first["score"]) == ("failed", "Diverged", 3, 0.25)
    assert (second["name"], second["params"], second["state"]) == ("t0001-bb", {"lr": 0.2}, "running")


def test_an_event_and_its_report_are_written_together_or_not_at_all(ledger: Ledger):
    ledger.append(Reported(TRIAL.name, 1, 0.5, {}), Decision.CONTINUE, [TRIAL])
    with pytest.raises(sqlite3.IntegrityError):  # the same epoch once more
        ledger.append(Reported(TRIAL.name, 1, 0.6, {}), Decision.CONTINUE, [TRIAL])
    assert len(list(ledger.records())) == 1


def record_until_killed(path: Path, connection: Any) -> None:
    ledger = Ledger(path)
    for number in range(10**6):
        ledger.append(SessionBegan(number), None, [])
        connection.send(number)


def test_what_was_recorded_before_a_kill_is_there(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=record_until_killed, args=(tmp_path / LEDGER_FILE, theirs))
    process.start()
    told = [ours.recv() for _ in range(50)]
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    while ours.poll():
        told.append(ours.recv())
    events = (record.event for record in Ledger(tmp_path / LEDGER_FILE).records())
    kept = [event.trials for event in events if isinstance(event, SessionBegan)]
    assert kept[: len(told)] == told
    assert len(kept) <= len(told) + 1  # killed between the commit and the word


def test_a_ledger_whose_making_was_cut_off_is_made_again(tmp_path: Path):
    (tmp_path / LEDGER_FILE).touch()
    Ledger(tmp_path / LEDGER_FILE).append(Finished(), None, [])
    assert len(list(Ledger(tmp_path / LEDGER_FILE).records())) == 1


@pytest.mark.parametrize("content", [b"not a database, but long enough to be looked at" * 30, None])
def test_a_damaged_or_foreign_ledger_is_named(tmp_path: Path, content: bytes | None):
    path = tmp_path / LEDGER_FILE
    ledger = Ledger(path)
    for _ in range(200):
        ledger.append(SessionBegan(1, "x" * 100), None, [])
    ledger.close()
    whole = path.read_bytes()
    path.write_bytes(content or whole[: len(whole) // 2])
    with pytest.raises(UserError, match=f"{LEDGER_FILE} is not a ledger, or it is damaged"):
        Ledger(path)


def test_a_place_where_no_ledger_can_be_written_is_named(tmp_path: Path):
    with pytest.raises(UserError, match="cannot be opened: unable to open database file"):
        Ledger(tmp_path / "nowhere" / LEDGER_FILE)


def test_what_is_written_within_a_transaction_is_there_as_a_whole_or_not_at_all(ledger: Ledger):
    def killed_half_way() -> None:
        with ledger.transaction():
            ledger.put("trials", 7)
            ledger.append(SessionBegan(1), None, [])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed_half_way()
    assert ledger.get("trials") is None
    assert list(ledger.records()) == []
    with ledger.transaction():
        ledger.put("trials", 7)
        ledger.append(SessionBegan(1), None, [])
    assert ledger.get("trials") == 7
    assert len(list(ledger.records())) == 1


def test_a_ledger_of_another_format_is_named(ledger: Ledger):
    ledger.database.execute("PRAGMA user_version=99")
    with pytest.raises(UserError, match="format 99"):
        Ledger(ledger.path)


def test_reading_needs_a_ledger(tmp_path: Path):
    with pytest.raises(UserError, match="No ledger in"):
        Ledger(tmp_path / LEDGER_FILE, read_only=True)
    assert not (tmp_path / LEDGER_FILE).exists()


def test_all_that_is_read_beside_a_sweep_that_runs_is_of_one_moment(ledger: Ledger):
    row = Trial("t0000-aa", {})
    ledger.append(Started(row.name, {}, "default"), None, [row])
    reader = Ledger(ledger.path, read_only=True)
    row.state = "failed"
    ledger.append(Failed(row.name, "it broke", retry=False), None, [row])
    assert [record.event for record in reader.records()] == [Started(row.name, {}, "default")]
    assert reader.trials()[0]["state"] == "running"
    assert Ledger(ledger.path, read_only=True).trials()[0]["state"] == "failed"


def test_only_the_last_event_says_whether_a_sweep_is_finished(ledger: Ledger):
    assert not is_finished(ledger)
    ledger.append(Finished(), None, [])
    assert is_finished(ledger)
    ledger.append(SessionBegan(1), None, [])
    assert not is_finished(ledger)


def test_values_about_the_sweep_are_json(ledger: Ledger):
    ledger.put("command", {"trials": 3})
    ledger.put("command", {"trials": 4})
    assert ledger.get("command") == {"trials": 4}
    assert ledger.get("nothing") is None
    assert json.loads(ledger.database.execute("SELECT value FROM sweep").fetchone()[0]) == {"trials": 4}
