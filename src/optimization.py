"""Optimizer and learning-rate schedule, by timm."""

from timm.optim._optim_factory import create_optimizer_v2, list_optimizers
from timm.optim._param_groups import param_groups_weight_decay
from timm.scheduler.scheduler import Scheduler
from timm.scheduler.scheduler_factory import create_scheduler_v2
from torch import nn
from torch.optim import Optimizer

from src.errors import unknown
from src.schema import Constant, Poly, Training

NOT_DECAYED = ("*relative_position_bias_table",)  # besides everything with one axis, which timm leaves out by itself


def build_optimizer(model: nn.Module, training: Training) -> Optimizer:
    """timm's optimizer of that name; no weight decay on norms, biases and tables of attention biases."""
    optimizer = training.optimizer
    names = [str(name) for name in list_optimizers()]
    if optimizer.name not in names:
        raise unknown("optimizer in training.optimizer.name", optimizer.name, names)
    groups = param_groups_weight_decay(model, optimizer.weight_decay, no_weight_decay_list=NOT_DECAYED)
    return create_optimizer_v2(groups, opt=optimizer.name, lr=optimizer.lr * optimizer.lr_scale, weight_decay=0.0)


def build_lr_scheduler(optimizer: Optimizer, training: Training, steps_per_epoch: int) -> Scheduler:
    """timm's schedule over optimizer steps, a pure function of the step: linear warm-up, then the named curve.

    The warm-up starts at a hundredth of the learning rate. The horizon is ``training.epochs``, wherever a run stops.
    """
    schedule = training.lr_scheduler
    lr = training.optimizer.lr * training.optimizer.lr_scale
    scheduler, _ = create_scheduler_v2(
        optimizer,
        sched=schedule.name,
        num_epochs=training.epochs,
        min_lr=0.0 if isinstance(schedule, Constant) else lr * schedule.min_lr_ratio,
        decay_rate=schedule.power if isinstance(schedule, Poly) else 1.0,
        warmup_epochs=schedule.warmup_fraction
        * training.epochs,  # pyright: ignore[reportArgumentType]  # fractions work
        warmup_lr=lr / 100,
        step_on_epochs=False,
        updates_per_epoch=steps_per_epoch,
    )
    assert scheduler is not None  # only timm's 'none' has none
    return scheduler
