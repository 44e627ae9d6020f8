"""``python -m src.export``: networks for other software."""

from pathlib import Path

import pytest
import torch
from exports import trained, written

from src import export
from src.errors import UserError
from src.exporting import formats
from src.provenance import digest
from src.scoring.ensemble import load_networks
from src.scoring.evaluate import choose_threshold
from src.scoring.metrics import BINS


def test_a_folder_with_something_in_it_is_left_alone(checkpoint: Path, tmp_path: Path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=f"--out={tmp_path}"):
        written(checkpoint, "onnx", tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_without_photographs_to_compare_on_nothing_is_exported(checkpoint: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"data\.root"):
        written(checkpoint, "onnx", tmp_path / "exported", f"data.root={tmp_path}")
    assert not (tmp_path / "exported").exists()


@pytest.mark.parametrize("word", ["device=cuda", "evaluation.tta=d4", "data.image_size=[64,64]"])
def test_a_key_without_effect_is_refused(word: str, checkpoint: Path, tmp_path: Path):
    with pytest.raises(UserError) as refused:
        written(checkpoint, "onnx", tmp_path / "exported", word)
    assert word in str(refused.value)


def test_the_formats_of_the_command_are_those_that_there_are():
    assert tuple(formats.FORMATS) == export.FORMATS


@pytest.mark.slow
def test_the_mean_of_several_checkpoints_is_exported_with_a_threshold_of_its_own(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    two = [trained([*tiny, f"seed={seed}"], tmp_path / f"{seed}.pth") for seed in (1, 2)]
    facts = written(two[0], "torch-export", tmp_path / "exported", str(two[1]))
    mean = load_networks(two)
    assert facts["threshold"] == choose_threshold(mean, "none") / BINS
    assert facts["checkpoint"] == [digest(path) for path in two]
    images = torch.rand(3, 3, *mean.config.data.image_size)
    theirs = torch.export.load(tmp_path / "exported" / "network.pt2").module()(images)
    torch.testing.assert_close(theirs, mean.model(images).sigmoid(), atol=1e-5, rtol=0)
    assert "the mean of 2 networks" in (tmp_path / "exported" / "README.md").read_text()


def test_a_threshold_on_the_command_line_is_that_of_the_export(checkpoint: Path, tmp_path: Path):
    assert written(checkpoint, "torch-export", tmp_path / "exported", "--threshold", "0.7")["threshold"] == 0.7


def test_the_mean_of_several_networks_is_no_network_of_the_library(tiny: list[str], tmp_path: Path):
    two = [trained([*tiny, f"seed={seed}"], tmp_path / f"{seed}.pth") for seed in (1, 2)]
    with pytest.raises(UserError, match="smp-hub"):
        written(two[0], "smp-hub", tmp_path / "exported", str(two[1]))
    assert not (tmp_path / "exported").exists()


@pytest.mark.slow
def test_a_checkpoint_in_the_folder_where_one_stands_is_exported(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("here.pth").hardlink_to(checkpoint)
    assert written(Path("here.pth"), "torch-export", Path("exported"))["format"] == "torch-export"
