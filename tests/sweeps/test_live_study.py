"""study.db while a sweep runs."""

import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from made_up_search import METRIC, SPACE, make

import sweeps.export
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.live_study import EVERY_SECONDS, SHARE, LiveStudy
from sweeps.plan import SweepPlan


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    made = SimpleNamespace(now=100.0)
    monkeypatch.setattr("sweeps.live_study.time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def watched(tmp_path: Path) -> LiveStudy:
    ledger = Ledger(tmp_path / LEDGER_FILE)
    study = make(ledger)
    study.begin_session()
    plan: Any = SimpleNamespace(folder=tmp_path, name="mine", spec=SimpleNamespace(space=SPACE))
    return LiveStudy(cast(SweepPlan, plan), study, ledger)


def states(path: Path) -> list[str]:
    return [state for (state,) in sqlite3.connect(path).execute("SELECT state FROM trials ORDER BY trial_id")]


def test_the_study_is_exported_now_and_then_and_not_at_every_report(tmp_path: Path, clock: SimpleNamespace):
    live, path = watched(tmp_path), tmp_path / "study.db"
    trial = live.study.next_trial()
    assert trial
    live.study.report(trial.name, 1, {METRIC: 0.5})
    live.reported(trial)
    assert not path.exists()
    clock.now += EVERY_SECONDS + 1
    live.reported(trial)
    assert states(path) == ["RUNNING"]
    live.study.next_trial()
    live.left(trial)
    assert len(states(path)) == 1
    clock.now += EVERY_SECONDS + 1
    live.left(trial)
    assert len(states(path)) == 2


def test_exports_that_take_long_are_rarer(tmp_path: Path, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch):
    live = watched(tmp_path)

    def slow(*_: object, **__: object) -> None:
        clock.now += 10.0

    monkeypatch.setattr(sweeps.export, "export", slow)
    clock.now += EVERY_SECONDS + 1
    live.export()
    assert live.due == clock.now + 10.0 / SHARE


def test_a_full_disk_does_not_end_a_sweep(tmp_path: Path, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch):
    live = watched(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(sweeps.export, "export", refuse)
    clock.now += EVERY_SECONDS + 1
    live.export()
    assert live.due > clock.now
