"""Checks before a sweep: compose, build and train for one step; measure an epoch."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from src.config.compose import load_config
from src.config.overrides import Overrides
from src.config.schema import Config
from src.data.augmentation import build_augmentation
from src.errors import UserError
from src.models.device import refuse_impossible
from src.models.registry import build_model
from src.training.experiment import Experiment
from src.training.losses import build_loss
from src.training.optimization import build_lr_scheduler, build_optimizer
from src.training.trainer import Trainer

TINY = 128  # pixels: a size that every architecture accepts


def run_smoke_test(corners: Iterable[Iterable[str]], on_card: bool = False) -> list[Overrides]:
    """Compose every corner, build and step each different network once; returns a corner for each of these networks.

    The steps are the CPU's. ``on_card``: what a graphics card cannot do is refused too.

    A corner that fails is a ``UserError`` that names its overrides. Corners which differ only in numbers that do not
    change what is built (learning rate, decay, weights of terms) share one step.
    """
    device = torch.device("cuda" if on_card else "cpu")
    stepped: dict[str, Overrides] = {}
    for overrides in map(Overrides.parse, corners):
        try:
            config = load_config(overrides)
            refuse_impossible(config, device)
            build_loss(config.training.loss)  # its numbers have rules too, and it costs nothing
            if (identity := _structure(config)) not in stepped:
                step_once(config)
                stepped[identity] = overrides
        except Exception as error:  # whatever a library says of it
            raise UserError(f"The corner {' '.join(overrides)} cannot be trained: {error}") from error
    return list(stepped.values())


def step_once(config: Config) -> None:
    """One forward and backward pass on two tiny random images, on the CPU, with everything the configuration names."""
    height, width = config.data.image_size
    augment = build_augmentation(config.data.augmentation, (height, width))
    augment(image=np.zeros((height, width, 3), np.uint8), mask=np.zeros((height, width), np.uint8))
    model, _ = build_model(config.model, config.data.image_size)
    optimizer = build_optimizer(model, config.training)
    build_lr_scheduler(optimizer, config.training, steps_per_epoch=1)
    loss = build_loss(config.training.loss)(
        model(torch.rand(2, 3, TINY, TINY)), (torch.rand(2, 1, TINY, TINY) > 0.9).float()
    )
    loss.backward()
    optimizer.step()


@dataclass(frozen=True)
class EpochCost:
    seconds: float
    """Of one epoch: training, validation and what is kept of it."""
    checkpoint_mib: float
    device: str
    first_seconds: float = 0.0
    """What a process's first epoch takes more than the next: loaders start, and on a card libraries choose kernels."""


def measure_epoch(overrides: Iterable[str], limit_seconds: float = 60.0) -> EpochCost:
    """The cost of one epoch on this machine, measured; after ``limit_seconds`` the rest is extrapolated from the steps.

    Where the first epoch has left time for it, a second one is measured, with all that a trial writes after an epoch.
    The first step is left out of an extrapolation: it warms up caches.
    """
    trainer = Trainer(load_config(overrides), overrides)
    marks: list[float] = []

    def on_step(done: int, total: int) -> None:
        marks.append(time.perf_counter())
        if len(marks) >= 3 and marks[-1] - started > limit_seconds:
            raise _LongEnough

    started = time.perf_counter()
    first_seconds = 0.0
    try:
        trainer.train_epoch(on_step)
        seconds = time.perf_counter() - started
        if 2 * seconds <= limit_seconds:
            first, seconds = seconds, _recorded_epoch(trainer)
            first_seconds = max(0.0, first - seconds)
    except _LongEnough:
        step_seconds = (marks[-1] - marks[0]) / (len(marks) - 1)
        # a validation image costs about a third of a training image: a forward pass of forward and backward
        validation = len(trainer.val_loader.dataset) / len(trainer.train_loader.dataset) / 3
        seconds = step_seconds * len(trainer.train_loader) * (1 + validation)
    parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    mib = parameters * 3 * 4 / 2**20
    return EpochCost(seconds, checkpoint_mib=mib, device=str(trainer.device), first_seconds=first_seconds)


def _recorded_epoch(trainer: Trainer) -> float:
    """Seconds of one more epoch with its checkpoint, events and pictures, until the disk has them."""
    with TemporaryDirectory(dir=trainer.config.data.cache_dir) as folder:
        experiment = Experiment(Path(folder), trainer.config, trainer.overrides)
        started = time.perf_counter()
        experiment.record(trainer.train_epoch(), trainer)
        experiment.close()
        return time.perf_counter() - started


class _LongEnough(Exception):
    pass


def _structure(config: Config) -> str:
    """What decides whether the pieces fit each other, and a card: network, data, terms of the loss, other names."""
    training = config.training
    parts = [config.model.model_dump(mode="json"), config.data.model_dump(mode="json"), list(training.loss)]
    optimizer = training.optimizer
    held = [training.mixed_precision, training.gradient_accumulation_steps, training.ema_decay is not None]
    return json.dumps([*parts, *held, optimizer.name, optimizer.keeps, optimizer.kwargs, training.lr_scheduler.name])
