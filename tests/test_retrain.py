"""Training the best configuration again."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FinishedSweep

from analysis.retrain import fresh_seeds, main
from src.config import load_config, load_overrides
from src.errors import UserError
from src.inference import load_network
from src.scoring import evaluate


def retrain(sweep: FinishedSweep, *words: str) -> Path:
    main(["tiny_sweep", "--output-root", str(sweep.output_root), *words])
    return sweep.output_root / "retrain" / "tiny_sweep"


def test_the_best_configuration_is_trained_on_fresh_seeds_and_scored_on_the_test_split(
    finished_sweep: FinishedSweep, capsys: pytest.CaptureFixture[str]
):
    folder = retrain(finished_sweep, "--seeds", "2")
    with (folder / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == ["0", "1"]
    for row in rows:
        checkpoint = folder / row["folder"] / "checkpoints" / "best_model.pth"
        network = load_network(checkpoint, ["evaluation.split=test"])
        config, scores = network.config, evaluate(network)
        assert float(row["test/iou"]) == scores.metrics["iou"]
        assert float(row["threshold"]) == network.threshold
        assert (config.seed, config.training.epochs) == (int(row["seed"]), 3)
        assert config.threads == "auto"  # the trials shared the cores, a retraining does not
    said = capsys.readouterr().out
    assert "over 2 seeds" in said
    assert "python run.py" in said


def test_seeds_that_are_trained_are_not_trained_again(finished_sweep: FinishedSweep):
    folder = retrain(finished_sweep, "--seeds", "1")
    before = (folder / "seed0" / "checkpoints" / "last.pth").stat().st_mtime_ns
    retrain(finished_sweep, "--seeds", "1")
    assert (folder / "seed0" / "checkpoints" / "last.pth").stat().st_mtime_ns == before
    (folder / "seed0" / "finished").unlink()  # as a killed training leaves it
    retrain(finished_sweep, "--seeds", "1")
    assert (folder / "seed0" / "checkpoints" / "last.pth").stat().st_mtime_ns > before
    assert len(list((folder / "seed0" / "logs").iterdir())) == 1


def test_it_says_which_trial_it_trains_and_moves_other_networks_aside(
    finished_sweep: FinishedSweep, capsys: pytest.CaptureFixture[str]
):
    folder = retrain(finished_sweep, "--seeds", "1", "--epochs", "1")
    marker = folder / "seed0" / "of-one-epoch"
    marker.touch()
    capsys.readouterr()
    retrain(finished_sweep, "--seeds", "1", "--epochs", "2")
    said = capsys.readouterr().out
    assert "of tiny_sweep: val/iou_best" in said
    assert "the best of 4 trials\n" in said
    assert "(one seed)" in said
    (aside,) = folder.parent.glob(f"{folder.name}-*/seed0/of-one-epoch")
    assert str(aside.parent.parent) in said.replace("\n", "")
    assert not marker.exists()


def test_the_printed_file_trains_the_same_with_run_py(finished_sweep: FinishedSweep, tmp_path: Path):
    best = retrain(finished_sweep, "--seeds", "1", "--epochs", "1") / "best.yaml"
    command = [sys.executable, "run.py", str(best), f"output_root={tmp_path}"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert load_config(load_overrides(best)).training.epochs == 1


def test_fresh_seeds_leave_out_the_one_the_search_used():
    assert fresh_seeds(["seed=1"], 3) == [0, 2, 3]
    assert fresh_seeds([], 3) == [0, 1, 2]


def test_an_unknown_sweep_and_no_seeds_are_refused(finished_sweep: FinishedSweep):
    with pytest.raises(UserError, match="Unknown sweep"):
        main(["other", "--output-root", str(finished_sweep.output_root)])
    with pytest.raises(UserError, match="--seeds=0"):
        main(["tiny_sweep", "--seeds", "0"])
