"""From the configuration to a network: ``python -m pytest tests/src/models/test_registry.py``."""

import copy
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from slow_rest import slow_rest
from torch import Tensor, nn

from src.config.compose import load_config
from src.config.keys import list_options
from src.config.schema import SmpModel
from src.errors import UserError
from src.models import registry
from src.models.registry import ARCHITECTURES as REGISTERED
from src.models.registry import build_model, decoder_arguments

TINY = ("model.encoder=tiny", "model.decoder=tiny")
SWIN = ("model=architectures/swin_unet", "model.encoder.embed_dim=96")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No network, said to the hub as a user would, an empty weight cache, and no socket to anywhere."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    empty = str(tmp_path_factory.mktemp("hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", empty)
    monkeypatch.setenv("TORCH_HOME", empty)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    registry._warn_once.cache_clear()
    yield
    registry._warn_once.cache_clear()


def build(*overrides: str, size: tuple[int, int] = (64, 64)) -> tuple[nn.Module, bool]:
    return build_model(load_config(overrides).model, size)


def weights(network: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


@pytest.mark.parametrize(
    "overrides",
    [
        TINY,
        ("model.encoder=resnet18", "model.decoder=tiny"),
        ("model.encoder=mobilenet_v2", "model.decoder=tiny"),
        ("model.encoder=efficientnet_b0", "model.decoder.decoder_attention_type=scse"),
        ("model.encoder=mit_b0", "model.decoder=tiny"),
        ("model.encoder=convnext_tiny", "model.decoder=tiny"),
        ("model.encoder=dinov3_convnext_tiny", "model.decoder=tiny"),
        ("model=architectures/dpt", "model.encoder=dinov3_vit_small"),
        ("model=architectures/swin_unet", "model.encoder.embed_dim=16"),
    ],
    ids=str,
)
def test_every_kind_of_network_gives_a_logit_a_pixel(overrides: tuple[str, ...]) -> None:
    network, loaded = build(*overrides, "model.encoder.pretrained=false")
    network.eval()
    with torch.inference_mode():
        logits = network(torch.rand(2, 3, 64, 64))
    assert (logits.shape, loaded) == ((2, 1, 64, 64), False)
    assert logits.min() < 0 or logits.max() > 1  # not yet a probability


SMALL = ("model.encoder.name=resnet18", "model.encoder.pretrained=false")
ENCODERS = {"dpt": ("model.encoder.name=tu-vit_tiny_patch16_224",), "segformer": ("model.encoder.name=mit_b0",)}
ARCHITECTURES = list(smp.MODEL_ARCHITECTURES_MAPPING)


@pytest.mark.parametrize("size", [pytest.param((64, 64), marks=pytest.mark.slow), (100, 150)])
@pytest.mark.parametrize("name", slow_rest(ARCHITECTURES, 4))
def test_every_architecture_takes_images_of_any_size_and_learns(name: str, size: tuple[int, int]) -> None:
    size = (128, 128) if name == "pan" else size  # its pyramid is three levels deep at 1/16
    network, _ = build(f"model=architectures/{name}", *SMALL, *ENCODERS.get(name, ()), size=size)
    logits = network(torch.rand(2, 3, *size))
    assert logits.shape == (2, 1, *size)
    logits.square().mean().backward()
    silent = [key for key, value in network.named_parameters() if value.grad is None]
    unused = {  # what the library builds of an encoder without using it
        "pspnet": ("encoder.layer3.", "encoder.layer4."),  # its features are those at 1/8
        "dpt": ("encoder.model.norm.", "encoder.model.head."),
    }
    assert all(key.startswith(unused.get(name, ())) for key in silent), silent


def test_the_architectures_are_those_of_the_library_and_our_own() -> None:
    assert {option.removeprefix("architectures/") for option in list_options("model")} == {*ARCHITECTURES, "swin_unet"}
    assert REGISTERED.keys() == {*ARCHITECTURES, "swin_unet"}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_decoder_of_an_architecture_has_only_arguments_of_its_class(name: str) -> None:
    model = load_config([f"model=architectures/{name}"]).model
    assert isinstance(model, SmpModel)
    assert model.decoder.keys() <= set(decoder_arguments(name))
    assert model.decoder


@pytest.mark.parametrize("name", [option for option in list_options("model.encoder") if option != "swin_tiny"])
def test_every_encoder_with_a_file_is_known_to_its_library(name: str) -> None:
    encoder = load_config([f"model.encoder={name}"]).model.encoder.name
    assert encoder in smp.encoders.get_encoder_names() or timm.is_model(encoder.removeprefix("tu-"))


@pytest.mark.parametrize(
    ("architecture", "encoder"),
    [("unetplusplus", "mit_b0"), ("linknet", "mit_b0"), ("dpt", "resnet18"), ("pan", "tu_swin_tiny")],
)
def test_parts_that_do_not_fit_each_other_are_refused_with_the_reason(architecture: str, encoder: str) -> None:
    with pytest.raises(UserError, match=f"model: {architecture} does not work with encoder .*: ."):
        build(f"model=architectures/{architecture}", f"model.encoder={encoder}", "model.encoder.pretrained=false")


def test_the_weights_load_into_a_plain_network_of_the_library() -> None:
    network, _ = build("model=architectures/fpn", *SMALL)
    plain = smp.create_model("fpn", encoder_name="resnet18", encoder_weights=None)
    plain.load_state_dict(network.state_dict())
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(plain.eval()(images), network.eval()(images))
        assert torch.equal(copy.deepcopy(network)(images), network(images))


def test_a_shallower_encoder_needs_as_many_decoder_channels() -> None:
    network, _ = build(*TINY, "model.encoder.depth=3", "model.decoder.decoder_channels=[32,16,8]")
    assert network.eval()(torch.rand(1, 3, 64, 64)).shape == (1, 1, 64, 64)
    with pytest.raises(UserError, match=r"model: unet does not work with encoder tu-test_resnet: .*decoder_channels"):
        build(*TINY, "model.encoder.depth=3")


def test_an_unknown_encoder_is_refused_with_the_nearest_name_and_the_legal_ones() -> None:
    with pytest.raises(UserError, match=r"model\.encoder\.name 'resnt34'\. Did you mean 'resnet34'\? Legal: .*tu-<any"):
        build("model.encoder.name=resnt34", "model.encoder.pretrained=false")


def test_an_unknown_encoder_of_timm_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="tu-resnet35x"):
        build("model.encoder.name=tu-resnet35x", "model.encoder.pretrained=false")


@pytest.mark.parametrize("encoder", ["tiny", "resnet18"])
def test_an_unknown_decoder_argument_is_refused_by_name(encoder: str) -> None:
    with pytest.raises(UserError, match="decoder_chanels"):
        build(f"model.encoder={encoder}", "model.encoder.pretrained=false", "+model.decoder.decoder_chanels=1")


@pytest.mark.parametrize("overrides", [("model.encoder=resnet18",), ("model.encoder=convnext_tiny",), SWIN], ids=str)
@pytest.mark.usefixtures("offline")
def test_weights_that_are_required_but_cannot_be_had_are_refused_at_once(
    overrides: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []
    monkeypatch.setattr("time.sleep", naps.append)  # between retries
    with pytest.raises(UserError, match=r"model\.encoder\.pretrained=true: no weights for .* auto or false"):
        build(*overrides, "model.encoder.pretrained=true")
    assert not naps


@pytest.mark.parametrize("overrides", [("model.encoder=resnet18",), ("model.encoder=convnext_tiny",), SWIN], ids=str)
@pytest.mark.usefixtures("offline")
def test_without_weights_auto_is_the_same_network_as_one_without_pretraining(
    overrides: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(3)
    wished, loaded = build(*overrides, "model.encoder.pretrained=auto")
    after_wish = torch.rand(2)
    torch.manual_seed(3)
    plain, _ = build(*overrides, "model.encoder.pretrained=false")
    assert not loaded
    assert torch.equal(weights(wished), weights(plain))
    assert torch.equal(after_wish, torch.rand(2))
    assert "starts from random weights" in caplog.text


@pytest.mark.usefixtures("offline")
def test_the_missing_weights_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        build("model.encoder=resnet18", "model.encoder.pretrained=auto")
    assert caplog.text.count("resnet18 starts from random weights") == 1


@pytest.mark.usefixtures("offline")
def test_a_swin_of_another_width_asks_for_no_weights(caplog: pytest.LogCaptureFixture) -> None:
    narrow = ("model=architectures/swin_unet", "model.encoder.embed_dim=16")
    assert build(*narrow, "model.encoder.pretrained=auto")[1] is False
    assert "none that fit it are published" in caplog.text
    with pytest.raises(UserError, match="none that fit it are published"):
        build(*narrow, "model.encoder.pretrained=true")


@pytest.mark.usefixtures("offline")
def test_a_swin_deeper_than_the_published_one_starts_from_random_weights_unless_they_are_required() -> None:
    assert build(*SWIN, "model.encoder.depths=[2,2,7,2]", "model.encoder.pretrained=auto")[1] is False


def test_weights_that_were_loaded_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    create = smp.create_model

    def create_model(*words: Any, **arguments: Any) -> nn.Module:
        asked.append(arguments["encoder_weights"])
        return create(*words, **arguments | {"encoder_weights": None})

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("segmentation_models_pytorch.create_model", create_model)
    assert build("model.encoder=resnet18", "model.encoder.pretrained=true")[1]
    assert build("model.encoder=convnext_tiny", "model.encoder.pretrained=auto")[1]
    assert not build("model.encoder=convnext_tiny", "model.encoder.pretrained=false")[1]
    assert asked == ["imagenet", True, None]  # None and not False, which smp takes for True with encoders of timm


@pytest.mark.parametrize("encoder", ["tu-resnet50_mlp", "dpn68b"])
def test_an_encoder_that_was_never_published_starts_from_random_weights_unless_they_are_required(encoder: str) -> None:
    named = f"model.encoder.name={encoder}"
    assert build(named, "model.encoder.pretrained=auto")[1] is False
    with pytest.raises(UserError, match=f"no weights for {encoder}: none that fit it are published"):
        build(named, "model.encoder.pretrained=true")


def test_a_swin_of_another_family_is_refused() -> None:
    with pytest.raises(UserError, match="Unknown Swin encoder"):
        build(*SWIN, "model.encoder.name=swinv2_cr_tiny_224")


@pytest.mark.parametrize("key", ["_target_", "img_size"])
def test_an_encoder_of_the_library_takes_no_arguments(key: str) -> None:
    model = load_config([f"+model.encoder.kwargs.{key}=1", "model.encoder.pretrained=false"]).model
    with pytest.raises(UserError, match=r"model\.encoder\.kwargs=.*only timm's encoders"):
        build_model(model, (64, 64))


class Trap:
    """Unpickled, it makes a folder."""

    def __init__(self, canary: str) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.canary,)


@pytest.mark.parametrize(
    "key", ["_target_", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"]
)
def test_an_encoder_is_not_handed_what_would_load_a_file(tmp_path: Path, key: str) -> None:
    torch.save(Trap(str(tmp_path / "canary")), tmp_path / "trap.pth")
    model = load_config([*TINY, f"+model.encoder.kwargs.{key}={tmp_path / 'trap.pth'}"]).model
    with pytest.raises(UserError, match=rf"model\.encoder\.kwargs\.{key}: only arguments of .*tu-test_resnet"):
        build_model(model, (64, 64))
    assert not (tmp_path / "canary").exists()


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("content", [b"", b"<html>sign in</html>", bytes(1000)])
@pytest.mark.parametrize("wanted", ["auto", "true"])
def test_weights_whose_download_was_cut_off_are_named_and_not_the_architecture(content: bytes, wanted: str) -> None:
    about = smp.encoders.encoders["resnet18"]["pretrained_settings"]["imagenet"]
    cache = Path(huggingface_hub.constants.HF_HUB_CACHE)
    folder = cache / f"models--{about['repo_id'].replace('/', '--')}" / "snapshots" / about["revision"]
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(content)
    (folder / "config.json").write_text("{}")
    config = load_config(["model.encoder=resnet18", f"model.encoder.pretrained={wanted}"])
    with pytest.raises(UserError, match="are damaged") as caught:
        build_model(config.model, (64, 64))
    assert str(cache) in str(caught.value)
    assert "resnet18" in str(caught.value)
