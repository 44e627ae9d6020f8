"""The Ray trainable: one trial trains one configuration, one step is one epoch.

A trial's folder is a run's folder (``src.experiment``) with a ``result.json`` beside: one JSON line per epoch. Ray's
own checkpoints only point into it, so a network is written once.
"""

import gc
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ray import tune

from src.config import check_values, compose_values, group_choices, value_at
from src.experiment import Experiment
from src.training import Trainer

POINTER = "checkpoint.json"
LEFT_OVER_MIB = 256  # GPU memory that may remain after a trial without a word


@dataclass(frozen=True)
class TrialPlan:
    """What all trials of a sweep share."""

    sweep_dir: Path
    fixed: tuple[str, ...]
    """Overrides before the sampled ones."""
    metric: str
    """What the search maximises; TensorBoard shows it beside the parameters."""
    gpus_per_trial: float = 0.0
    """Below 1, a trial may use that share of its card's memory: a greedy one fails, and not its neighbour."""


class CrackTrial(tune.Trainable):
    """Trains ``plan.fixed`` plus the sampled overrides, and reports the metric keys of every epoch."""

    left_over_mib = 0

    def setup(self, config: dict[str, Any], plan: TrialPlan | None = None) -> None:
        assert plan is not None  # Ray's base class knows no second argument; tune.with_parameters gives it
        self.plan = plan
        if 0 < plan.gpus_per_trial < 1 and torch.cuda.is_available():
            torch.cuda.set_per_process_memory_fraction(plan.gpus_per_trial)
        self._start(config)

    def step(self) -> dict[str, Any]:
        try:
            report = self.trainer.train_epoch()
        except Exception:
            logging.exception("epoch %d failed", self.trainer.epoch + 1)  # into the trial's own log.txt
            raise
        self.experiment.record(report, self.trainer)
        line = {"trial": self.folder.name, "epoch": report.epoch, **report.metrics, "params": self.params}
        with (self.folder / "result.json").open("a") as file:
            file.write(json.dumps(line) + "\n")
        finished = self.trainer.finished
        return {**report.metrics, "epoch": report.epoch, "finished": finished, "done": finished}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        path = self.experiment.last_checkpoint.resolve()
        (Path(checkpoint_dir) / POINTER).write_text(json.dumps({"path": str(path), "epoch": self.trainer.epoch}))

    def load_checkpoint(self, checkpoint: Any) -> None:
        self.trainer.load(Path(json.loads((Path(checkpoint) / POINTER).read_text())["path"]))

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in this process.

        Never False: Ray 2.60 then calls the trial failed without telling the searcher, which waits for it for ever.
        """
        self._release()
        self._start(new_config)
        if self.left_over_mib > LEFT_OVER_MIB:
            logging.warning("%d MiB of GPU memory are still held by the trial before", self.left_over_mib)
        return True

    def cleanup(self) -> None:
        self._release()

    def _start(self, params: dict[str, Any]) -> None:
        self.params = dict(params)
        self.folder = self.plan.sweep_dir / self.trial_name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = logging.FileHandler(self.folder / "log.txt")
        logging.getLogger().addHandler(self.log)
        overrides = trial_overrides(self.plan.fixed, self.params)
        values = compose_values(overrides)
        check_sampled(values, group_choices(overrides), self.params)
        config = check_values(values)
        self.trainer = Trainer(config, overrides)
        self.experiment = Experiment(self.folder, config, overrides)
        self.experiment.describe(self.trainer)
        self.experiment.record_hparams(self.params, self.plan.metric)

    def _release(self) -> None:
        """Give back files and memory of the trial that was; also of one that failed half-way through its start."""
        if "experiment" in self.__dict__:
            self.experiment.close()
        for name in ("trainer", "experiment"):
            self.__dict__.pop(name, None)
        logging.getLogger().removeHandler(self.log)
        self.log.close()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            self.left_over_mib = torch.cuda.memory_allocated() // 2**20


def trial_overrides(fixed: tuple[str, ...], params: Mapping[str, Any]) -> list[str]:
    """The trial as overrides: with them ``run.py`` repeats it, bit for bit on a CPU."""
    return [*fixed, *(f"{key}={override_value(value)}" for key, value in params.items())]


def override_value(value: Any) -> str:
    """A sampled value as Hydra reads it back: floats with all their digits, ``null``, ``true``, lists in brackets."""
    return str(value) if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def check_sampled(values: Mapping[str, Any], choices: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Assert that every sampled key is what the resolved configuration holds.

    A sweep whose trials all train the same configuration looks like any other, until one believes its result.
    """
    for key, sampled in params.items():
        group = key.replace(".", "/")
        resolved = choices[group] if group in choices else value_at(values, key)
        assert resolved == sampled, f"{key}={sampled} was sampled, but the configuration holds {resolved}"
