"""One training from its first line to its last epoch."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

import run
from src.config.compose import load_config
from src.errors import UserError
from src.models.checkpoint import load_checkpoint
from src.training.run import train


def test_a_run_that_has_nothing_left_to_train_says_so_and_leaves_nothing(tiny: list[str]):
    first = train(load_config(tiny), tiny)
    resume = f"training.resume_from={first / 'checkpoints' / 'last.pth'}"
    with pytest.raises(UserError, match=r"is at epoch 2 of training\.epochs=2: nothing is left to train"):
        train(load_config([*tiny, resume]), [*tiny, resume])
    assert list(first.parent.iterdir()) == [first]


def test_a_resumed_run_keeps_the_best_network_of_the_run_before(tiny: list[str], monkeypatch: pytest.MonkeyPatch):
    scores = iter([0.5, 0.4])

    def falling(_: object) -> dict[str, float]:
        return dict.fromkeys(("val/iou", "val/iou_best"), next(scores)) | {"val/threshold": 0.5}

    monkeypatch.setattr("src.training.trainer.validation_scores", falling)
    first = train(load_config([*tiny, "training.epochs=1"]), tiny)
    resume = f"training.resume_from={first / 'checkpoints' / 'last.pth'}"
    second = train(load_config([*tiny, resume]), [*tiny, resume])
    assert load_checkpoint(second / "checkpoints" / "last.pth")["epoch"] == 2
    assert load_checkpoint(second / "checkpoints" / "best_model.pth")["epoch"] == 1


def test_what_looks_wrong_with_the_images_is_said_before_the_first_epoch(
    tiny: list[str], tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    path = min((data / "train" / "masks").iterdir())
    Image.new("L", (32, 32), 255).save(path)
    run.main([*tiny, "training.epochs=1", f"data.root={data}"])
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("warning: 1 masks that are almost full or look inverted: train/")
    assert said[2].startswith("epoch 1/1")
