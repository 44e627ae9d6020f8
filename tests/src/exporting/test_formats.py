"""The forms of an exported network."""

from pathlib import Path
from typing import Any

import pytest
import segmentation_models_pytorch as smp
import torch
from exports import trained, written
from slow_rest import slow_rest

from src.errors import UserError
from src.scoring.inference import load_network, to_network


@pytest.mark.parametrize("kind", slow_rest(["onnx", "torch-export"]))
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


@pytest.mark.slow
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


def test_a_package_that_is_missing_is_named(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("src.exporting.formats.ONNX_PACKAGES", ("onnx", "no_such_package"))
    with pytest.raises(UserError, match="no_such_package is not installed: pip install onnx no_such_package"):
        written(checkpoint, "onnx", tmp_path / "exported")
    assert not (tmp_path / "exported").exists()
