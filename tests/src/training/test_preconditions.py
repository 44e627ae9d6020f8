"""What is refused or warned about before a training."""

from contextlib import nullcontext

import pytest
import torch

from src.config.compose import load_config
from src.errors import UserError
from src.models.device import choose_precision
from src.training.preconditions import check_trainable


@pytest.mark.parametrize(
    ("capability", "precision", "chosen", "warned"),
    [
        ((7, 5), "bf16", torch.bfloat16, True),  # emulated
        ((7, 5), "auto", torch.float16, False),
        ((8, 6), "bf16", torch.bfloat16, False),
        ((8, 6), "true", torch.bfloat16, False),
    ],
)
def test_a_card_without_units_for_bfloat16_uses_fp16_and_warns_about_an_explicit_bf16(
    capability: tuple[int, int],
    precision: str,
    chosen: torch.dtype,
    warned: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    config = load_config([f"training.mixed_precision={precision}"])
    check_trainable(config, torch.device("cuda"))
    assert choose_precision(config.training.mixed_precision, torch.device("cuda")) == chosen
    assert ("no bfloat16 units" in caplog.text) == warned


def test_an_architecture_without_deterministic_form_is_refused_on_a_graphics_card_only():
    config = load_config(["model=architectures/pspnet", "training.deterministic=true"])
    check_trainable(config, torch.device("cpu"))
    with pytest.raises(UserError, match=r"training\.deterministic=true: pspnet .*pspnet and upernet"):
        check_trainable(config, torch.device("cuda"))


def test_an_architecture_that_cannot_learn_from_one_image_needs_batches_of_two():
    with pytest.raises(UserError, match=r"data\.batch_size=1: pan .*2 or more"):
        check_trainable(load_config(["model=architectures/pan", "data.batch_size=1"]), torch.device("cpu"))
    check_trainable(load_config(["data.batch_size=1"]), torch.device("cpu"))


@pytest.mark.parametrize(("size", "refused"), [(32, True), (48, False)])
def test_an_image_that_leaves_one_value_of_a_channel_needs_batches_of_two(size: int, refused: bool):
    config = load_config(["model=architectures/unet", "data.batch_size=1", f"data.image_size=[{size},{size}]"])
    with pytest.raises(UserError, match=r"data\.batch_size=1: unet .*2 or more") if refused else nullcontext():
        check_trainable(config, torch.device("cpu"))


def test_logging_gpu_memory_without_a_graphics_card_is_warned_about(caplog: pytest.LogCaptureFixture):
    check_trainable(load_config(["training.log_gpu_memory=true"]), torch.device("cpu"))
    assert "training.log_gpu_memory=true" in caplog.text


@pytest.mark.parametrize(
    ("native", "precision", "warned"), [(False, "true", True), (True, "true", False), (False, "auto", False)]
)
def test_bfloat16_on_a_cpu_without_units_for_it_is_warned_about(
    native: bool, precision: str, warned: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": native})
    check_trainable(load_config([f"training.mixed_precision={precision}"]), torch.device("cpu"))
    assert ("training.mixed_precision=true: this CPU has no bfloat16 units" in caplog.text) == warned
