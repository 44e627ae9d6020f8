"""Evaluation of a checkpoint that is told nothing else."""

import json
from pathlib import Path

import pytest

from src.config import load_config
from src.errors import UserError
from src.evaluation import evaluate, main
from src.experiment import read_rows
from src.run import train


@pytest.fixture
def checkpoint(tiny: list[str]) -> Path:
    overrides = [*tiny, "training.ema_decay=0.9"]
    return train(load_config(overrides), overrides) / "checkpoints" / "best_model.pth"


def test_the_validation_split_scores_what_training_reported(checkpoint: Path):
    scores, _ = evaluate(checkpoint, ["evaluation.split=val"])
    rows = read_rows(checkpoint.parent.parent / "metrics" / "metrics.csv")
    best = rows[scores.epoch - 1]
    assert scores.metrics["iou"] == float(best["val/iou_best"])
    assert scores.threshold == float(best["val/threshold"])


def test_the_command_prints_the_asked_metrics_and_writes_all(checkpoint: Path, capsys: pytest.CaptureFixture[str]):
    main([f"model.checkpoint_path={checkpoint}", 'evaluation.metrics=["iou",', '"recall"]'])
    said = capsys.readouterr().out
    assert "test split" in said
    assert "recall" in said
    assert "precision" not in said
    written = json.loads((checkpoint.parent.parent / "results" / "test.json").read_text())
    assert {"iou", "f1", "precision", "recall", "iou_image", "threshold", "epoch"} == written.keys()


def test_without_a_checkpoint_the_command_says_which_key(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(UserError, match=r"model\.checkpoint_path="):
        main(["evaluation.split=val"])


def test_an_architecture_that_is_not_the_checkpoints_is_refused(checkpoint: Path):
    with pytest.raises(UserError, match="weights of another network"):
        evaluate(checkpoint, ["model.decoder.decoder_channels=[32,32,16,16,8]"])
