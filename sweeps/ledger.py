"""The ledger of a sweep: an SQLite file with every event in order, each written before anything acts on it.

Only one process at a time writes (``sweeps.writer``). A commit is on the disk when it returns (``synchronous=FULL``),
so recorded events survive a crash. Readers take a copy into memory, so none of them holds up the writer. ``seq`` gives
the order; the clock does not matter. Tables:

- ``sweep``: keys and JSON values: the command, the scheduler, and the identity of code, data and settings;
- ``event``: everything that happened, in order; the kinds are ``sweeps.search.events.KINDS``;
- ``report``: a trial's metrics after an epoch, the value of the search's metric, and the scheduler's decision;
- ``trial``: number, name, parameters, and current state (state, epochs, score, reason) of each trial.
"""

import json
import math
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from src.errors import UserError
from sweeps.ledger_file import open_for_writing, snapshot
from sweeps.network_disk import is_network_disk
from sweeps.search.events import KINDS, Event, Record, Reported, Requeued, TrialEvent
from sweeps.search.scheduler import Decision
from sweeps.search.trial import Trial
from sweeps.writer import refuse_lost_lock

LEDGER_FILE = "ledger.sqlite"
FORMAT = 6  # raise it when a table or an event changes
READABLE = (1, 2, 3, 4, 5, FORMAT)
"""In format 1 a decision may be ``wait``, and the rules of a search have another form (``sweeps.recorded``); before
format 3 no trial is ``lost``, and before format 4 the ``places`` do not change; before format 5 no trial is
started ``to_end``, and before format 6 none is ``skipped``."""

SCHEMA = """
CREATE TABLE sweep (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE trial (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, params TEXT NOT NULL, origin TEXT NOT NULL,
    state TEXT NOT NULL, epochs INTEGER NOT NULL, score REAL, reason TEXT NOT NULL
);
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, kind TEXT NOT NULL, trial TEXT, detail TEXT NOT NULL
);
CREATE TABLE report (
    seq INTEGER PRIMARY KEY REFERENCES event, trial TEXT NOT NULL, epoch INTEGER NOT NULL, value REAL,
    decision TEXT NOT NULL, metrics TEXT NOT NULL, UNIQUE (trial, epoch)
);
"""


IN_COLUMNS = ("trial", "epoch", "value", "metrics")
"""Fields of events that have their own columns; all others are in ``detail`` as JSON."""
WAIT = "wait"
"""A decision in older ledgers: the trial would have continued, but waits because the session was over."""


class Ledger:
    """A sweep's ledger, open for writing, or for reading a snapshot while a sweep may be running."""

    def __init__(self, path: Path, read_only: bool = False) -> None:
        """Open the file, or create it. A file that is damaged or not a ledger is a ``UserError``."""
        self.path = path
        self.failure: Exception | None = None
        """Why the last write failed, if it did."""
        self.rolled_back = False
        """Whether a write was undone, by a failure or a second Ctrl-C: then the study is ahead of what is recorded."""
        if read_only and not path.is_file():
            raise UserError(f"No ledger in {path.parent}: it has no sweep, or one of an older version.")
        try:
            self.database = snapshot(path) if read_only else open_for_writing(path)
            if not read_only and not self.database.execute("SELECT 1 FROM sqlite_master").fetchone():
                self.database.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version={FORMAT}; COMMIT;")
            (version,) = self.database.execute("PRAGMA user_version").fetchone()
            (sound,) = self.database.execute("PRAGMA quick_check").fetchone()
        except sqlite3.OperationalError as error:  # a full disk, or no permission to write
            raise UserError(f"{path} cannot be opened: {error}.") from error
        except sqlite3.DatabaseError as error:
            raise UserError(f"{path} is not a ledger, or it is damaged: {error}.") from error
        self._check(version, sound)
        self.shared = not read_only and is_network_disk(path.parent)
        """Whether several machines may write here, so that each commit looks whether the lock is still ours."""

    def upgrade(self) -> None:
        """Mark the ledger as of this version's format: an older version cannot read what will be added."""
        self.database.execute(f"PRAGMA user_version={FORMAT}")

    def _check(self, version: int, sound: str) -> None:
        if sound != "ok":
            raise UserError(f"{self.path} is damaged: {sound}.")
        if version not in READABLE:
            raise UserError(
                f"{self.path} has the ledger format {version}; this version reads the formats 1 to {FORMAT}."
            )

    def close(self) -> None:
        self.database.close()

    def put(self, key: str, value: Any) -> None:
        """Store a JSON value about the whole sweep."""
        with self.transaction():
            self.database.execute("INSERT OR REPLACE INTO sweep VALUES (?, ?)", (key, json.dumps(value)))

    def get(self, key: str) -> Any:
        """The stored value about the whole sweep; None if there is none."""
        row = self.database.execute("SELECT value FROM sweep WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else None

    def append(self, event: Event, decision: Decision | None, trials: Iterable[Trial]) -> None:
        """Write an event, the decision, and the state of these trials after it. It is on the disk on return."""
        with self.transaction():
            for trial in trials:
                self._put_trial(trial)
            seq = self._put_event(event)
            if isinstance(event, Reported):
                metrics = json.dumps(dict(event.metrics))
                content = (seq, event.trial, event.epoch, event.value, decision, metrics)
                self.database.execute("INSERT INTO report VALUES (?, ?, ?, ?, ?, ?)", content)

    def records(self) -> Iterator[Record]:
        """All recorded events, in order."""
        query = """SELECT event.seq, kind, event.trial, detail, epoch, value, metrics, decision, time
            FROM event LEFT JOIN report USING (seq) ORDER BY seq"""
        for seq, kind, trial, detail, epoch, value, metrics, decision, time in self.database.execute(query):
            if kind not in KINDS:
                raise UserError(f"{self.path}: event {seq} is of the unknown kind '{kind}'; a newer version wrote it.")
            try:
                content: dict[str, Any] = json.loads(detail) | ({"trial": trial} if trial else {})
                if kind == "report":
                    value = math.nan if value is None else value
                    content |= {"epoch": epoch, "value": value, "metrics": json.loads(metrics)}
                event = KINDS[kind](**content)
                decided = Decision.CONTINUE if decision == WAIT else Decision(decision) if decision else None
            except (TypeError, ValueError) as error:
                raise UserError(f"{self.path}: event {seq} ({kind}) cannot be read: {error}.") from error
            yield Record(seq, event, decided, time)
            if decision == WAIT:
                yield Record(seq, Requeued(trial), None, time)

    def trials(self) -> list[dict[str, Any]]:
        """The table of trials in the order of their numbers: name, params, origin, state, epochs, score, reason."""
        keys = ("number", "name", "params", "origin", "state", "epochs", "score", "reason")
        rows = self.database.execute(f"SELECT {', '.join(keys)} FROM trial ORDER BY number")
        trials = [dict(zip(keys, row, strict=True)) for row in rows]
        return [trial | {"params": json.loads(trial["params"])} for trial in trials]

    def values(self, trial: str) -> dict[int, float | None]:
        """The value that a trial reported after each epoch; None where it was not finite."""
        rows = self.database.execute("SELECT epoch, value FROM report WHERE trial = ? ORDER BY epoch", (trial,))
        return dict(rows.fetchall())

    def times(self) -> dict[str, tuple[str, str]]:
        """The clock times of each trial's first and last event."""
        query = "SELECT trial, time, {}(seq) FROM event WHERE trial != '' GROUP BY trial"  # time is from the same row
        first, last = (
            {trial: time for trial, time, _ in self.database.execute(query.format(which))} for which in ("MIN", "MAX")
        )
        return {trial: (first[trial], last[trial]) for trial in first}

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Write everything within, or nothing. A failed write, on a full disk for instance, is a ``UserError``."""
        if self.database.in_transaction:  # nested in another one
            yield
            return
        if self.shared:
            try:
                refuse_lost_lock(self.path.parent)
            except UserError as error:
                self.failure, self.rolled_back = error, True
                raise
        try:
            self.database.execute("BEGIN IMMEDIATE")
            yield
            self.database.execute("COMMIT")
        except BaseException as error:
            if self.database.in_transaction:
                self.database.execute("ROLLBACK")
            self.rolled_back = True
            if not isinstance(error, sqlite3.OperationalError):
                raise
            self.failure = UserError(
                f"{self.path} cannot be written: {error}. All recorded events are safe. Remove the cause, then "
                "continue with --resume."
            )
            raise self.failure from error

    def _put_event(self, event: Event) -> int:
        kind = next(name for name, kind in KINDS.items() if type(event) is kind)
        detail = {name: value for name, value in vars(event).items() if name not in IN_COLUMNS}
        trial = event.trial if isinstance(event, TrialEvent) else None
        content = (datetime.now().astimezone().isoformat(timespec="milliseconds"), kind, trial, json.dumps(detail))
        cursor = self.database.execute("INSERT INTO event (time, kind, trial, detail) VALUES (?, ?, ?, ?)", content)
        assert cursor.lastrowid is not None  # only before the first insert
        return cursor.lastrowid

    def _put_trial(self, trial: Trial) -> None:
        params = json.dumps(trial.params)
        content = (trial.number, trial.name, params, trial.origin, trial.state, trial.epochs, trial.score, trial.reason)
        self.database.execute("INSERT OR REPLACE INTO trial VALUES (?, ?, ?, ?, ?, ?, ?, ?)", content)


def is_finished(ledger: Ledger) -> bool:
    """Whether the sweep is finished: nothing was left to run, and it was not continued afterwards."""
    (kind,) = ledger.database.execute("SELECT kind FROM event ORDER BY seq DESC LIMIT 1").fetchone() or ("",)
    return kind == "finish"
