"""Training the best configurations again: through the real Ray, from a real sweep."""

import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from checkout import ROOT
from finished import FinishedSweep

import run
from analysis.image_counts import load_image_counts
from analysis.results import load_sweep
from analysis.retrain.cli import main, parse, resume_command
from src.cards import Card
from src.config.compose import load_config
from src.config.overrides import load_overrides
from src.errors import UserError
from src.scoring.ensemble import load_networks
from src.scoring.evaluate import evaluate
from src.scoring.inference import load_network
from src.scoring.metrics import BINS
from sweeps.audit import audit
from sweeps.plan import SweepPlan


def words(output_root: Path, *more: str) -> list[str]:
    return ["tiny_sweep", "--output-root", str(output_root), *more]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def copy_of(sweep: FinishedSweep, place: Path) -> Path:
    """Outputs with the sweep, to train into."""
    ignored = shutil.ignore_patterns("ray", "logs")
    shutil.copytree(sweep.folder, place / "outputs" / "sweeps" / "tiny_sweep", ignore=ignored)
    return place / "outputs"


@pytest.fixture(scope="module")
def retrained(finished_sweep: FinishedSweep, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Outputs with a race of the default and one other on two seeds, and what it printed. Do not train into it."""
    output_root = copy_of(finished_sweep, tmp_path_factory.mktemp("retrained"))
    command = [sys.executable, "-m", "analysis.retrain", *words(output_root, "--top", "1", "--seeds", "2")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return output_root, done.stdout


def test_retraining_takes_the_cards_of_the_machine_it_runs_on(
    finished_sweep: FinishedSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    output_root = copy_of(finished_sweep, tmp_path)
    plans: list[SweepPlan] = []

    def run_trials(plan: SweepPlan, *_: object) -> int:
        plans.append(plan)
        return 15

    monkeypatch.setattr("sweeps.run_trials.run_trials", run_trials)
    there = [Card("RTX", memory_mib=8000, free_mib=7000)] * 3
    monkeypatch.setattr("src.cards.find_cards", lambda device: [] if device == "cpu" else there)
    with pytest.raises(UserError, match="gpus=2"):  # the search was on the CPU
        main(words(output_root, "--gpus", "2"))
    path = output_root / "sweeps" / "tiny_sweep" / "sweep.yaml"
    path.write_text(path.read_text().replace("- device=cpu\n", ""))
    assert main(words(output_root, "--top", "1", "--gpus", "2")) == 128 + 15
    assert (plans[0].resources.trials_at_once, len(plans[0].resources.cards)) == (2, 2)
    assert plans[0].resources_in_words == "2 at once, each on RTX, 7.8 GiB"
    said = capsys.readouterr().out
    assert f"retrain-best tiny_sweep --gpus 2 --output-root {shlex.quote(str(output_root))} --resume" in said


def test_the_best_and_the_default_are_trained_on_fresh_seeds_and_scored_on_test(retrained: tuple[Path, str]):
    output_root, _ = retrained
    folder = output_root / "retrain" / "tiny_sweep"
    runs = table(folder / "runs.csv")
    sweep = load_sweep("tiny_sweep", output_root)
    default = next(name for name in sweep.params if name.startswith("t0000"))
    best = next(name for name in sweep.ranked["trial"] if name != default)
    done = {(row["configuration"], row["seed"]) for row in runs}
    assert done == {(name, seed) for name in (default, best) for seed in ("0", "1")}
    for row in runs:
        network = load_network(folder / row["folder"] / "checkpoints" / "best_model.pth", ["evaluation.split=test"])
        assert float(row["test/iou"]) == evaluate(network).metrics["iou"]
        assert float(row["threshold"]) == network.threshold
        assert (network.config.seed, network.config.training.epochs) == (int(row["seed"]), 3)
    assert [line for line in audit(folder) if "leaderboard" not in line] == []


def test_one_is_chosen_and_said_why_and_its_network_and_overrides_are_there(retrained: tuple[Path, str]):
    output_root, said = retrained
    folder = output_root / "retrain" / "tiny_sweep"
    assert "at most 4 trainings of 3 epochs" in said
    for text in (said, (folder / "verdict.md").read_text()):
        assert "optimism: search score minus validation" in " ".join(text.split())
        assert re.search(r"t0000-\w+ \(default\)", text)
        assert re.search(r"2 seeds|is better than|no other configuration is better", text)
        assert "python run.py" in text
    assert load_network(folder / "best_model.pth").config.training.epochs == 3
    assert load_config(load_overrides(folder / "best.yaml")).threads == "auto"
    run.main([str(folder / "best.yaml"), f"output_root={output_root}", "threads=1"])


def test_the_same_again_trains_nothing_and_says_the_same(
    retrained: tuple[Path, str], capsys: pytest.CaptureFixture[str]
):
    output_root, said = retrained
    folder = output_root / "retrain" / "tiny_sweep"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("t*/checkpoints/last.pth")}
    assert main(words(output_root, "--top", "1", "--seeds", "2")) == 0
    assert {path: path.stat().st_mtime_ns for path in folder.glob("t*/checkpoints/last.pth")} == before
    assert capsys.readouterr().out in said
    with pytest.raises(UserError, match=r"fixed: training.epochs: 3 -> 2(.|\n)*--top 1 --seeds 2 (.|\n)*--fresh"):
        main(words(output_root, "--top", "1", "--seeds", "2", "--epochs", "2"))


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(
    finished_sweep: FinishedSweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    output_root = copy_of(finished_sweep, tmp_path)
    assert main(words(output_root, "--top", "2", "--seeds", "4", "--dry-run")) == 0
    assert "at most 12 trainings of 3 epochs" in capsys.readouterr().out
    assert not (output_root / "retrain").exists()


def test_the_mean_of_the_chosen_networks_is_compared_with_the_best_of_them_and_nothing_is_trained(
    retrained: tuple[Path, str], capsys: pytest.CaptureFixture[str]
):
    output_root, _ = retrained
    folder = output_root / "retrain" / "tiny_sweep"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("t*/checkpoints/last.pth")}
    assert main(words(output_root, "--top", "1", "--seeds", "2", "--ensemble")) == 0
    assert {path: path.stat().st_mtime_ns for path in folder.glob("t*/checkpoints/last.pth")} == before
    checkpoints = [folder / "ensemble" / f"{seed}.pth" for seed in (0, 1)]
    assert sorted((folder / "ensemble").iterdir()) == checkpoints
    verdict = json.loads((folder / "verdict.json").read_text())
    found = verdict["ensemble"]
    rows = [row for row in table(folder / "runs.csv") if row["configuration"] == verdict["chosen"]]
    best = max(rows, key=lambda row: float(row["val/iou_best"]))
    assert found["score_of_best_network"] == pytest.approx(float(best["test/iou"]))
    mean = evaluate(load_networks(checkpoints, ["evaluation.split=test"]))
    assert found["score"] == pytest.approx(mean.metrics["iou"])
    assert found["threshold"] == mean.threshold / BINS
    sentence = f"The mean of the 2 networks of {verdict['chosen']} has {found['score']:.4f}"
    for text in (capsys.readouterr().out.replace("\n", " "), (folder / "verdict.md").read_text()):
        assert sentence in text
    main(words(output_root, "--top", "1", "--seeds", "2"))  # as it was, for the other tests


@pytest.mark.slow
def test_with_folds_all_photographs_are_tested_and_it_goes_on_as_it_was_begun(
    finished_sweep: FinishedSweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    output_root = copy_of(finished_sweep, tmp_path)
    command = [sys.executable, "-m", "analysis.retrain", *words(output_root, "--top", "1", "--epochs", "1")]
    done = subprocess.run([*command, "--folds", "3"], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = output_root / "retrain" / "tiny_sweep"
    rows = table(folder / "runs.csv")
    assert Counter((row["seed"], row["fold"]) for row in rows) == {("0", fold): 2 for fold in "123"}
    verdict = json.loads((folder / "verdict.json").read_text())
    found = load_image_counts(folder, verdict["chosen"])[0]
    assert len(set(found.images)) == len(found.images) == 20
    assert f"over 3 folds of {len(found.images)} images" in (folder / "verdict.md").read_text()
    network = load_network(folder / "best_model.pth")
    assert re.search(rf"seed 0, fold {network.config.data.root.name}\b", (folder / "verdict.md").read_text())
    assert load_config(load_overrides(folder / "best.yaml")).data.root.name != network.config.data.root.name
    assert main(words(output_root, "--resume")) == 0
    assert table(folder / "runs.csv") == rows
    for more, sentence in ((["--resume", "--ensemble"], "--ensemble"), (["--top", "1", "--epochs", "1"], "folds: 3, ")):
        with pytest.raises(UserError, match=sentence):
            main(words(output_root, *more))


@pytest.mark.slow
def test_an_interrupted_race_goes_on_where_it_was(finished_sweep: FinishedSweep, tmp_path: Path):
    output_root = copy_of(finished_sweep, tmp_path)
    command = [sys.executable, "-m", "analysis.retrain", *words(output_root, "--seeds", "3", "--epochs", "12")]
    folder = output_root / "retrain" / "tiny_sweep"
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 120
    while not list(folder.glob("t*/checkpoints/best_model.pth")) and time.monotonic() < deadline:
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    again = f"--output-root {shlex.quote(str(output_root))} --resume"
    assert f"Continue: retrain-best tiny_sweep {again}" in said
    begun = {path.name for path in folder.glob("t*")}
    command = [sys.executable, "-m", "analysis.retrain", *words(output_root, "--resume")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert begun <= {path.name for path in folder.glob("t*")}
    assert len({row["seed"] for row in table(folder / "runs.csv")}) == 3


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--seeds", "0"], "--seeds=0"),
        (["--top", "0"], "--top=0"),
        (["--resume", "--fresh"], "--fresh cannot be combined with --resume"),
        (["--dry-run", "--resume"], "--resume cannot be combined with --dry-run"),
        (["--dry-run", "--on-end", "true"], "--on-end cannot be combined with --dry-run"),
        (["--resume", "--top", "2"], "--top cannot be combined with --resume"),
        (["--ensemble", "--seeds", "1"], "--seeds=1"),
        (["--within", "speed=3"], "'speed'"),
        (["--within", "milliseconds=fast"], "milliseconds=fast"),
        (["--within", "parameters=3"], "parameters <= 3"),
        (["--folds", "2"], "--folds=2"),
        (["--folds", "5", "--ensemble"], "--folds"),
        (["--folds", "5", "--resume"], "--folds cannot be combined with --resume"),
        (["--folds", "99"], "--folds=99"),
        (["--resume"], "leave out --resume"),
        (["--metric", "val/dice"], "Unknown metric to compare by 'val/dice'"),
    ],
)
def test_what_cannot_be_is_named(finished_sweep: FinishedSweep, more: list[str], sentence: str):
    with pytest.raises(UserError, match=re.escape(sentence)):
        main(words(finished_sweep.output_root, *more))


def test_an_unknown_sweep_is_refused(finished_sweep: FinishedSweep):
    with pytest.raises(UserError, match="Unknown sweep"):
        main(["other", "--output-root", str(finished_sweep.output_root)])


def test_the_command_that_goes_on_knows_where_the_data_is():
    options = parse(["tiny_sweep", "--data-root", "moved data", "--top", "1"])
    assert resume_command(options) == "retrain-best tiny_sweep --data-root 'moved data' --resume"
    assert resume_command(parse(["tiny_sweep", "--ensemble"])) == "retrain-best tiny_sweep --ensemble --resume"
