"""A run's folder: overrides, configuration, provenance, checkpoints, TensorBoard events and a CSV row an epoch.

::

    {timestamp}-{experiment_name}/
        overrides.yaml  config.yaml  provenance.json
        checkpoints/{best_model,last}.pth   logs/   metrics/metrics.csv   results/val_predictions.png
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from torch.utils.tensorboard.summary import hparams
from torch.utils.tensorboard.writer import SummaryWriter

from src.atomic import replace_text, replaced_file
from src.cards import MIB, driver_version
from src.config.overrides import save_overrides
from src.config.schema import Config
from src.models.checkpoint import Background, is_sound, link_checkpoint, save_checkpoint
from src.provenance import provenance
from src.scoring.pictures import write_picture
from src.training.panel import PredictionPanel
from src.training.trainer import EpochReport, Trainer

WRITES_BESIDE = ("cuda",)
"""Devices that train on while a checkpoint is written: a card would wait for the disk. A CPU's cores are needed."""


class Experiment:
    """The folder of one run, written as the epochs come in."""

    def __init__(self, folder: Path, config: Config, overrides: Iterable[str]) -> None:
        self.folder = folder
        for name in ("checkpoints", "logs", "metrics", "results"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        save_overrides(overrides, folder / "overrides.yaml")
        replace_text(folder / "config.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
        self.writer = SummaryWriter(str(folder / "logs"), flush_secs=5)
        self.background = Background()
        self.panel: PredictionPanel | None = None
        self.next_event = 0
        """Epoch from which on a panel goes to TensorBoard again: about ten of a run, for each takes half a MiB."""

    @property
    def best_checkpoint(self) -> Path:
        return self.folder / "checkpoints" / "best_model.pth"

    @property
    def last_checkpoint(self) -> Path:
        return self.folder / "checkpoints" / "last.pth"

    @property
    def previous_checkpoint(self) -> Path:
        return self.folder / "checkpoints" / "previous.pth"

    @property
    def csv_path(self) -> Path:
        return self.folder / "metrics" / "metrics.csv"

    def describe(self, trainer: Trainer) -> None:
        """Write ``provenance.json``: what one must know to believe the numbers, or to get them again."""
        about = provenance() | {
            "seed": trainer.config.seed,
            "device": device_name(trainer.device),
            **about_card(trainer.device),
            "threads": torch.get_num_threads(),
            "precision": str(trainer.dtype or torch.float32).removeprefix("torch."),
            "data_fingerprint": trainer.data_fingerprint,
            "pretrained_weights": trainer.pretrained_loaded,
            "parameters": sum(parameter.numel() for parameter in trainer.model.parameters()),
        }
        replace_text(self.folder / "provenance.json", json.dumps(about, indent=2))

    def record(self, report: EpochReport, trainer: Trainer, keep_previous: bool = False) -> None:
        """Keep one epoch: events, the CSV row, the checkpoint, and the best checkpoint if it is the best.

        Beside a card the checkpoint may be on the disk only after ``wait``, or when the next epoch is recorded.
        ``keep_previous`` keeps the one before it too: if the last is damaged, only one epoch is trained again.
        """
        for name, value in report.metrics.items():
            self.writer.add_scalar(name, value, report.epoch)
        self._append_row({"epoch": report.epoch} | report.metrics)
        self.background.begin(partial(self._write, trainer.snapshot(), report.is_best, keep_previous))
        if trainer.device.type not in WRITES_BESIDE:
            self.wait()
        if report.is_best:
            self._show_predictions(report.epoch, trainer)
        self.writer.flush()

    def wait(self) -> None:
        """Until the checkpoint of the last epoch is on the disk; what the writing raised is raised here."""
        self.background.wait()

    def _write(self, payload: Mapping[str, Any], is_best: bool, keep_previous: bool) -> None:
        if keep_previous and self.last_checkpoint.is_file():
            link_checkpoint(self.last_checkpoint, self.previous_checkpoint)
        save_checkpoint(payload, self.last_checkpoint)
        if is_best:
            link_checkpoint(self.last_checkpoint, self.best_checkpoint)

    def _show_predictions(self, epoch: int, trainer: Trainer) -> None:
        """The panel of validation predictions: of the best epoch in ``results/``, of some of these in TensorBoard."""
        self.panel = self.panel or PredictionPanel(trainer.val_loader.dataset.source)
        picture = self.panel.draw(trainer.predict, trainer.threshold)
        write_picture(picture, self.folder / "results" / "val_predictions.png")
        if epoch >= self.next_event:
            self.writer.add_image("val/predictions", picture, epoch, dataformats="HWC")
            self.next_event = epoch + max(1, trainer.config.training.epochs // 10)

    def continue_own(self, trainer: Trainer) -> int:
        """Let ``trainer`` go on from this folder's own newest checkpoint that is not damaged; returns its epoch, or 0.

        Epochs that were recorded after it are forgotten: they are trained again.
        """
        candidates = (self.last_checkpoint, self.previous_checkpoint, self.best_checkpoint)
        newest = next((path for path in candidates if path.is_file() and is_sound(path)), None)
        if newest is not None:
            trainer.load(newest)
            if trainer.best_epoch == trainer.epoch:  # it may have ended between the two
                link_checkpoint(newest, self.best_checkpoint)
        self._write_rows([row for row in read_rows(self.csv_path) if int(row["epoch"]) <= trainer.epoch])
        return trainer.epoch

    def adopt_best(self, resumed_from: Path) -> None:
        """Take over the best network of the run that this one goes on from."""
        best = resumed_from.with_name(self.best_checkpoint.name)
        if best.is_file() and best != self.best_checkpoint:
            link_checkpoint(best, self.best_checkpoint)

    def record_hparams(self, params: Mapping[str, Any], metric: str, searched: Mapping[str, Any]) -> None:
        """Fill TensorBoard's HPARAMS tab; its score is the scalar that ``record`` writes every epoch.

        The columns of all runs are those that the first says, so each says all that were ``searched``, with a value.
        """
        writer = self.writer.file_writer
        assert writer is not None  # only after close
        experiment, _, _ = hparams(plain({**searched, **params}), {metric: 0.0})
        _, start, end = hparams(plain(params), {metric: 0.0})
        for summary in (experiment, start, end):
            writer.add_summary(summary)

    def close(self) -> None:
        """End all writing; what it raised is raised here."""
        self.writer.close()
        self.background.close()

    def _append_row(self, row: Mapping[str, float]) -> None:
        """Add an epoch to the CSV; a resumed run drops the rows of epochs that it trains again."""
        kept = [old for old in read_rows(self.csv_path) if int(old["epoch"]) < row["epoch"]]
        self._write_rows([*kept, row])

    def _write_rows(self, rows: Sequence[Mapping[str, object]]) -> None:
        if not rows:
            self.csv_path.unlink(missing_ok=True)
            return
        with replaced_file(self.csv_path) as partial, partial.open("w", newline="") as file:
            names = dict.fromkeys(name for row in rows for name in row)  # not every epoch has every metric
            writer = csv.DictWriter(file, fieldnames=list(names))
            writer.writeheader()
            writer.writerows(rows)


def plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """What TensorBoard can keep; anything else is its text."""
    return {key: value if isinstance(value, bool | int | float | str) else str(value) for key, value in params.items()}


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a metrics CSV; none if it is not there yet."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def new_run_folder(config: Config) -> Path:
    """Make ``{output_root}/experiments/{timestamp}-{experiment_name}``; with a number if two start in one second."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    base = config.output_root / "experiments" / f"{stamp}-{config.experiment_name}"
    folder, number = base, 1
    while True:
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1
            folder = base.with_name(f"{base.name}-{number}")


def device_name(device: torch.device) -> str:
    """``cpu``, or the graphics card's name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def about_card(device: torch.device) -> dict[str, Any]:
    """What numbers of different cards are compared by: memory, driver, CUDA and cuDNN; nothing on a CPU."""
    if device.type != "cuda":
        return {}
    about = torch.cuda.get_device_properties(device)
    return {
        "gpu_memory_mib": about.total_memory // MIB,
        "capability": f"{about.major}.{about.minor}",
        "driver": driver_version(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }
