"""The device of a training: which one, its threads, its precision, its memory order, how full it is."""

import torch

from src.cards import MIB, count_cards, refuse_old_card
from src.config.schema import Config, SmpModel, SwinUnetModel
from src.models.registry import ARCHITECTURES


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
    faster = device.type == "cuda" and ARCHITECTURES[model.architecture].channels_last
    return torch.channels_last if faster else torch.contiguous_format


def card_has_bf16(device: torch.device) -> bool:
    """Whether a graphics card multiplies bfloat16 by itself: from Ampere on (compute capability 8.0)."""
    return torch.cuda.get_device_capability(device) >= (8, 0)


def cpu_has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 by itself; without that torch emulates it, several times slower."""
    return any(there for name, there in torch.cpu.get_capabilities().items() if "bf16" in name)


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
