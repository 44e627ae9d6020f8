"""Reading a sweep's files, whatever state it is in."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
from finished import FinishedSweep

from analysis.results import load_sweep, read_folder
from src.errors import UserError
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.search.events import Finished, Reported, Started
from sweeps.search.scheduler import Decision
from sweeps.search.trial import Trial
from sweeps.writer import locked, this_process

ABOUT = """
metric: val/iou_best
fixed: []
space: []
trial_0: {}
scheduler: {rungs: [1], max_epochs: 3}
budget: {}
resources: {}
provenance: {}
"""


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "sweeps" / "mine"
    folder.mkdir(parents=True)
    (folder / "sweep.yaml").write_text(ABOUT)
    Ledger(folder / LEDGER_FILE).close()
    return folder


def start(ledger: Ledger, trial: Trial) -> None:
    ledger.append(Started(trial.name, trial.params, "default"), None, [trial])


def report(ledger: Ledger, trial: Trial, metrics: dict[str, float]) -> None:
    value = metrics["val/iou_best"]
    ledger.append(Reported(trial.name, trial.epochs, value, metrics), Decision.CONTINUE, [trial])


def test_a_finished_sweep_reads_as_trials_and_reports(finished_sweep: FinishedSweep):
    sweep = load_sweep("tiny_sweep", finished_sweep.output_root)
    assert (sweep.name, sweep.metric, sweep.state, sweep.rungs) == ("tiny_sweep", "val/iou_best", "finished", [1, 3])
    assert sweep.parameters == ["training.optimizer.lr_scale", "training.loss"]
    assert len(sweep.reports) == sum(sweep.trials["epochs"].tolist())
    for row in sweep.trials.to_dict("records"):
        folder = finished_sweep.folder / row["trial"]
        lines = [json.loads(line) for line in (folder / "result.json").read_text().splitlines()]
        values = [line["val/iou_best"] for line in lines]
        assert row["score"] == max(values)
        assert row["best_epoch"] == values.index(max(values)) + 1
        assert row["seconds"] == pytest.approx(sum(line["epoch_seconds"] for line in lines))
        assert {key: row[key] for key in sweep.parameters} == lines[0]["params"] == sweep.params[row["trial"]]
        assert row["started"] <= row["ended"]
        reports = sweep.reports[sweep.reports["trial"] == row["trial"]]
        assert reports["val/loss"].tolist() == [line["val/loss"] for line in lines]
    assert sweep.trials["score"].is_monotonic_decreasing


def test_a_clock_that_was_set_back_does_not_make_another_sweep(finished_sweep: FinishedSweep):
    sweep = load_sweep("tiny_sweep", finished_sweep.output_root)
    begun = sweep.begun
    assert begun
    sweep.trials.loc[sweep.trials["number"] == 3, "started"] -= pd.Timedelta(hours=5)
    assert sweep.begun == begun


def test_a_sweep_without_trials_reads_as_empty_tables(empty: Path):
    sweep = read_folder(empty)
    assert (len(sweep.trials), len(sweep.reports), sweep.parameters) == (0, 0, [])
    assert sweep.ranked.empty


def test_failed_trials_come_last_and_their_values_that_are_none_are_nan(empty: Path):
    ledger = Ledger(empty / LEDGER_FILE)
    good = Trial("t0000-a", {"x": 1, "only_here": "yes"}, number=0, score=0.25, epochs=1, state="complete")
    bad = Trial("t0001-b", {"x": 2}, number=1, score=0.5, epochs=2, state="failed", reason="Diverged")
    for trial in (good, bad):
        start(ledger, trial)
        report(ledger, trial, {"val/iou_best": 0.25, "epoch_seconds": 2.0})
    bad.epochs = 3
    report(ledger, bad, {"val/iou_best": float("nan"), "val/loss": float("inf")})
    sweep = read_folder(empty)
    assert sweep.trials["trial"].tolist() == ["t0000-a", "t0001-b"]
    assert sweep.trials["reason"].tolist() == ["", "Diverged"]
    assert sweep.trials["only_here"].tolist()[0] == "yes"
    assert pd.isna(sweep.trials["only_here"].tolist()[1])
    assert sweep.ranked["trial"].tolist() == ["t0000-a"]
    assert sweep.reports["value"].isna().tolist() == [False, False, True]
    assert sweep.reports["val/iou_best"].isna().tolist() == [False, False, True]


def test_trials_whose_memory_ran_out_are_known_by_their_smallest_batch(empty: Path):
    ledger = Ledger(empty / LEDGER_FILE)
    whole, halved = (Trial(f"t000{number}-a", {"x": number}, number=number, epochs=1) for number in range(2))
    for trial in (whole, halved):
        start(ledger, trial)
    report(ledger, whole, {"val/iou_best": 0.25})
    assert read_folder(empty).micro_batches == {}
    for epoch, size in ((1, 4.0), (2, 2.0)):
        halved.epochs = epoch
        report(ledger, halved, {"val/iou_best": 0.25, "micro_batch": size})
    assert read_folder(empty).micro_batches == {"t0001-a": 2}


def test_a_sweep_is_running_while_somebody_writes_and_interrupted_after_a_kill(empty: Path):
    ledger = Ledger(empty / LEDGER_FILE)
    start(ledger, Trial("t0000-a", {"x": 1}))
    with locked(empty):
        assert read_folder(empty).state == "running"
        assert read_folder(empty).trials["state"].tolist() == ["running"]
    assert read_folder(empty).state == "interrupted"
    assert read_folder(empty).trials["state"].tolist() == ["waiting"]
    (empty.parent / ".mine.lock").write_text(
        json.dumps(asdict(this_process()))
    )  # as a kill leaves it, and the number is reused
    assert read_folder(empty).state == "interrupted"
    ledger.append(Finished(), None, [])
    assert read_folder(empty).state == "finished"


def test_a_copy_reads_as_the_sweep_does(finished_sweep: FinishedSweep, tmp_path: Path):
    ignored = shutil.ignore_patterns("ray", "logs", "checkpoints", "t0*")
    shutil.copytree(finished_sweep.folder, tmp_path / "sweeps" / "copy", ignore=ignored)
    copy, sweep = load_sweep("copy", tmp_path), load_sweep("tiny_sweep", finished_sweep.output_root)
    pd.testing.assert_frame_equal(copy.trials, sweep.trials)
    pd.testing.assert_frame_equal(copy.reports, sweep.reports)


def test_a_verdict_belongs_to_the_sweep_that_was_begun_then_and_not_to_a_name(
    finished_sweep: FinishedSweep, tmp_path: Path
):
    sweep = replace(load_sweep("tiny_sweep", finished_sweep.output_root), folder=tmp_path / "sweeps" / "tiny_sweep")
    verdict = {"contenders": [sweep.default]}
    for name, begun in (("tiny_sweep", "another day"), ("older", sweep.begun)):
        (tmp_path / "retrain" / name).mkdir(parents=True)
        (tmp_path / "retrain" / name / "verdict.json").write_text(json.dumps(verdict | {"sweep_begun": begun}))
    assert sweep.find_verdict() == tmp_path / "retrain" / "older"
    assert replace(sweep, folder=tmp_path / "sweeps" / "older").find_verdict() == tmp_path / "retrain" / "older"
    assert replace(sweep, trials=sweep.trials.iloc[:0]).find_verdict() is None
    assert replace(sweep, params={}).find_verdict() is None  # another sweep that was begun in the same second
    (tmp_path / "retrain" / "older" / "verdict.json").write_text("{ half")
    assert sweep.find_verdict() is None


def test_times_of_several_time_zones_are_read_in_their_order(empty: Path):
    ledger = Ledger(empty / LEDGER_FILE)
    trial = Trial("t0000-a", {"x": 1}, epochs=1)
    start(ledger, trial)
    report(ledger, trial, {"val/iou_best": 0.5, "epoch_seconds": 1.0})
    for seq, time in enumerate(("2026-10-25T02:59:00+02:00", "2026-10-25T02:01:00+01:00"), start=1):
        ledger.database.execute("UPDATE event SET time = ? WHERE seq = ?", (time, seq))
    (row,) = read_folder(empty).trials.to_dict("records")
    assert (row["ended"] - row["started"]).total_seconds() == 120


def test_reading_a_sweep_that_nobody_writes_puts_nothing_beside_it(empty: Path):
    """As on a disk where nothing may be written."""
    before = sorted(empty.iterdir())
    ledger = Ledger(empty / LEDGER_FILE, read_only=True)
    list(ledger.records())
    assert sorted(empty.iterdir()) == before
    ledger.close()


def test_an_unknown_sweep_is_refused_with_those_there_are(finished_sweep: FinishedSweep, tmp_path: Path):
    with pytest.raises(UserError, match="Did you mean 'tiny_sweep'"):
        load_sweep("tiny_swep", finished_sweep.output_root)
    with pytest.raises(UserError, match=r"No sweep in .*Run one first"):
        load_sweep("tiny_sweep", tmp_path)


def test_a_sweep_without_a_ledger_is_named(empty: Path):
    (empty / LEDGER_FILE).unlink()
    with pytest.raises(UserError, match="No ledger in"):
        read_folder(empty)
