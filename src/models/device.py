"""Chooses device, threads, precision and memory order of a training, and measures GPU memory."""

import torch
from torch import nn

from src.cards import MIB, count_cards, refuse_old_card
from src.config.schema import Config
from src.models.registry import ARCHITECTURES

SMALL = 10_000_000
"""Weights of a small network, at most."""
FLOATS_PER_REGISTER = 16
"""With AVX-512."""


def use_threads(config: Config) -> None:
    """Set torch's CPU threads; the last bit of a sum depends on them."""
    if config.threads != "auto":
        torch.set_num_threads(config.threads)


def choose_device(name: str) -> torch.device:
    """The device of ``device=NAME``. ``auto`` is the graphics card if there is one; otherwise the CPU.

    ``cuda`` without a card, and a card that torch cannot use, are a ``UserError``.
    """
    if not count_cards(name):
        return torch.device("cpu")
    refuse_old_card()
    return torch.device("cuda")


def choose_precision(mixed: str | bool, device: torch.device) -> torch.dtype | None:
    """The autocast type, or None for float32. bf16 needs no loss scaling, but older cards have only fp16."""
    if mixed is False or (mixed == "auto" and device.type == "cpu"):
        return None
    if mixed in ("bf16", "fp16"):
        return torch.bfloat16 if mixed == "bf16" else torch.float16
    return torch.bfloat16 if device.type == "cpu" or card_has_bf16(device) else torch.float16


def use_precision(dtype: torch.dtype | None) -> None:
    """Without an autocast type, let convolutions on a card compute in float32 and not in NVIDIA's TF32.

    TF32 has a mantissa of ten bits. With autocast, torch's default stays.
    """
    torch.backends.cudnn.allow_tf32 = dtype is not None


def choose_layout(network: nn.Module, architecture: str, device: torch.device) -> torch.memory_format:
    """Channels-last where a step is faster with it, otherwise the usual order.

    That is where the architecture consists of convolutions: on a graphics card, whose tensor cores want it, and on a
    CPU for small networks, whose step takes 0.71 to 1.0 of its time; that of large ones takes 0.94 to 1.41.
    """
    usual = device.type == "cpu" and (count_weights(network) > SMALL or any(map(corrupts_memory, network.modules())))
    faster = ARCHITECTURES[architecture].channels_last and not usual
    return torch.channels_last if faster else torch.contiguous_format


def count_weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def corrupts_memory(module: nn.Module) -> bool:
    """Whether torch's library for CPUs writes past a buffer for this convolution in channels-last order.

    Those are 1x1 convolutions with a stride and fewer channels than a vector register holds, as at the start of
    mobileone: https://github.com/uxlfoundation/oneDNN/issues/6035
    """
    if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        return False
    channels = min(module.in_channels, module.out_channels) // module.groups
    return module.kernel_size == (1, 1) and max(module.stride) > 1 and channels < FLOATS_PER_REGISTER


def layout_of(network: nn.Module) -> torch.memory_format:
    """The memory order of a network's convolutions, and so of its images. Of 1x1 kernels it cannot be told."""
    kernels = (
        item for item in network.parameters() if item.ndim == 4 and item.shape[1] > 1 and max(item.shape[2:]) > 1
    )
    first = next(kernels, None)
    last = first is not None and first.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def card_has_bf16(device: torch.device) -> bool:
    """Whether a graphics card has units for bfloat16: from Ampere on (compute capability 8.0)."""
    return torch.cuda.get_device_capability(device) >= (8, 0)


def cpu_has_bf16() -> bool:
    """Whether this processor has units for bfloat16; otherwise torch emulates it, several times slower."""
    return any(there for name, there in torch.cpu.get_capabilities().items() if "bf16" in name)


def gpu_memory(device: torch.device) -> dict[str, float]:
    """MiB on the graphics card: held by tensors, reserved by torch, and reserved at most since the last call."""
    if device.type != "cuda":
        return {}
    found = {
        "gpu_memory_mib/allocated": torch.cuda.memory_allocated(device) / MIB,
        "gpu_memory_mib/reserved": torch.cuda.memory_reserved(device) / MIB,
        "gpu_memory_mib/peak": torch.cuda.max_memory_reserved(device) / MIB,
    }
    torch.cuda.reset_peak_memory_stats(device)
    return found
