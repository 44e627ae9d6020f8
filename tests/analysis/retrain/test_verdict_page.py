"""What a verdict leaves; that it is written is in test_cli."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from analysis.retrain.verdict_page import link_best, scored_on
from analysis.verdict import Run


def training(folder: Path, trial: str, seed: int) -> Run:
    """A training with a checkpoint."""
    name = f"{trial}_seed{seed}"
    (folder / name / "checkpoints").mkdir(parents=True, exist_ok=True)
    (folder / name / "checkpoints" / "best_model.pth").write_text(name)
    return Run(trial, seed, name, 0.5, 0.4, {"iou": 0.6, "f1": 0.7}, np.zeros((1, 2)), 1.0)


def link(folder: Path, run: Run) -> str:
    """As a verdict that chooses this training; what it says."""
    console = Console(width=200)
    with console.capture() as said:
        content = link_best(folder, run, console)
    (folder / "verdict.json").write_text(json.dumps(content))
    assert (folder / "best_model.pth").read_text() == run.folder
    return said.get()


def test_that_the_network_has_become_another_one_is_said(tmp_path: Path):
    first, other = training(tmp_path, "t0001", 0), training(tmp_path, "t0001", 3)
    assert link(tmp_path, first) == ""
    assert link(tmp_path, first) == ""
    assert "was t0001, seed 0; it is now t0001, seed 3" in link(tmp_path, other)
    assert json.loads((tmp_path / "verdict.json").read_text())["network"]["iou"] == pytest.approx(0.6)


def test_a_network_of_a_fold_was_scored_on_a_part_of_it(tmp_path: Path):
    run = training(tmp_path, "t0001", 0)
    assert scored_on(run) == "the test split"
    assert "fold" in scored_on(replace(run, fold="2"))


def test_an_older_verdict_without_its_network_is_replaced_silently(tmp_path: Path):
    (tmp_path / "verdict.json").write_text("{}")
    assert link(tmp_path, training(tmp_path, "t0001", 0)) == ""
