"""Micro-batches that are halved, and steps that are repeated."""

import logging

import pytest
import torch
from torch import nn

from src.models.micro_batch import MicroBatch, StepState, is_out_of_memory, micro_batches


@pytest.mark.parametrize(("fits", "smallest", "tried"), [(8, 1, [8]), (3, 1, [8, 4, 2]), (1, 1, [8, 4, 2, 1])])
def test_the_micro_batch_halves_until_it_fits(fits: int, smallest: int, tried: list[int]):
    seen: list[int] = []

    def work(size: int) -> str:
        seen.append(size)
        if size > fits:
            raise torch.OutOfMemoryError("no room")
        return "done"

    micro_batch = MicroBatch(8, smallest)
    assert micro_batch.run(work) == "done"
    assert seen == tried
    assert micro_batch.run(work) == "done"
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
    assert MicroBatch(8, 1).run(work, undo=lambda: undone.append("again")) == 2
    assert undone == ["again", "again"]
    with pytest.raises(type(error)):
        MicroBatch(8, 4).run(work)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), torch.AcceleratorError("CUDA error: illegal access")],
    ids=str,
)
def test_another_error_is_raised_at_once(error: RuntimeError):
    sizes: list[int] = []

    def work(size: int) -> None:
        sizes.append(size)
        raise error

    with pytest.raises(type(error)):
        MicroBatch(8, 1).run(work)
    assert sizes == [8]


def test_what_a_failed_attempt_has_left_is_dropped_before_the_cards_memory_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
):
    done: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: done.append("given back"))

    def work(size: int) -> None:
        if size > 4:
            raise FULL[0]

    MicroBatch(8, 1).run(work, undo=lambda: done.append("dropped"))
    assert done == ["dropped", "given back"]


def test_below_the_smallest_micro_batch_running_out_of_memory_is_an_error(caplog: pytest.LogCaptureFixture):
    def work(size: int) -> None:
        raise torch.OutOfMemoryError("no room")

    with caplog.at_level(logging.WARNING), pytest.raises(torch.OutOfMemoryError):
        MicroBatch(8, 2).run(work)
    assert [record.args for record in caplog.records] == [(4,), (2,)]


def test_a_step_can_be_repeated_from_its_start():
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


def test_micro_batches_are_equal_parts_and_hold_every_image():
    parts = list(micro_batches(torch.arange(9), torch.arange(9), 4))
    assert [len(images) for images, _ in parts] == [3, 3, 3]
    assert torch.equal(torch.cat([images for images, _ in parts]), torch.arange(9))
