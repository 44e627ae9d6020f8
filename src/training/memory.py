"""Predicts the GPU memory of a training, on any machine.

Only tensors are predicted; ``needed`` adds an allowance for cuDNN's workspaces, rounding and fragmentation.
``training.compile`` is ignored (it usually needs less), and so is channels-last order (it does not change sizes). A
CUDA context (some 450 MiB) is outside of torch's memory and not included.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch

from src.atomic import replace_text
from src.config.schema import Config
from src.errors import UserError
from src.models.device import MIB
from src.models.micro_batch import micro_batches
from src.models.registry import smallest_micro_batch
from src.training.fake_step import known_optimizer, peak_bytes
from src.training.losses import find_term

FORMAT = 3  # raise it when the prediction changes: the step, a loss, our own network
LIBRARIES = ("torch", "segmentation-models-pytorch", "timm")


def predict_peak(config: Config, micro_batch: int | None = None) -> int:
    """MiB of tensors at the peak of the second training step (forward, backward, optimizer), on a graphics card.

    ``micro_batch``: images at once, at most; None is ``data.batch_size``. The precision is bfloat16 autocast, except
    for ``training.mixed_precision=false``. It takes seconds and is stored in ``data.cache_dir``. A network that cannot
    be built is a ``UserError``.
    """
    sizes = micro_batch_sizes(config, micro_batch or config.data.batch_size)
    what = decisive(config, sizes)
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]
    file = config.data.cache_dir / "memory" / f"{digest}.json"
    peak = _load(file)
    if peak is None:
        peak = math.ceil(peak_bytes(config, sizes) / MIB)
        _store(file, {"peak_mib": peak, "of": what})
    return peak


def needed(peak: int) -> int:
    """MiB that a card must have free to train with this predicted peak: 1.3 times the peak, plus 200.

    The allowance is for the allocator's rounding and fragmentation, and for cuDNN's workspaces. On an H100, torch
    reserved at most 1.28 times the prediction, for swin_unet (docs/cards/h100.md).
    """
    return math.ceil(1.3 * peak) + 200


def fitting_micro_batch(config: Config, limit_mib: int) -> int | None:
    """The largest micro-batch that needs at most ``limit_mib``; sizes are halved as ``MicroBatch`` halves them.

    None if even the smallest does not fit.
    """
    size = config.data.batch_size
    while size >= smallest_micro_batch(config):
        if needed(predict_peak(config, size)) <= limit_mib:
            return size
        size //= 2
    return None


def micro_batch_sizes(config: Config, micro_batch: int) -> list[int]:
    """Images in the first two micro-batches of an effective batch.

    The first is the largest; the second runs while gradients are held. The later ones need no more.
    """
    effective = torch.empty(config.data.batch_size * config.training.gradient_accumulation_steps)
    parts = micro_batches(effective, effective, micro_batch, smallest_micro_batch(config))
    return [len(part) for part, _ in parts][:2]


def decisive(config: Config, sizes: Sequence[int]) -> dict[str, Any]:
    """Everything that decides the prediction. Learning rates, decay and weights of loss terms do not."""
    model = config.model.model_dump(
        mode="json", exclude={"checkpoint_path": True, "init_from": True, "encoder": {"pretrained", "base_lr"}}
    )
    training = config.training
    return {
        "format": FORMAT,
        "libraries": {name: version(name) for name in LIBRARIES},
        "model": model,
        "image_size": config.data.image_size,
        "images": list(sizes),
        "loss": {name: values.get(find_term(name).memory_parameter) for name, values in training.loss.items()},
        "optimizer": [known_optimizer(training.optimizer.name), training.optimizer.keeps],
        "mixed_precision": training.mixed_precision is not False,
        "averaged": training.ema_decay is not None,
    }


def _load(file: Path) -> int | None:
    """The stored prediction; None if the file does not exist or is damaged."""
    try:
        peak = cast(dict[str, Any], json.loads(file.read_text()))["peak_mib"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return peak if isinstance(peak, int) and peak > 0 else None


def _store(file: Path, content: dict[str, Any]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(file, json.dumps(content, indent=1))
    except OSError as error:
        raise UserError(f"Cannot write {file}: {error.strerror}; data.cache_dir sets its place.") from error
