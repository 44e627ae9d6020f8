"""Builds the optimizer and the learning-rate schedule: timm's, and two schedules that timm lacks."""

import math
import re
from collections.abc import Iterator
from inspect import signature
from typing import Any

import torch
from timm.optim._optim_factory import create_optimizer_v2, get_optimizer_class, list_optimizers
from timm.scheduler.scheduler import Scheduler
from timm.scheduler.scheduler_factory import create_scheduler_v2
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from src.config import schema
from src.config.schema import Training
from src.errors import UserError, unknown

COMMON = {"params", "lr", "weight_decay"}
"""Arguments that every optimizer gets for each group of weights."""
FUSED = (Adam, AdamW)
"""Optimizers whose step torch can fuse into a few kernels for all weights."""
BLOCK = re.compile(r"encoder\.layers_(\d+)\.(?:blocks\.(\d+)|downsample)\.")


def build_optimizer(model: nn.Module, training: Training) -> Optimizer:
    """timm's optimizer of that name, without weight decay on norms, biases and tables of attention biases.

    Groups carry ``lr_scale``, which timm's schedules multiply into their rate.
    """
    optimizer = training.optimizer
    names = [str(name) for name in list_optimizers()]
    if optimizer.name not in names:
        raise unknown("optimizer in training.optimizer.name", optimizer.name, names)
    lr = optimizer.lr * optimizer.lr_scale
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter, scale in scaled_parameters(model, optimizer):
        decays = parameter.ndim > 1 and not name.endswith("relative_position_bias_table")
        decay = optimizer.weight_decay if decays else 0.0
        empty = {"params": [], "weight_decay": decay, "lr_scale": scale}
        groups.setdefault((scale, decay), empty)["params"].append(parameter)
    try:
        refuse_foreign_keys(optimizer)
        own = optimizer.own | fused(optimizer)
        return create_optimizer_v2(list(groups.values()), opt=optimizer.name, lr=lr, weight_decay=0.0, **own)
    except (TypeError, ValueError, AssertionError, ImportError) as error:  # an illegal value, or a missing library
        raise UserError(
            f"training.optimizer: {optimizer.name} with {optimizer.own} cannot be made: {error}."
        ) from error


def fused(optimizer: schema.Optimizer) -> dict[str, Any]:
    """Use torch's fused step, if the optimizer has one and its keys do not decide it."""
    has_one = get_optimizer_class(optimizer.name, bind_defaults=False) in FUSED
    chosen = {"fused", "foreach", "capturable", "differentiable"} & set(optimizer.own)
    return {"fused": True} if has_one and not chosen else {}


def order_like_weights(optimizer: Optimizer) -> None:
    """Give what an optimizer keeps of each weight the memory order of that weight.

    A checkpoint may come from a device on which the network had another order. Torch's fused step on a CPU does not
    look at the order: it would combine each weight with what is kept of others.
    """
    for weight, kept in optimizer.state.items():
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.shape == weight.shape:
                kept[name] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


def refuse_foreign_keys(optimizer: schema.Optimizer) -> None:
    """A ``UserError`` for a key that this optimizer does not have: it would have no effect."""
    known = set(signature(get_optimizer_class(optimizer.name, bind_defaults=False)).parameters) - COMMON
    for key, value in optimizer.own.items():
        if key not in known:
            place = "training.optimizer.kwargs." if key in optimizer.kwargs else "training.optimizer."
            raise UserError(
                f"{place}{key}={value}: {optimizer.name} has no {key}. Besides lr and weight_decay it has: "
                f"{', '.join(sorted(known))}. If the key comes from the file of another "
                f"optimizer: training.optimizer=timm training.optimizer.name={optimizer.name} has no such keys."
            )


def scaled_parameters(model: nn.Module, optimizer: schema.Optimizer) -> Iterator[tuple[str, nn.Parameter, float]]:
    """Every trainable parameter, with its name and the factor of its learning rate."""
    learning = [(name, item) for name, item in model.named_parameters() if item.requires_grad]
    blocks = sorted({(int(stage), int(block or 0)) for name, _ in learning for stage, block in BLOCK.findall(name)})
    if optimizer.layer_decay < 1 and not blocks:
        raise UserError(f"training.optimizer.layer_decay={optimizer.layer_decay}: only swin_unet has blocks; legal: 1.")
    for name, parameter in learning:
        scale = optimizer.encoder_lr_mult if name.startswith("encoder.") else 1.0
        if optimizer.layer_decay < 1 and name.startswith("encoder."):
            found = BLOCK.match(name)
            # layers before the blocks are one deeper than the first block
            depth = blocks.index((int(found[1]), int(found[2] or 0))) if found else -1
            scale *= optimizer.layer_decay ** (len(blocks) - depth)
        yield name, parameter, scale


class OneCycle(Scheduler):
    """One cycle (Smith and Topin 2019, arXiv 1708.07120), as torch's OneCycleLR: two half cosines, up and down.

    It is a function of the step alone, unlike torch's, so a resumed run can continue at its step.
    """

    def __init__(self, optimizer: Optimizer, schedule: schema.OneCycle, steps: int) -> None:
        super().__init__(optimizer, "lr", t_in_epochs=False)
        self.top = max(schedule.warmup_fraction * steps - 1, 0.0)
        self.last = max(steps - 1, 1)
        self.start, self.end = schedule.start_lr_ratio, schedule.min_lr_ratio
        self.update_groups(self._get_lr(0))

    def _get_lr(self, t: int) -> list[float]:
        if t < self.top:
            begin, end, share = self.start, 1.0, t / self.top
        else:
            begin, end, share = 1.0, self.end, min((t - self.top) / max(self.last - self.top, 1.0), 1.0)
        ratio = end + (begin - end) * (1 + math.cos(math.pi * share)) / 2
        return [value * ratio for value in self.base_values]


class Plateau(Scheduler):
    """Warm-up, then a rate that is lowered whenever the metric has not improved for ``patience`` epochs.

    timm's own schedule loses its state when a run is resumed, and will be removed from timm.
    """

    def __init__(self, optimizer: Optimizer, schedule: schema.Plateau, warmup_steps: float) -> None:
        super().__init__(optimizer, "lr", t_in_epochs=False)
        self.schedule, self.warmup_steps = schedule, warmup_steps
        self.ratio, self.best, self.waited = 1.0, -math.inf, 0
        self.update_groups(self._get_lr(0))

    def step(self, epoch: int, metric: float | None = None) -> None:
        """Use an epoch's score; higher is better."""
        assert metric is not None
        self.waited = 0 if metric > self.best else self.waited + 1
        self.best = max(self.best, metric)
        if self.waited > self.schedule.patience:
            self.ratio, self.waited = max(self.ratio * self.schedule.decay_rate, self.schedule.min_lr_ratio), 0

    def _get_lr(self, t: int) -> list[float]:
        warm = min(0.01 + 0.99 * t / self.warmup_steps, 1.0) if self.warmup_steps else 1.0
        return [value * warm * self.ratio for value in self.base_values]

    def state_dict(self) -> dict[str, Any]:
        return {"ratio": self.ratio, "best": self.best, "waited": self.waited}


def build_lr_scheduler(optimizer: Optimizer, training: Training, steps_per_epoch: int) -> Scheduler:
    """The schedule over optimizer steps: a function of the step (``plateau``: and of the scores passed to ``step``).

    A linear warm-up from a hundredth of the learning rate, then the named curve. Its length is ``training.epochs``,
    even if a run is stopped earlier.
    """
    schedule, epochs = training.lr_scheduler, training.epochs
    if isinstance(schedule, schema.OneCycle):
        return OneCycle(optimizer, schedule, epochs * steps_per_epoch)
    if isinstance(schedule, schema.Plateau):
        return Plateau(optimizer, schedule, schedule.warmup_fraction * epochs * steps_per_epoch)
    lr = training.optimizer.lr * training.optimizer.lr_scale
    curve: dict[str, Any] = {}
    if isinstance(schedule, schema.Cosine | schema.Poly):
        curve["min_lr"] = lr * schedule.min_lr_ratio
    if isinstance(schedule, schema.Poly):
        curve["decay_rate"] = schedule.power
    if isinstance(schedule, schema.Step):
        curve |= {"decay_epochs": schedule.every_fraction * epochs, "decay_rate": schedule.decay_rate}
    if isinstance(schedule, schema.MultiStep):
        milestones = [share * epochs for share in schedule.milestone_fractions]
        curve |= {"decay_milestones": milestones, "decay_rate": schedule.decay_rate}
    scheduler, _ = create_scheduler_v2(
        optimizer,
        sched=schedule.name,
        num_epochs=epochs,
        warmup_epochs=schedule.warmup_fraction * epochs,  # pyright: ignore[reportArgumentType]  # fractions work
        warmup_lr=lr / 100,
        step_on_epochs=False,
        updates_per_epoch=steps_per_epoch,
        **curve,
    )
    assert scheduler is not None  # only timm's 'none' has none
    return scheduler
