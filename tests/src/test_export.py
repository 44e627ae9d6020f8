"""``python -m src.export``: networks for other software."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch

from src import export
from src.config.compose import load_config
from src.data.files import UInt8Array, read_image
from src.errors import UserError
from src.export import main
from src.predict import main as predict
from src.scoring.inference import load_network, to_network
from src.training.trainer import Trainer


@pytest.fixture
def checkpoint(run_folder: Path) -> Path:
    return run_folder / "checkpoints" / "best_model.pth"


def grey(path: Path) -> UInt8Array:
    found = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert found is not None
    return found.astype(np.uint8)


def written(checkpoint: Path, kind: str, out: Path, *more: str) -> dict[str, Any]:
    main([str(checkpoint), "--format", kind, "--out", str(out), *more])
    return json.loads((out / "network.json").read_text())


def test_the_example_with_onnxruntime_alone_gives_the_masks_of_predict_pixel_by_pixel(
    checkpoint: Path, tiny_data: Path, tmp_path: Path
):
    out = tmp_path / "exported"
    written(checkpoint, "onnx", out)
    photographs = sorted((tiny_data / "test" / "images").iterdir())[:2]
    large = tmp_path / "large.png"
    picture = read_image(photographs[0])
    cv2.imwrite(str(large), cv2.cvtColor(np.tile(picture, (3, 2, 1))[:85, :], cv2.COLOR_RGB2BGR))
    photographs.append(large)  # of several tiles
    predict([str(checkpoint), *map(str, photographs), "--out", str(tmp_path / "ours"), "device=cpu"])
    for path in photographs:
        mask = tmp_path / f"{path.stem}.png"
        elsewhere = tmp_path / "elsewhere"  # nothing of this project is there
        elsewhere.mkdir(exist_ok=True)
        command = [sys.executable, "-I", str(out / "predict.py"), str(path), str(mask)]
        subprocess.run(command, check=True, cwd=elsewhere)
        ours = grey(tmp_path / "ours" / "masks" / f"{path.stem}.png")
        theirs = grey(mask)
        assert ours.shape == theirs.shape
        assert (ours != theirs).sum() == 0
        assert 0 < (ours > 0).mean() < 1
    lines = [line for line in export.EXAMPLE.read_text().splitlines() if line.strip()]
    assert len(lines) <= 30


def trained(words: list[str], path: Path) -> Path:
    """A checkpoint of one epoch."""
    trainer = Trainer(load_config(words), words)
    trainer.train_epoch()
    trainer.save(path)
    return path


@pytest.mark.parametrize("kind", ["onnx", "torch-export"])
def test_a_graph_takes_any_number_of_images_of_any_multiple_of_32_pixels(kind: str, tiny: list[str], tmp_path: Path):
    checkpoint = trained([*tiny, "data.image_size=[64,64]"], tmp_path / "unet.pth")
    about = written(checkpoint, kind, tmp_path / "exported")
    assert about["largest_difference"] < 1e-5
    assert (about["any_multiple_of"], about["output"]) == (32, "probabilities")
    network = load_network(checkpoint, ["device=cpu"])
    images = torch.randint(0, 256, (3, 64, 96, 3), dtype=torch.uint8)
    inputs, _ = to_network(images, images[..., 0], network.config.data, network.model)
    if kind == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(tmp_path / "exported" / "network.onnx")
        found = torch.tensor(session.run(None, {"images": inputs.numpy()})[0])
    else:
        found = torch.export.load(tmp_path / "exported" / "network.pt2").module()(inputs)
    assert torch.allclose(found, network.probs(images), atol=1e-5)


def test_smps_own_from_pretrained_loads_the_hub_folder(checkpoint: Path, tmp_path: Path):
    about = written(checkpoint, "smp-hub", tmp_path / "exported")
    loaded: Any = smp.from_pretrained(str(tmp_path / "exported"))
    assert type(loaded) is smp.Unet
    network = load_network(checkpoint, ["device=cpu"])
    images = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    inputs, _ = to_network(images, images[..., 0], network.config.data, network.model)
    assert torch.allclose(loaded.eval()(inputs).sigmoid(), network.probs(images), atol=1e-5)
    assert about["output"] == "logits"


def test_save_pretrained_of_a_network_in_hand_can_be_loaded_too(checkpoint: Path, tmp_path: Path):
    network: Any = load_network(checkpoint, ["device=cpu"]).model
    network.save_pretrained(tmp_path / "hub")
    assert type(smp.from_pretrained(str(tmp_path / "hub"))) is smp.Unet


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


def test_an_architecture_that_pools_to_a_grid_is_exported_for_tiles_alone(tiny: list[str], tmp_path: Path):
    words = [word for word in tiny if not word.startswith(("model.", "data.image_size"))]
    words += ["model=architectures/pspnet", "model.encoder=tiny", "data.image_size=[64,64]"]
    about = written(trained(words, tmp_path / "pspnet.pth"), "onnx", tmp_path / "exported")
    assert about["any_multiple_of"] is None
    assert about["largest_difference"] < 1e-5


def test_a_network_that_is_none_of_smps_is_no_hub_folder(tiny: list[str], tmp_path: Path):
    words = [word for word in tiny if not word.startswith("model.")]
    words += ["model=architectures/swin_unet", "model.encoder.embed_dim=8", "model.encoder.depths=[1,1,1,1]"]
    checkpoint = trained(words, tmp_path / "swin.pth")
    with pytest.raises(UserError, match="smp-hub"):
        written(checkpoint, "smp-hub", tmp_path / "exported")
    assert not (tmp_path / "exported").exists()


def test_a_folder_with_something_in_it_is_left_alone(checkpoint: Path, tmp_path: Path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=f"--out={tmp_path}"):
        written(checkpoint, "onnx", tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_package_that_is_missing_is_named(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("src.exporting.formats.ONNX_PACKAGES", ("onnx", "no_such_package"))
    with pytest.raises(UserError, match="no_such_package is not installed: pip install onnx no_such_package"):
        written(checkpoint, "onnx", tmp_path / "exported")
    assert not (tmp_path / "exported").exists()


def test_an_exported_network_that_computes_something_else_is_refused(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("src.exporting.formats.TOLERANCE", -1.0)
    with pytest.raises(UserError, match="differs"):
        written(checkpoint, "torch-export", tmp_path / "exported")
    assert not (tmp_path / "exported").exists()


def test_without_photographs_to_compare_on_nothing_is_exported(checkpoint: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"data\.root"):
        written(checkpoint, "onnx", tmp_path / "exported", f"data.root={tmp_path}")
    assert not (tmp_path / "exported").exists()
