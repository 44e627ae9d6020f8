"""Trains one run to the end, writes its folder and prints each epoch."""

import logging
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from src.check import quick_problems
from src.config.schema import Config
from src.errors import UserError
from src.training.experiment import Experiment, device_name, new_run_folder
from src.training.keep_cleaning import keep_cleaning
from src.training.trainer import EpochReport, Trainer


def train(config: Config, overrides: Iterable[str], folder: Path | None = None) -> Path:
    """Train until ``Trainer.finished``; returns the run's folder, by default a new one under ``output_root``."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    trainer = Trainer(config, overrides)  # before the folder, so that a mistake in the data leaves nothing behind
    if trainer.finished:
        raise UserError(
            f"{config.training.resume_from} is at epoch {trainer.epoch} of training.epochs={config.training.epochs}: "
            "nothing is left to train. Raise training.epochs or training.early_stopping_patience."
        )
    folder = folder or new_run_folder(config)
    experiment = Experiment(folder, config, overrides)
    experiment.describe(trainer)
    if trainer.best_epoch and config.training.resume_from is not None:  # its best epoch may remain the best
        experiment.adopt_best(config.training.resume_from)
    console = Console(markup=False, emoji=False, highlight=False)  # a folder may be named [old]
    for line in first_lines(folder, config, trainer):
        console.print(line, soft_wrap=True)
    try:
        while not trainer.finished:
            with Epochbar(console, trainer) as bar:
                report = trainer.train_epoch(bar.step)
            experiment.record(report, trainer)
            console.print(epoch_line(report, config.training.epochs), soft_wrap=True)
    except KeyboardInterrupt:
        experiment.wait()
        if experiment.last_checkpoint.is_file():
            again = shlex.join([*overrides, f"training.resume_from={experiment.last_checkpoint}"])
            console.print(f"To continue: python run.py {again}", soft_wrap=True)
        raise
    finally:
        experiment.close()
    keep_cleaning(experiment.best_checkpoint)
    best = trainer.best_score * (1 if config.training.metric.mode == "max" else -1)
    console.print(
        f"best {config.training.metric.monitor} {best:.4f} at epoch {trainer.best_epoch}, in {folder}", soft_wrap=True
    )
    return folder


def first_lines(folder: Path, config: Config, trainer: Trainer) -> Iterator[str]:
    """The first lines of the output: folder, device, number of images, and problems of the data."""
    count = len(trainer.train_loader.dataset)
    kept = f"{count} {'training images' if config.data.crop.name == 'none' else 'crops per epoch'}"
    yield f"{folder}  ({device_name(trainer.device)}, {kept})"
    for line in quick_problems(config.data, ("train", "val")):
        yield f"warning: {line.removeprefix('problem: ')}; see python -m src.check"


def epoch_line(report: EpochReport, epochs: int) -> str:
    """Losses, IoU at 0.5 and at the best threshold, speed; an asterisk marks the best epoch so far."""
    metrics, star = report.metrics, "*" if report.is_best else " "
    return (
        f"epoch {report.epoch}/{epochs}  loss {metrics['train/loss']:.4f}  val loss {metrics['val/loss']:.4f}  "
        f"IoU {metrics['val/iou']:.4f}  IoU at best threshold {metrics['val/iou_best']:.4f} {star}  "
        f"{metrics['images_per_second']:.1f} images/s  {metrics['epoch_seconds']:.1f} s" + memory_words(metrics)
    )


def memory_words(metrics: Mapping[str, float]) -> str:
    """``  MiB: 512 allocated, 700 reserved, 690 peak`` with ``training.log_gpu_memory``; otherwise empty."""
    found = [(key.partition("/")[2], value) for key, value in metrics.items() if key.startswith("gpu_memory_mib/")]
    return f"  MiB: {', '.join(f'{value:.0f} {name}' for name, value in found)}" if found else ""


class Epochbar:
    """A progress bar over the steps of one epoch, with the remaining time; nothing without a terminal."""

    def __init__(self, console: Console, trainer: Trainer) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} steps  {task.fields[speed]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.images = trainer.train_loader.batches.batch_size
        self.task = self.progress.add_task(f"epoch {trainer.epoch + 1}", total=len(trainer.train_loader), speed="")

    def __enter__(self) -> "Epochbar":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def step(self, done: int, total: int) -> None:
        speed = self.progress.tasks[0].speed or 0.0
        self.progress.update(self.task, completed=done, total=total, speed=f"{speed * self.images:.1f} images/s")
