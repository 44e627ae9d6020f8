"""What the machine offers a training."""

import logging
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from src.config.compose import load_config
from src.errors import UserError
from src.models.device import (
    MicroBatch,
    StepState,
    choose_device,
    choose_layout,
    choose_precision,
    gpu_memory,
    is_out_of_memory,
    refuse_impossible,
    use_precision,
)


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


FULL = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("GET was unable to find an engine to execute this computation"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
    RuntimeError("No valid execution plans built."),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be reported asynchronously"),
)


@pytest.mark.parametrize("error", FULL, ids=lambda error: str(error)[:40])
def test_whichever_library_says_that_memory_ran_out_the_micro_batch_is_halved(error: RuntimeError):
    def work(size: int) -> int:
        if size > 2:
            raise error
        return size

    assert is_out_of_memory(error)
    undone: list[str] = []
    assert MicroBatch(8, 1).heal(work, undo=lambda: undone.append("again")) == 2
    assert undone == ["again", "again"]
    with pytest.raises(type(error)):
        MicroBatch(8, 4).heal(work)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), torch.AcceleratorError("CUDA error: illegal access")],
    ids=str,
)
def test_another_error_is_not_healed(error: RuntimeError):
    asked: list[int] = []

    def work(size: int) -> None:
        asked.append(size)
        raise error

    with pytest.raises(type(error)):
        MicroBatch(8, 1).heal(work)
    assert asked == [8]


def test_what_a_failed_attempt_has_left_is_dropped_before_the_cards_memory_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
):
    done: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: done.append("given back"))

    def work(size: int) -> None:
        if size > 4:
            raise FULL[0]

    MicroBatch(8, 1).heal(work, undo=lambda: done.append("dropped"))
    assert done == ["dropped", "given back"]


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


@pytest.mark.parametrize(
    ("capability", "asked", "chosen", "said"),
    [
        ((7, 5), "bf16", torch.bfloat16, True),  # emulated
        ((7, 5), "auto", torch.float16, False),
        ((8, 6), "bf16", torch.bfloat16, False),
        ((8, 6), "true", torch.bfloat16, False),
    ],
)
def test_a_card_without_units_for_bfloat16_takes_fp16_and_says_so_where_bf16_is_asked_for(
    capability: tuple[int, int],
    asked: str,
    chosen: torch.dtype,
    said: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    config = load_config([f"training.mixed_precision={asked}"])
    refuse_impossible(config, torch.device("cuda"))
    assert choose_precision(config.training.mixed_precision, torch.device("cuda")) == chosen
    assert ("no bfloat16 units" in caplog.text) == said


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
