"""Checks before a training: what cannot work is refused, what will be slow or empty is warned about."""

import logging

import torch

from src.config.schema import Config
from src.errors import UserError
from src.models.device import card_has_bf16, cpu_has_bf16
from src.models.registry import ARCHITECTURES, smallest_micro_batch
from src.training.listeners import refuse_missing

log = logging.getLogger(__name__)


def check_trainable(config: Config, device: torch.device) -> None:
    """Refuse a configuration that cannot be trained on ``device``, and warn about settings without a use there."""
    refuse_untrainable(config, device)
    refuse_missing(config)
    if config.training.log_gpu_memory and device.type != "cuda":
        log.warning("training.log_gpu_memory=true: no graphics card is used, so there is no GPU memory to log")
    warn_of_emulated_bf16(config.training.mixed_precision, device)


def refuse_untrainable(config: Config, device: torch.device) -> None:
    """A ``UserError`` for what cannot be trained.

    That is: a network that is named for evaluation, an architecture that cannot be deterministic on a graphics card,
    or one that cannot learn from single images.
    """
    architecture = config.model.architecture
    if config.model.checkpoint_path is not None:
        raise UserError("model.checkpoint_path is for evaluation; to continue a training, use training.resume_from.")
    on_cuda = device.type == "cuda"
    if config.training.deterministic and on_cuda and not ARCHITECTURES[architecture].deterministic_on_cuda:
        others = [name for name, traits in ARCHITECTURES.items() if not traits.deterministic_on_cuda]
        raise UserError(
            f"training.deterministic=true: {architecture} cannot be deterministic on a graphics card. The "
            f"architectures that cannot are {' and '.join(others)}."
        )
    if config.data.batch_size < smallest_micro_batch(config):
        size = list(config.data.image_size)
        raise UserError(
            f"data.batch_size=1: {architecture} needs 2 or more images of {size} pixels for its batch norm."
        )


def warn_of_emulated_bf16(mixed: str | bool, device: torch.device) -> None:
    """Warn where the device has no units for the chosen precision, so that it is slower and not faster."""
    if device.type == "cpu" and mixed not in (False, "auto") and not cpu_has_bf16():
        log.warning(
            "training.mixed_precision=%s: this CPU has no bfloat16 units, so this makes it slower; auto leaves it off",
            str(mixed).lower(),
        )
    here = torch.cuda.is_available()  # otherwise the plan is for a card of another machine
    if device.type == "cuda" and mixed == "bf16" and here and not card_has_bf16(device):
        log.warning(
            "training.mixed_precision=bf16: this graphics card has no bfloat16 units, so this makes it slower; "
            "auto uses fp16"
        )
