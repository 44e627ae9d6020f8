"""The device of a training, its precision and its memory order."""

from typing import Any, cast

import pytest
import torch
from torch import nn

from src.config.compose import load_config
from src.errors import UserError
from src.models.device import (
    choose_device,
    choose_layout,
    choose_precision,
    corrupts_memory,
    gpu_memory,
    layout_of,
    use_precision,
)
from src.models.registry import build_model


def test_auto_precision_is_float32_on_a_cpu_and_true_is_bf16():
    assert choose_precision("auto", torch.device("cpu")) is None
    assert choose_precision(True, torch.device("cpu")) == torch.bfloat16
    assert choose_precision(False, torch.device("cpu")) is None


def network(*overrides: str) -> nn.Module:
    config = load_config([*overrides, "model.encoder.pretrained=false"])
    return build_model(config.model, (64, 64))[0]


@pytest.mark.parametrize(
    ("overrides", "on_card", "on_cpu"),
    [
        (["model.encoder.name=mobilenet_v2"], torch.channels_last, torch.channels_last),
        (["model.encoder.name=resnet34"], torch.channels_last, torch.contiguous_format),  # large
        (["model.encoder.name=mobileone_s0"], torch.channels_last, torch.contiguous_format),  # would corrupt memory
        (["model=architectures/swin_unet"], torch.contiguous_format, torch.contiguous_format),
    ],
    ids=str,
)
def test_convolutions_are_channels_last_where_that_is_faster_and_safe(
    overrides: list[str], on_card: torch.memory_format, on_cpu: torch.memory_format
):
    model, architecture = network(*overrides), load_config(overrides).model.architecture
    assert choose_layout(model, architecture, torch.device("cuda")) == on_card
    assert choose_layout(model, architecture, torch.device("cpu")) == on_cpu


@pytest.mark.parametrize(
    ("convolution", "corrupts"),
    [
        (nn.Conv2d(3, 48, 1, stride=2), True),
        (nn.Conv2d(64, 64, 1, stride=2, groups=64), True),
        (nn.ConvTranspose2d(32, 8, 1, stride=2), True),
        (nn.Conv2d(64, 128, 1, stride=2), False),
        (nn.Conv2d(3, 48, 1), False),
        (nn.Conv2d(3, 48, 3, stride=2), False),
        (nn.ReLU(), False),
    ],
    ids=str,
)
def test_a_1x1_convolution_with_a_stride_needs_as_many_channels_as_a_register_holds(
    convolution: nn.Module, corrupts: bool
):
    assert corrupts_memory(convolution) == corrupts


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_order_of_a_network_can_be_told_and_does_not_change_what_it_says(layout: torch.memory_format):
    model, images = network("model.encoder.name=mobilenet_v2").eval(), torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        before = model(images)
        ordered = cast(Any, model).to(memory_format=layout)
        torch.testing.assert_close(ordered(images.contiguous(memory_format=layout)), before, rtol=1e-4, atol=1e-4)
    assert layout_of(ordered) == layout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card here")
def test_a_missing_graphics_card_is_one_sentence():
    with pytest.raises(UserError, match="device=cuda"):
        choose_device("cuda")


def test_a_training_refuses_a_card_without_kernels(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75"])
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (6, 1))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "GTX 1080")
    with pytest.raises(UserError, match=r"GTX 1080 has compute capability 6\.1"):
        choose_device("auto")


def test_float32_is_float32_throughout_and_autocast_may_use_tf32():
    use_precision(None)
    assert not torch.backends.cudnn.allow_tf32
    use_precision(torch.bfloat16)
    assert torch.backends.cudnn.allow_tf32


def test_a_cpu_has_no_gpu_memory():
    assert gpu_memory(torch.device("cpu")) == {}
