"""What is written beside an exported network."""

import json
from pathlib import Path

import pytest
from exports import written

from src.evaluation import main as evaluate
from src.scoring.inference import load_network


@pytest.mark.slow
def test_the_folder_says_what_one_must_know(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (checkpoint.parent / "verdict.json").write_text(json.dumps({"sentences": ["t0003 is better than the default."]}))
    about = written(checkpoint, "torch-export", tmp_path / "exported")
    network = load_network(checkpoint, ["device=cpu"])
    data = network.config.data
    assert (about["mean"], about["std"], about["tile"]) == (list(data.mean), list(data.std), list(data.image_size))
    assert (about["threshold"], about["scale"]) == (network.threshold, list(network.scale))
    card = (tmp_path / "exported" / "README.md").read_text()
    assert "t0003 is better than the default." in card
    assert f"{network.threshold:.3f}" in card
    said = capsys.readouterr().out
    assert "largest difference of a probability on" in said
    assert "network.pt2" in said


def test_the_score_on_the_test_split_is_that_of_the_last_evaluation(checkpoint: Path, tmp_path: Path):
    evaluate([f"model.checkpoint_path={checkpoint}"])
    scores = json.loads((checkpoint.parents[1] / "results" / "test" / "metrics.json").read_text())
    written(checkpoint, "torch-export", tmp_path / "exported")
    card = (tmp_path / "exported" / "README.md").read_text()
    assert f"IoU of crack {scores['iou_at_validation_threshold']:.3f}" in card
