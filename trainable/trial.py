"""Trains trials in this process, one after the other. One step is one epoch.

A trial's folder is a run's folder (``src.training.experiment``) plus ``result.json`` with one JSON line per epoch. A
trial resumes from the checkpoint in its folder, in any process; Ray's own checkpoints are not used.
"""

import gc
import logging
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from src.config.compose import Composed, compose
from src.lines import append_line, read_lines, replace_lines
from src.training.experiment import Experiment
from src.training.trainer import Trainer
from trainable.attempts import Superseded, lock_folder, require_latest, take_over
from trainable.costs import known_costs
from trainable.failures import NotAsSampled, trial_failed
from trainable.guard import MIB, Watchdog, classify_gpu_out_of_memory, guard_memory, require_card
from trainable.overrides import placed, trial_overrides
from trainable.plan import TrialPlan

LEFT_OVER_MIB = 256  # more GPU memory than this, still in use after a trial, is logged
NOT_METRICS = ("trial", "params", "epoch", "attempt", "host", "card")
"""Keys of a line of ``result.json`` that are not metrics."""


class TrialProcess:
    """Trains one trial at a time from the checkpoint in its folder, and reports the metrics of every epoch.

    A job has ``trial`` (the name), ``params`` (the sampled overrides), ``attempt`` (which of the trial's processes this
    is, from 1), ``beside`` (how many trials this machine runs at once), ``limited`` (whether the trial must keep the
    limits) and ``reported_epochs`` (how many epochs the search has recorded). Epochs that were trained but not
    recorded, because the sweep was killed, are reported first.
    """

    left_over_mib = 0
    log: logging.Handler = logging.NullHandler()
    job: dict[str, Any] | None = None
    """The job of a trial that has not begun yet."""
    broken = ""
    """The limits that the trial breaks; then it is not trained."""

    def __init__(self, plan: TrialPlan) -> None:
        self.plan = plan
        if plan.memory_limit_mib is not None and torch.cuda.is_available():
            _, total = torch.cuda.mem_get_info()
            torch.cuda.set_per_process_memory_fraction(min(1.0, plan.memory_limit_mib * MIB / total))

    def step(self) -> dict[str, Any]:
        """Train an epoch. Any error is raised as ``TrialFailed``, with its traceback in the trial's log.txt."""
        try:
            self.begin()
            if self.broken:
                return {"skipped": self.broken}
            return self._result(self.unreported.pop(0)) if self.unreported else self._train_epoch()
        except Exception as error:
            logging.exception("the trial failed")
            raise trial_failed(error) from error

    def _train_epoch(self) -> dict[str, Any]:
        self.watchdog.feed()
        with classify_gpu_out_of_memory(self.plan.trials_per_card, self.missing_mib):
            report = self.trainer.train_epoch(self._on_step)
        metrics = report.metrics | {"record_seconds": self.experiment.waited} | self.costs.metrics()
        line = {"trial": self.folder.name, "epoch": report.epoch, **metrics, "params": self.params, **self.origin}
        line = self.already_reported.pop(report.epoch, line)
        self.require_latest()
        append_line(self.result_path, line)
        self.experiment.record(report, self.trainer, keep_previous=True)
        if report.epoch in self.plan.rungs or self.trainer.finished:
            self.experiment.wait()
        self.watchdog.pause()
        return self._result(line)

    def take(self, job: dict[str, Any]) -> None:
        """Leave the last trial and take this one."""
        self.release()
        self.job = job

    @property
    def result_path(self) -> Path:
        return self.folder / "result.json"

    def begin(self) -> None:
        """Open the trial's folder and prepare its next epoch, unless that was done already."""
        if self.job is None:
            return
        job, self.job = self.job, None
        self._start(job)
        if self.left_over_mib > LEFT_OVER_MIB:
            logging.warning("%d MiB of GPU memory are still in use by the previous trial", self.left_over_mib)

    def _start(self, job: dict[str, Any]) -> None:
        self.params, self.trials_here = placed(job["params"], self.plan.sweep_dir), job["beside"]
        self.folder = self.plan.sweep_dir / job["trial"]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = lock_folder(self.folder)
        take_over(self.folder, job["attempt"])
        self.require_latest = partial(require_latest, self.folder, job["attempt"])
        self.watchdog = Watchdog(self.plan.hang_seconds, self.folder / "stacks.txt")
        self.watchdog.feed()
        self.log = logging.FileHandler(self.folder / "log.txt")
        logging.getLogger().addHandler(self.log)
        if self.plan.trials_per_card:
            require_card()
        overrides = trial_overrides(self.plan.fixed, self.params)
        composed = compose(overrides)
        check_sampled(composed, self.params)
        config = composed.check()
        self.missing_mib = self._missing_mib()
        with classify_gpu_out_of_memory(self.plan.trials_per_card, self.missing_mib):
            self.trainer = Trainer(config, overrides)
            self.experiment = Experiment(self.folder, config, overrides)
            self.experiment.before_writing = self.require_latest
            lines = self._load_checkpoint(job["reported_epochs"])
        card = name_of_card(self.trainer.device)
        self.origin = {"attempt": job["attempt"], "host": os.uname().nodename, "card": card}
        self.unreported = [line for line in lines if line["epoch"] > job["reported_epochs"]]
        self.experiment.describe(self.trainer)
        self.costs = known_costs(self.trainer.model, config, self.folder)
        self.broken = self._broken_limits(job)
        self.experiment.record_hparams(self.params, self.plan.metric, self.plan.example_values)
        self.watchdog.pause()

    def _broken_limits(self, job: dict[str, Any]) -> str:
        """The limits that a new trial breaks; empty for one that has trained before."""
        limits = self.plan.limits if job["limited"] and not job["reported_epochs"] else None
        return "; ".join(limits.broken(self.costs)) if limits else ""

    def _load_checkpoint(self, reported_epochs: int) -> list[dict[str, Any]]:
        """Resume from the folder's newest checkpoint; returns the lines of ``result.json`` up to its epoch.

        Later epochs that the search has recorded are trained again: they were reported before their checkpoint was on
        the disk. Their recorded values are kept, because a GPU does not give exactly the same values twice.
        """
        epoch = self.experiment.continue_own(self.trainer)
        all_lines = read_lines(self.result_path)
        self.already_reported = {line["epoch"]: line for line in all_lines if epoch < line["epoch"] <= reported_epochs}
        lines = [line for line in all_lines if line["epoch"] <= epoch]
        if self.result_path.exists():
            replace_lines(self.result_path, lines)
        if epoch:
            logging.warning("resumes after epoch %d", epoch)
        return lines

    def _missing_mib(self) -> int:
        """GPU memory that was free when the sweep was planned, and is not free now."""
        if not self.plan.trials_per_card or not torch.cuda.is_available():
            return 0
        free, _ = torch.cuda.mem_get_info()
        return self.plan.card_free_mib - free // MIB

    def _on_step(self, done: int, total: int) -> None:
        self.watchdog.feed()
        guard_memory(self.trials_here)

    def _result(self, line: dict[str, Any]) -> dict[str, Any]:
        """The report for the search. The metrics are nested under one key, because Ray adds keys of its own."""
        newest = line["epoch"] == self.trainer.epoch
        metrics = {key: float(value) for key, value in line.items() if key not in NOT_METRICS}
        return {"epoch": line["epoch"], "metrics": metrics, "finished": newest and self.trainer.finished}

    def _end_writing(self) -> None:
        """Wait for the last checkpoint. If it cannot be written, log that: the trial resumes from the one before."""
        try:
            try:
                self.experiment.close()
            except OSError:
                logging.exception("the last checkpoint could not be written")
            self.require_latest()
        except Superseded as error:
            logging.warning("%s", error)
            return
        self.experiment.previous_checkpoint.unlink(missing_ok=True)

    def release(self) -> None:
        """Release the files and the memory of the last trial, even if it failed during its start."""
        if "lock" not in self.__dict__:  # no trial was begun
            return
        if "watchdog" in self.__dict__:
            self.watchdog.feed()
        if "experiment" in self.__dict__:
            self._end_writing()
        if "trainer" in self.__dict__ and self.trainer.config.training.compile:
            torch.compiler.reset()  # else it stops compiling after a few networks in one process
        for name in ("trainer", "experiment"):
            self.__dict__.pop(name, None)
        logging.getLogger().removeHandler(self.log)
        self.log.close()
        self.__dict__.pop("lock").release()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            self.left_over_mib = torch.cuda.memory_allocated() // MIB
        if "watchdog" in self.__dict__:
            self.__dict__.pop("watchdog").pause()


def check_sampled(composed: Composed, params: Mapping[str, Any]) -> None:
    """Raise ``NotAsSampled`` unless the resolved configuration has the sampled value of every key.

    Otherwise all trials of a sweep might train the same configuration, and nothing in its results would show it.
    """
    for key, sampled in params.items():
        resolved = composed.value(key)
        if resolved != sampled:
            raise NotAsSampled(f"{key}={sampled} was sampled, but the configuration has {key}={resolved}")


def name_of_card(device: torch.device) -> str | None:
    """The graphics card that a training runs on; None on a CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None
