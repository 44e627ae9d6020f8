"""What the machine offers a training."""

import logging
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from src.config import load_config
from src.device import (
    MicroBatch,
    StepState,
    choose_device,
    choose_layout,
    choose_precision,
    gpu_memory,
    refuse_impossible,
)
from src.errors import UserError


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


@pytest.mark.parametrize(("fits", "smallest", "tried"), [(8, 1, [8]), (3, 1, [8, 4, 2]), (1, 1, [8, 4, 2, 1])])
def test_the_micro_batch_halves_until_it_fits(fits: int, smallest: int, tried: list[int]):
    seen: list[int] = []

    def work(size: int) -> str:
        seen.append(size)
        if size > fits:
            raise torch.OutOfMemoryError("no room")
        return "done"

    micro_batch = MicroBatch(8, smallest)
    assert micro_batch.heal(work) == "done"
    assert seen == tried
    assert micro_batch.heal(work) == "done"
    assert seen == [*tried, tried[-1]]  # what did not fit is not tried again


def test_below_the_smallest_micro_batch_running_out_of_memory_is_an_error(caplog: pytest.LogCaptureFixture):
    def work(size: int) -> None:
        raise torch.OutOfMemoryError("no room")

    with caplog.at_level(logging.WARNING), pytest.raises(torch.OutOfMemoryError):
        MicroBatch(8, 2).heal(work)
    assert [record.args for record in caplog.records] == [(4,), (2,)]


def test_a_step_can_be_begun_again():
    norm = nn.BatchNorm2d(4)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.Dropout(0.5)).train()
    images = torch.rand(2, 3, 8, 8)
    state = StepState(network, torch.device("cpu"))
    first = network(images)
    assert norm.running_mean is not None
    mean = norm.running_mean.clone()
    state.restore()
    assert torch.equal(norm.running_mean, torch.zeros(4))
    assert torch.equal(network(images), first)
    assert torch.equal(norm.running_mean, mean)


def test_an_architecture_without_deterministic_form_is_refused_on_a_graphics_card_only():
    config = load_config(["model=architectures/pspnet", "training.deterministic=true"])
    refuse_impossible(config, torch.device("cpu"))
    with pytest.raises(UserError, match=r"pspnet cannot be deterministic .* architectures pspnet and upernet cannot"):
        refuse_impossible(config, torch.device("cuda"))


def test_a_loss_without_deterministic_form_is_refused_on_a_graphics_card_only():
    config = load_config(["training.loss=bce_lovasz", "training.deterministic=true"])
    refuse_impossible(config, torch.device("cpu"))
    with pytest.raises(UserError, match=r"lovasz cannot be deterministic .* terms of losses lovasz"):
        refuse_impossible(config, torch.device("cuda"))


def test_an_architecture_that_cannot_learn_from_one_image_wants_batches_of_two():
    with pytest.raises(UserError, match=r"data\.batch_size=1: pan needs 2 or more images"):
        refuse_impossible(load_config(["model=architectures/pan", "data.batch_size=1"]), torch.device("cpu"))
    refuse_impossible(load_config(["data.batch_size=1"]), torch.device("cpu"))


@pytest.mark.parametrize(("size", "refused"), [(32, True), (48, False)])
def test_an_image_that_leaves_one_value_of_a_channel_wants_batches_of_two(size: int, refused: bool):
    config = load_config(["model=architectures/unet", "data.batch_size=1", f"data.image_size=[{size},{size}]"])
    with pytest.raises(UserError, match="2 or more images") if refused else nullcontext():
        refuse_impossible(config, torch.device("cpu"))


def test_that_there_is_no_gpu_memory_to_tell_of_on_a_cpu_is_said(caplog: pytest.LogCaptureFixture):
    refuse_impossible(load_config(["training.log_gpu_memory=true"]), torch.device("cpu"))
    assert "there is nothing to tell" in caplog.text
    assert gpu_memory(torch.device("cpu")) == {}


@pytest.mark.parametrize(
    ("native", "precision", "said"), [(False, "true", True), (True, "true", False), (False, "auto", False)]
)
def test_that_bfloat16_is_slow_on_a_cpu_without_units_for_it_is_said(
    native: bool, precision: str, said: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": native})
    refuse_impossible(load_config([f"training.mixed_precision={precision}"]), torch.device("cpu"))
    assert ("training.mixed_precision=true: this CPU has no bfloat16 units" in caplog.text) == said
