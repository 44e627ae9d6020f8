"""A sweep as an Optuna study."""

import sqlite3
from pathlib import Path

import optuna
import pytest
from finished import FinishedSweep
from optuna.distributions import FloatDistribution
from optuna.trial import Trial as OptunaTrial
from optuna.trial import TrialState as OptunaState

from sweeps.export import export, frozen
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.search.sampler import ModelSampler
from sweeps.search.scheduler import Decision
from sweeps.search.space import Names, Params
from sweeps.search.state import SearchState
from sweeps.search.study import Study
from sweeps.search.trial import Trial
from sweeps.spec import Asha, Budget, load_spec

CONTINUE = Decision.CONTINUE
SPACE = load_spec("quickstart").space
ASHA = Asha(grace_period=1, reduction_factor=3, max_epochs=6)


def load(path: Path, name: str) -> optuna.Study:
    storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs={"creator": lambda: sqlite3.connect(path)})
    return optuna.load_study(study_name=name, storage=storage)


def test_a_finished_sweep_leaves_a_study_with_the_states_that_its_trials_have(finished_sweep: FinishedSweep):
    study = load(finished_sweep.folder / "study.db", "tiny_sweep")
    rows = {row["name"]: row for row in Ledger(finished_sweep.folder / LEDGER_FILE, read_only=True).trials()}
    assert len(study.trials) == len(rows) == 4
    for trial in study.trials:
        row = rows[trial.user_attrs["trial"]]
        assert trial.state.name == {"complete": "COMPLETE", "stopped": "PRUNED"}[row["state"]]
        assert trial.params == row["params"]
        assert trial.value == row["score"] == max(trial.intermediate_values.values())
        assert list(trial.intermediate_values) == list(range(1, row["epochs"] + 1))
    best = max((row for row in rows.values() if row["state"] == "complete"), key=lambda row: row["score"])
    assert study.best_trial.user_attrs["trial"] == best["name"]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / LEDGER_FILE)


def test_failed_and_running_trials_are_what_they_are_and_a_new_export_replaces_the_old(ledger: Ledger, tmp_path: Path):
    sampler = ModelSampler(SPACE, 0, {"training.optimizer.lr_scale": 1.0, "training.loss": "bce"})
    study = Study(SearchState(ASHA.build(), "val/iou_best"), sampler, Budget(trials=4), ledger)
    failed, running = study.next_trial(), study.next_trial()
    assert failed
    assert running
    study.fail(failed.name, "torch.OutOfMemoryError", retry=False)
    study.report(running.name, 1, {"val/iou_best": 0.5})
    path = tmp_path / "study.db"
    for _ in range(2):
        export(study, ledger, SPACE, "mine", path)
    first, second = load(path, "mine").trials
    assert (first.state.name, first.value) == ("FAIL", None)
    assert first.user_attrs["reason"] == "torch.OutOfMemoryError"
    assert second.state.name == "PRUNED"  # it waits at its first rung
    assert second.intermediate_values == {1: 0.5}
    assert [path.name for path in tmp_path.glob("study*")] == ["study.db"]


def test_a_trial_outside_of_a_space_that_was_changed_is_there_without_parameters(ledger: Ledger, tmp_path: Path):
    sampler = ModelSampler(SPACE, 0, {"training.optimizer.lr_scale": 1.0, "training.loss": "bce"})
    study = Study(SearchState(ASHA.build(), "val/iou_best"), sampler, Budget(trials=4), ledger)
    row = study.next_trial()
    assert row
    study.report(row.name, 1, {"val/iou_best": 0.5})
    export(
        study,
        ledger,
        {"training.optimizer.lr_scale": FloatDistribution(2.0, 3.0)},
        "mine",
        tmp_path / "study.db",
    )
    (trial,) = load(tmp_path / "study.db", "mine").trials
    assert (trial.params, trial.value, trial.user_attrs["trial"]) == ({}, 0.5, row.name)


def test_where_there_is_no_room_for_it_that_is_said(ledger: Ledger):
    study = Study(SearchState(ASHA.build(), "val/iou_best"), ModelSampler(SPACE, 0, {}), Budget(trials=4), ledger)
    with pytest.raises(OSError, match="study"):
        export(study, ledger, SPACE, "empty", Path("/proc/study.db"))


def test_who_has_the_file_open_sees_the_new_content_and_no_paused_trial_has_ended_while_the_sweep_runs(
    ledger: Ledger, tmp_path: Path
):
    sampler = ModelSampler(SPACE, 0, {"training.optimizer.lr_scale": 1.0, "training.loss": "bce"})
    study = Study(SearchState(ASHA.build(), "val/iou_best"), sampler, Budget(trials=4), ledger)
    first = study.next_trial()
    assert first
    study.report(first.name, 1, {"val/iou_best": 0.5})
    path = tmp_path / "study.db"
    export(study, ledger, SPACE, "mine", path, live=True)
    reader = sqlite3.connect(path)
    query = "SELECT state FROM trials ORDER BY trial_id"
    assert reader.execute(query).fetchall() == [("RUNNING",)]
    study.next_trial()
    export(study, ledger, SPACE, "mine", path, live=True)
    assert reader.execute(query).fetchall() == [("RUNNING",), ("RUNNING",)]
    export(study, ledger, SPACE, "mine", path)
    assert reader.execute(query).fetchall() == [("PRUNED",), ("RUNNING",)]
    reader.close()


def test_a_program_that_reads_the_file_without_an_end_does_not_hold_up_the_sweep(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sweeps.export.WAIT", 0.3)
    monkeypatch.setattr("sweeps.export.LIVE_WAIT", 0.2)
    study = Study(SearchState(ASHA.build(), "val/iou_best"), ModelSampler(SPACE, 0, {}), Budget(trials=4), ledger)
    path = tmp_path / "study.db"
    export(study, ledger, SPACE, "mine", path)
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM trials").fetchall()
    sampler = ModelSampler(SPACE, 0, {"training.optimizer.lr_scale": 1.0, "training.loss": "bce"})
    more = Study(SearchState(ASHA.build(), "val/iou_best"), sampler, Budget(trials=4), ledger)
    more.next_trial()
    with pytest.raises(OSError, match="study"):
        export(more, ledger, SPACE, "mine", path, live=True)
    export(more, ledger, SPACE, "mine", path)  # at the end it is there all the same
    reader.close()
    assert len(load(path, "mine").trials) == 1


def test_a_file_that_is_no_database_is_replaced(ledger: Ledger, tmp_path: Path):
    path = tmp_path / "study.db"
    path.write_text("not a database, but longer than its head would be: " * 20)
    study = Study(SearchState(ASHA.build(), "val/iou_best"), ModelSampler(SPACE, 0, {}), Budget(trials=4), ledger)
    export(study, ledger, SPACE, "mine", path)
    assert load(path, "mine").trials == []


def test_nothing_but_the_export_writes_it(ledger: Ledger, tmp_path: Path):
    study = Study(SearchState(ASHA.build(), "val/iou_best"), ModelSampler(SPACE, 0, {}), Budget(trials=4), ledger)
    export(study, ledger, SPACE, "empty", tmp_path / "study.db")
    assert load(tmp_path / "study.db", "empty").trials == []


def test_a_clock_that_was_set_back_makes_no_trial_end_before_it_began():
    row = Trial("t0000-a", {}, state="complete", score=0.5)
    trial = frozen(
        row, OptunaState.COMPLETE, {}, ("2026-01-01T12:00:00+01:00", "2026-01-01T09:00:00+01:00"), {}, Names([])
    )
    assert trial.datetime_start == trial.datetime_complete
    later = frozen(
        row, OptunaState.COMPLETE, {}, ("2026-01-01T12:00:00+01:00", "2026-01-01T13:30:00+01:00"), {}, Names([])
    )
    assert later.duration is not None
    assert later.duration.total_seconds() == 5400


@pytest.mark.parametrize("name", ["a {b} c", "50% #1 ?mode=ro&x=y", "x=1 [a]", 'it\'s "mine"', "Größe"])
def test_a_study_lies_where_it_should_whatever_the_folder_is_called(ledger: Ledger, tmp_path: Path, name: str):
    folder = tmp_path / name
    folder.mkdir()
    study = Study(SearchState(ASHA.build(), "val/iou_best"), ModelSampler(SPACE, 0, {}), Budget(trials=1), ledger)
    export(study, ledger, SPACE, "mine", folder / "study.db")
    assert [path.name for path in folder.iterdir()] == ["study.db"]
    assert load(folder / "study.db", "mine").trials == []


def changing(trial: OptunaTrial) -> None:
    """A space whose ways differ in the choices, the scale and the kind of their keys."""
    if trial.suggest_categorical("optimizer", ["sgd", "adam", "lion"]) == "sgd":
        trial.suggest_float("lr", 0.1, 1.0)
        trial.suggest_categorical("loss", ["bce", "dice"])
        trial.suggest_int("depth", 1, 3)
    else:
        trial.suggest_float("lr", 1e-5, 1e-1, log=True)
        trial.suggest_categorical("loss", ["bce", "focal"])
        trial.suggest_categorical("depth", ["deep", 2])


def test_a_key_that_differs_between_ways_is_searched_and_exported(ledger: Ledger, tmp_path: Path):
    first: Params = {"optimizer": "adam", "lr": 0.01, "loss": "focal", "depth": "deep"}
    study = Study(
        SearchState(ASHA.build(), "val/iou_best"), ModelSampler(changing, 0, first), Budget(trials=14), ledger
    )
    while (row := study.next_trial()) is not None:
        while study.report(row.name, row.epochs + 1, {"val/iou_best": row.number / 20 + row.epochs / 100}) is CONTINUE:
            pass
    assert {row.origin for row in study.trials.values()} >= {"default", "model", "random"}
    assert {row.params["optimizer"] for row in study.trials.values()} == {"sgd", "adam", "lion"}
    export(study, ledger, changing, "mine", tmp_path / "study.db")
    for trial, row in zip(load(tmp_path / "study.db", "mine").trials, study.trials.values(), strict=True):
        assert sorted(map(str, trial.params.values())) == sorted(map(str, row.params.values()))
        assert {name.partition(" (")[0] for name in trial.params} == row.params.keys()
