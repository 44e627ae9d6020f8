"""Device, threads, precision and memory of a training."""

import logging
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from src.cards import MIB, count_cards, refuse_old_card
from src.config.schema import Config, SmpModel, SwinUnetModel
from src.errors import UserError

T = TypeVar("T")
# adaptive average pooling to more than one cell has no deterministic CUDA kernel
NOT_DETERMINISTIC = ("pspnet", "upernet")
# batch norm over the one value that global pooling leaves of one image
NEED_TWO_IMAGES = ("deeplabv3", "deeplabv3plus", "pan", "pspnet", "upernet")

log = logging.getLogger(__name__)


def use_threads(config: Config) -> None:
    """Set torch's CPU threads; the last bit of a sum depends on them."""
    if config.threads != "auto":
        torch.set_num_threads(config.threads)


def choose_device(name: str) -> torch.device:
    """``auto`` is the graphics card where there is one; ``cuda`` without one is a ``UserError``.

    So is a card that torch cannot use, but for ``cpu``.
    """
    if not count_cards(name):
        return torch.device("cpu")
    refuse_old_card()
    return torch.device("cuda")


def choose_precision(mixed: str | bool, device: torch.device) -> torch.dtype | None:
    """The autocast type, or None for float32 throughout. bf16 needs no loss scaling; older cards have only fp16."""
    if mixed is False or (mixed == "auto" and device.type == "cpu"):
        return None
    if mixed in ("bf16", "fp16"):
        return torch.bfloat16 if mixed == "bf16" else torch.float16
    return torch.bfloat16 if device.type == "cpu" or card_has_bf16(device) else torch.float16


def use_precision(dtype: torch.dtype | None) -> None:
    """Let convolutions on a card be float32 throughout where no autocast type is named, and not NVIDIA's TF32.

    TF32 has ten bits of mantissa. Beside autocast it does what torch does by itself.
    """
    torch.backends.cudnn.allow_tf32 = dtype is not None


def choose_layout(model: SmpModel | SwinUnetModel, device: torch.device) -> torch.memory_format:
    """Channels-last for convolutions on a graphics card, whose tensor cores want it; else the usual order.

    On a CPU channels-last is a tenth faster, and with torch 2.15 it corrupted memory on the one that was tried, without
    AVX-512: a strided 1x1 convolution of three channels (mobileone's first block) ended the process.
    """
    on_card = device.type == "cuda" and isinstance(model, SmpModel)
    return torch.channels_last if on_card else torch.contiguous_format


def refuse_impossible(config: Config, device: torch.device) -> None:
    """A ``UserError`` for what no training can do: be deterministic on CUDA or learn from single images with some
    architectures, or begin from the network that is to be evaluated."""
    architecture, training = config.model.architecture, config.training
    if config.model.checkpoint_path is not None:
        raise UserError("model.checkpoint_path is for evaluation; training goes on from training.resume_from.")
    if training.deterministic and device.type == "cuda" and architecture in NOT_DETERMINISTIC:
        raise UserError(
            f"training.deterministic=true: {architecture} cannot be deterministic on a graphics card. Of all "
            f"architectures {' and '.join(NOT_DETERMINISTIC)} cannot."
        )
    if training.log_gpu_memory and device.type != "cuda":
        log.warning("training.log_gpu_memory=true: no graphics card is used here, so there is nothing to tell")
    warn_of_emulated_bf16(training.mixed_precision, device)
    if config.data.batch_size < smallest_micro_batch(config):
        size = list(config.data.image_size)
        raise UserError(
            f"data.batch_size=1: {architecture} needs 2 or more images of {size} pixels for its batch norm."
        )


def warn_of_emulated_bf16(mixed: str | bool, device: torch.device) -> None:
    """Say that a precision was asked for which the device has no units for, so that it is slower and not faster."""
    if device.type == "cpu" and mixed not in (False, "auto") and not cpu_has_bf16():
        log.warning(
            "training.mixed_precision=%s: this CPU has no bfloat16 units, so it is slower for it; auto leaves it off",
            str(mixed).lower(),
        )
    here = torch.cuda.is_available()  # else a card is planned for that is not here
    if device.type == "cuda" and mixed == "bf16" and here and not card_has_bf16(device):
        log.warning(
            "training.mixed_precision=bf16: this graphics card has no bfloat16 units, so it is slower for it; auto "
            "takes fp16"
        )


def card_has_bf16(device: torch.device) -> bool:
    """Whether a graphics card multiplies bfloat16 by itself: from Ampere on (compute capability 8.0)."""
    return torch.cuda.get_device_capability(device) >= (8, 0)


def cpu_has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 by itself; without that torch emulates it, several times slower."""
    return any(there for name, there in torch.cpu.get_capabilities().items() if "bf16" in name)


def smallest_micro_batch(config: Config) -> int:
    """Images that the architecture needs at once to learn from them: batch norm wants two values of each channel."""
    pooled = config.model.architecture in NEED_TWO_IMAGES
    tiny = isinstance(config.model, SmpModel) and max(config.data.image_size) <= 2**config.model.encoder.depth
    return 2 if pooled or tiny else 1


OUT_OF_MEMORY = (
    "CUDA error: out of memory",  # an AcceleratorError
    "unable to find an engine to execute this computation",  # cuDNN: no algorithm's workspace fits
    "No valid engine configs",
    "No valid execution plans built",
    "DEVICE_ALLOCATION_FAILED",  # CUDNN_STATUS_INTERNAL_ERROR_...
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate",  # what its handle takes is not there
)
"""What errors say that are no ``torch.OutOfMemoryError`` and come of a full card all the same."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a card's memory has run out, whichever library says so."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)


class MicroBatch:
    """How many images go through the network at once: halved when memory runs out, and not raised again."""

    def __init__(self, size: int, smallest: int) -> None:
        self.size, self.smallest = size, smallest

    def heal(self, work: Callable[[int], T], undo: Callable[[], None] | None = None) -> T:
        """``work(size)``, repeated with half the size while memory runs out; ``smallest`` is tried last.

        ``undo`` is called before each repetition, to drop what the failed attempt has left.
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
            log.warning("out of memory: going on with micro-batches of %d; the effective batch stays", self.size)


class StepState:
    """The running statistics of a network and the random state, to repeat a step as if it had not been begun."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self.device = device
        self.buffers = [
            item
            for module in model.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm)  # pyright: ignore[reportPrivateUsage]
            for item in (module.running_mean, module.running_var)
            if isinstance(item, Tensor)
        ]
        self.take()

    def take(self) -> None:
        """Remember the present state."""
        self.values = torch.cat([item.flatten() for item in self.buffers]) if self.buffers else None
        self.random = torch.get_rng_state()
        self.cuda_random = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None

    def restore(self) -> None:
        """Go back to the state that was remembered."""
        if self.values is not None:
            parts = self.values.split([item.numel() for item in self.buffers])
            for item, value in zip(self.buffers, parts, strict=True):
                item.copy_(value.view_as(item))
        torch.set_rng_state(self.random)
        if self.cuda_random is not None:
            torch.cuda.set_rng_state(self.cuda_random, self.device)


def gpu_memory(device: torch.device) -> dict[str, float]:
    """MiB on the graphics card: what tensors hold now, what torch has reserved, and its most since the last call."""
    if device.type != "cuda":
        return {}
    found = {
        "gpu_memory_mib/allocated": torch.cuda.memory_allocated(device) / MIB,
        "gpu_memory_mib/reserved": torch.cuda.memory_reserved(device) / MIB,
        "gpu_memory_mib/peak": torch.cuda.max_memory_reserved(device) / MIB,
    }
    torch.cuda.reset_peak_memory_stats(device)
    return found
