"""Reading a sweep's files."""

from pathlib import Path

import pytest
from conftest import FinishedSweep

from analysis.results import load_sweep
from src.config import load_overrides
from src.errors import UserError


def test_a_finished_sweep_reads_as_trials_and_reports(finished_sweep: FinishedSweep):
    sweep = load_sweep("tiny_sweep", finished_sweep.output_root)
    assert len(sweep.trials) == 4
    reports = sweep.reports()
    assert max(reports["val/iou_best"].tolist()) == max(sweep.trials["val/iou_best"].tolist())
    assert len(reports) == sum(sweep.trials["epochs"].tolist())


def test_the_best_trial_is_the_top_of_the_board(finished_sweep: FinishedSweep):
    sweep = load_sweep("tiny_sweep", finished_sweep.output_root)
    top = str(sweep.trials["trial"].iloc[0])
    assert sweep.best_overrides() == load_overrides(finished_sweep.folder / top / "overrides.yaml")


def test_an_unknown_sweep_is_refused_with_those_there_are(finished_sweep: FinishedSweep, tmp_path: Path):
    with pytest.raises(UserError, match="Did you mean 'tiny_sweep'"):
        load_sweep("tiny_swep", finished_sweep.output_root)
    with pytest.raises(UserError, match="run one first"):
        load_sweep("tiny_sweep", tmp_path)


def test_a_sweep_without_a_score_has_no_best(tmp_path: Path):
    folder = tmp_path / "sweeps" / "empty"
    folder.mkdir(parents=True)
    (folder / "sweep.yaml").write_text("metric: val/iou_best\nfixed: []\n")
    with pytest.raises(UserError, match="nothing can be called best"):
        load_sweep("empty", tmp_path).best_overrides()
    (folder / "leaderboard.csv").write_text("trial,state,val/iou_best\nt0000-a,failed,0.9\nt0001-b,running,\n")
    with pytest.raises(UserError, match="nothing can be called best"):
        load_sweep("empty", tmp_path).best_overrides()


def test_a_sweep_that_still_runs_says_so(finished_sweep: FinishedSweep):
    sweep = load_sweep("tiny_sweep", finished_sweep.output_root)
    sweep.trials.loc[sweep.trials.index[-1], "state"] = "running"
    assert sweep.about_best().endswith("the best of 4 trials; 1 of them still run, so this may change")
