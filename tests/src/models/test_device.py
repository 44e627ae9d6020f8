"""The device of a training, its precision and its memory order."""

import pytest
import torch

from src.config.compose import load_config
from src.errors import UserError
from src.models.device import choose_device, choose_layout, choose_precision, gpu_memory, use_precision


def test_auto_precision_is_float32_on_a_cpu_and_true_is_bf16():
    assert choose_precision("auto", torch.device("cpu")) is None
    assert choose_precision(True, torch.device("cpu")) == torch.bfloat16
    assert choose_precision(False, torch.device("cpu")) is None


def test_convolutions_are_channels_last_on_a_graphics_card_and_nothing_is_on_a_cpu():
    unet, swin = load_config().model, load_config(["model=architectures/swin_unet"]).model
    assert choose_layout(unet, torch.device("cuda")) == torch.channels_last
    assert choose_layout(swin, torch.device("cuda")) == torch.contiguous_format
    assert choose_layout(unet, torch.device("cpu")) == torch.contiguous_format


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
