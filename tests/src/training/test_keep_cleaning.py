"""The cleaning of masks in a training's checkpoint."""

import json
import shutil
from pathlib import Path

import torch

from src.evaluation import main as evaluate
from src.models.checkpoint import load_training
from src.scoring.cleaning import Cleaning
from src.scoring.inference import load_network
from src.training.keep_cleaning import keep_cleaning


def test_a_training_leaves_its_cleaning_in_its_best_network_and_changes_nothing_else(checkpoint: Path, tmp_path: Path):
    copy = Path(shutil.copy(checkpoint, tmp_path / "best_model.pth"))
    before = load_training(copy)
    found = keep_cleaning(copy)
    after = load_training(copy)
    assert Cleaning.read(after["cleaning"]) == load_network(copy).cleaning == found
    assert after["threshold"] == before["threshold"]
    assert all(torch.equal(value, before["model"][name]) for name, value in after["model"].items())


def test_an_evaluation_says_what_cleaning_comes_to(trained_run: Path):
    best = trained_run / "checkpoints" / "best_model.pth"
    assert Cleaning.read(load_training(best)["cleaning"]) is not None
    evaluate([f"model.checkpoint_path={best}"])
    about = json.loads((trained_run / "results" / "test" / "metrics.json").read_text())
    assert 0 <= about["iou_cleaned"] <= 1
    assert "IoU on validation" in about["cleaning"]
