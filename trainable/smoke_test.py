"""Smoke test before a sweep: compose, build and train each network for one step; measure the cost of an epoch."""

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
from src.models.start import starting_network
from src.training.experiment import Experiment
from src.training.losses import build_loss
from src.training.optimization import build_lr_scheduler, build_optimizer
from src.training.preconditions import check_trainable
from src.training.trainer import Trainer
from trainable.corners import structure, untrainable

TINY = 128  # pixels: a size that every architecture accepts


def run_smoke_test(corners: Iterable[Iterable[str]], on_card: bool = False) -> list[Overrides]:
    """Check every corner, and train each different network for one step. Returns a corner per network.

    The step runs on the CPU. With ``on_card``, configurations that do not work on a graphics card are refused too.

    If a corner fails, a ``UserError`` names its overrides. Corners that differ only in numbers that do not change what
    is built (learning rate, decay, weights of loss terms) share one step.
    """
    device = torch.device("cuda" if on_card else "cpu")
    stepped: dict[str, Overrides] = {}
    for corner in map(Overrides.parse, corners):
        try:
            config = load_config(corner)
            check_trainable(config, device)
            build_loss(config.training.loss)  # cheap, and it also checks the loss's parameters
            if (identity := structure(config)) not in stepped:
                step_once(config)
                stepped[identity] = corner
        except Exception as error:  # libraries raise errors of any type
            raise untrainable(corner, error) from error
    return list(stepped.values())


def step_once(config: Config) -> None:
    """Run one forward and backward pass on two tiny random images on the CPU, with all parts of the configuration."""
    height, width = config.data.image_size
    augment = build_augmentation(config.data.augmentation, (height, width))
    augment(image=np.zeros((height, width, 3), np.uint8), mask=np.zeros((height, width), np.uint8))
    model, _ = starting_network(config)
    optimizer = build_optimizer(model, config.training)
    build_lr_scheduler(optimizer, config.training, steps_per_epoch=1)
    loss = build_loss(config.training.loss)(
        model(torch.rand(2, 3, TINY, TINY)), (torch.rand(2, 1, TINY, TINY) > 0.9).float()
    )
    loss.backward()
    optimizer.step()


@dataclass(frozen=True)
class EpochCost:
    """What one epoch costs on this machine."""

    seconds: float
    """Time of one epoch: training, validation, and writing its files."""
    checkpoint_mib: float
    device: str
    first_seconds: float = 0.0
    """Extra time of a process's first epoch, in which loaders start and GPU libraries choose kernels."""


def measure_epoch(overrides: Iterable[str], limit_seconds: float = 60.0) -> EpochCost:
    """Measure the cost of one epoch on this machine; after ``limit_seconds`` the rest is extrapolated from the steps.

    If there is time after the first epoch, a second one is measured, including the files that a trial writes after an
    epoch. An extrapolation leaves out the first step, which warms up caches.
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
        # a validation image costs about a third of a training image, as it has no backward pass
        validation = len(trainer.val_loader.dataset) / len(trainer.train_loader.dataset) / 3
        seconds = step_seconds * len(trainer.train_loader) * (1 + validation)
    parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    mib = parameters * 3 * 4 / 2**20
    return EpochCost(seconds, checkpoint_mib=mib, device=str(trainer.device), first_seconds=first_seconds)


def _recorded_epoch(trainer: Trainer) -> float:
    """Seconds of one more epoch with its checkpoint, events and pictures, until they are on the disk."""
    with TemporaryDirectory(dir=trainer.config.data.cache_dir) as folder:
        quiet = trainer.config.model_copy(update={"listeners": ()})  # no run that anybody wants to see
        experiment = Experiment(Path(folder), quiet, trainer.overrides)
        experiment.describe(trainer)
        started = time.perf_counter()
        experiment.record(trainer.train_epoch(), trainer)
        experiment.close()
        return time.perf_counter() - started


class _LongEnough(Exception):
    pass
