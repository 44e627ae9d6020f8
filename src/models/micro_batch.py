"""Micro-batches: halved when memory runs out, and the state that a repeated step begins from."""

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")

log = logging.getLogger(__name__)

OUT_OF_MEMORY = (
    "CUDA error: out of memory",  # an AcceleratorError
    "unable to find an engine to execute this computation",  # cuDNN: no algorithm's workspace fits
    "No valid engine configs",
    "No valid execution plans built",
    "DEVICE_ALLOCATION_FAILED",  # CUDNN_STATUS_INTERNAL_ERROR_...
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate",  # there is no room for its handle
)
"""Texts of errors that mean a full card although they are not a ``torch.OutOfMemoryError``."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a card's memory is full, whichever library raised it."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)


class MicroBatch:
    """The number of images that pass the network at once. It is halved when memory runs out and never raised again."""

    def __init__(self, size: int, smallest: int) -> None:
        self.size, self.smallest = size, smallest

    def run(self, work: Callable[[int], T], undo: Callable[[], None] | None = None) -> T:
        """Return ``work(size)``. While memory runs out, repeat it with half the size, down to ``smallest``.

        ``undo`` is called before each repetition, to drop what the failed attempt has left behind.
        """
        while True:
            try:
                return work(self.size)
            except RuntimeError as error:
                if not is_out_of_memory(error) or self.size // 2 < self.smallest:
                    raise
            # outside of the except block: the exception holds the tensors of the failed attempt
            self.size //= 2
            if undo:
                undo()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            log.warning("out of memory: continuing with micro-batches of %d; the effective batch stays", self.size)


def micro_batches(images: Tensor, masks: Tensor, size: int, smallest: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
    """Split a batch into the fewest parts of at most ``size`` images, nearly equal: batch norm must not get one image.

    No part has less than ``smallest`` images, even if it is then larger than ``size``.
    """
    parts = min(-(-len(images) // size), max(1, len(images) // smallest))
    yield from zip(images.tensor_split(parts), masks.tensor_split(parts), strict=True)


class StepState:
    """A network's running statistics and the random state, saved so that a step can be repeated from its start."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self.device = device
        self.buffers = [
            item
            for module in model.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm)  # pyright: ignore[reportPrivateUsage]
            for item in (module.running_mean, module.running_var)
            if isinstance(item, Tensor)
        ]
        self.save()

    def save(self) -> None:
        """Save the present state."""
        self.values = torch.cat([item.flatten() for item in self.buffers]) if self.buffers else None
        self.random = torch.get_rng_state()
        self.cuda_random = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None

    def restore(self) -> None:
        """Return to the saved state."""
        if self.values is not None:
            parts = self.values.split([item.numel() for item in self.buffers])
            for item, value in zip(self.buffers, parts, strict=True):
                item.copy_(value.view_as(item))
        torch.set_rng_state(self.random)
        if self.cuda_random is not None:
            torch.cuda.set_rng_state(self.cuda_random, self.device)
