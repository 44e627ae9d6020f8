"""Writes a run's folder: overrides, configuration, provenance, checkpoints, TensorBoard events, metrics per epoch.

::

    {timestamp}-{experiment_name}/
        overrides.yaml  config.yaml  provenance.json
        checkpoints/{best_model,last}.pth   logs/   metrics/metrics.csv   results/val_predictions.png
"""

import csv
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from src.data.files import UInt8Array
from src.models.checkpoint import Background, is_sound, link_checkpoint, save_checkpoint
from src.provenance import provenance
from src.scoring.pictures import write_picture
from src.training.listeners import Listeners
from src.training.panel import PredictionPanel
from src.training.trainer import EpochReport, Trainer


class Experiment:
    """The folder of one run, written epoch by epoch."""

    def __init__(self, folder: Path, config: Config, overrides: Iterable[str]) -> None:
        self.folder = folder
        for name in ("checkpoints", "logs", "metrics", "results"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        save_overrides(overrides, folder / "overrides.yaml")
        replace_text(folder / "config.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
        self.writer = SummaryWriter(str(folder / "logs"), flush_secs=5)
        self.listeners = Listeners(folder, config)
        self.background = Background()
        self.waited = 0.0
        """Seconds that the training has waited for the last epoch to be written. The next epoch reports them as
        ``record_seconds``; 0 for the first one."""
        self.before_writing: Callable[[], None] = lambda: None
        """Called before an epoch's checkpoint is written, and before it replaces another. If it raises an error, the
        checkpoint is not written."""
        self.epochs = config.training.epochs
        self.panel: PredictionPanel | None = None
        self.next_event = 0
        """Epoch from which the next panel is written to TensorBoard: about ten per run, as each takes half a MiB."""

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
        """Write ``provenance.json``, the facts that are needed to reproduce the run, and choose the panel's images."""
        self.panel = PredictionPanel(trainer.val_loader.dataset.source)
        trainer.validation.shown = sorted(self.panel.chosen)
        about = provenance() | {
            "seed": trainer.config.seed,
            "device": device_name(trainer.device),
            **about_card(trainer.device),
            "threads": torch.get_num_threads(),
            "precision": str(trainer.dtype or torch.float32).removeprefix("torch."),
            "data_fingerprint": trainer.data_fingerprint,
            **trainer.start.about(),
            "parameters": sum(parameter.numel() for parameter in trainer.model.parameters()),
        }
        replace_text(self.folder / "provenance.json", json.dumps(about, indent=2))

    def record(self, report: EpochReport, trainer: Trainer, keep_previous: bool = False) -> None:
        """Write one epoch: events, the CSV row, the checkpoint, and the panel and best checkpoint if it is the best.

        Panel and checkpoint are written while the training continues; they are on the disk after ``wait``, or when the
        next epoch has been recorded. ``keep_previous`` keeps the previous checkpoint too: if the last is damaged, only
        one epoch is repeated.
        """
        started = time.perf_counter()
        metrics = report.metrics | {"record_seconds": self.waited}
        for name, value in metrics.items():
            self.writer.add_scalar(name, value, report.epoch)
        self._append_row({"epoch": report.epoch} | metrics)
        self.listeners.epoch(report.epoch, metrics)
        self.background.begin(partial(self._write, trainer.snapshot(), report, keep_previous))
        self.waited = time.perf_counter() - started

    def wait(self) -> None:
        """Wait until the last epoch is on the disk; an error of the writing is raised here."""
        started = time.perf_counter()
        self.background.wait()
        self.waited += time.perf_counter() - started

    def _write(self, payload: Mapping[str, Any], report: EpochReport, keep_previous: bool) -> None:
        """Write what takes long. The checkpoint comes last, so that all other files have every epoch that it has."""
        self.before_writing()
        if report.is_best and self.panel is not None and report.shown is not None:
            self._show_predictions(self.panel.draw(report.shown, payload["threshold"]), report.epoch)
        self.writer.flush()
        if keep_previous and self.last_checkpoint.is_file():
            link_checkpoint(self.last_checkpoint, self.previous_checkpoint, self.before_writing)
        save_checkpoint(payload, self.last_checkpoint, self.before_writing)
        if report.is_best:
            link_checkpoint(self.last_checkpoint, self.best_checkpoint, self.before_writing)

    def _show_predictions(self, picture: UInt8Array, epoch: int) -> None:
        """Write the panel of validation predictions of the best epoch to ``results/`` and sometimes to TensorBoard."""
        write_picture(picture, self.folder / "results" / "val_predictions.png")
        if epoch >= self.next_event:
            self.writer.add_image("val/predictions", picture, epoch, dataformats="HWC")
            self.next_event = epoch + max(1, self.epochs // 10)

    def continue_own(self, trainer: Trainer) -> int:
        """Load this folder's newest undamaged checkpoint into ``trainer``; returns its epoch, or 0 without one.

        Rows of later epochs are removed, because these epochs are trained again.
        """
        candidates = (self.last_checkpoint, self.previous_checkpoint, self.best_checkpoint)
        newest = next((path for path in candidates if path.is_file() and is_sound(path)), None)
        if newest is not None:
            trainer.load(newest)
            if trainer.best_epoch == trainer.epoch:  # it may have been killed between writing the two
                link_checkpoint(newest, self.best_checkpoint)
        self._write_rows([row for row in read_rows(self.csv_path) if int(row["epoch"]) <= trainer.epoch])
        return trainer.epoch

    def adopt_best(self, resumed_from: Path) -> None:
        """Take over the best network of the run that this one continues."""
        best = resumed_from.with_name(self.best_checkpoint.name)
        if best.is_file() and best != self.best_checkpoint:
            link_checkpoint(best, self.best_checkpoint)

    def record_hparams(self, params: Mapping[str, Any], metric: str, searched: Mapping[str, Any]) -> None:
        """Fill TensorBoard's HPARAMS tab; its score is the scalar that ``record`` writes every epoch.

        TensorBoard takes the columns from the first run, so every run writes all ``searched`` keys, with a value.
        """
        writer = self.writer.file_writer
        assert writer is not None  # only after close
        experiment, _, _ = hparams(plain({**searched, **params}), {metric: 0.0})
        _, start, end = hparams(plain(params), {metric: 0.0})
        for summary in (experiment, start, end):
            writer.add_summary(summary)

    def close(self) -> None:
        """End all writing; what it raised is raised here."""
        try:
            self.background.close()
        finally:
            self.writer.close()
            self.listeners.end()

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
    """Convert values that TensorBoard cannot store to text."""
    return {key: value if isinstance(value, bool | int | float | str) else str(value) for key, value in params.items()}


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a metrics CSV; empty if it does not exist yet."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def new_run_folder(config: Config) -> Path:
    """Make ``{output_root}/experiments/{timestamp}-{experiment_name}``; numbered if two start in the same second."""
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
    """The facts about a card that influence results: memory, driver, CUDA and cuDNN; empty on a CPU."""
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
