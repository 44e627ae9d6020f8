"""The Ray trainable: one trial trains one configuration, one step is one epoch.

A trial's folder is a run's folder (``src.training.experiment``) with a ``result.json`` beside: one JSON line per epoch.
A trial goes on from the checkpoint in its folder, in whatever process; Ray's own checkpoints are not used.
"""

import gc
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from ray import tune

from src.config.compose import Composed, compose
from src.config.overrides import Overrides
from src.lines import append_line, read_lines, replace_lines
from src.training.experiment import Experiment
from src.training.trainer import Trainer
from trainable.failures import trial_failed
from trainable.guard import MIB, Watchdog, classify_gpu_out_of_memory, guard_memory, require_card

LEFT_OVER_MIB = 256  # GPU memory that may remain after a trial without a word
NOT_METRICS = ("trial", "params", "epoch")
"""Keys of a line of ``result.json`` that are not metrics."""
ORPHAN_SECONDS = 120  # to wait for the process of an interrupted sweep that still trains the same trial


@dataclass(frozen=True)
class TrialPlan:
    """What all trials of a sweep share."""

    sweep_dir: Path
    fixed: Overrides
    """Overrides before the sampled ones."""
    metric: str
    """What the search maximises; TensorBoard shows it beside the parameters."""
    example_values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """All keys that trials may have, with a value each; of a conditional space one trial does not have all."""
    rungs: tuple[int, ...] = ()
    """Epochs after which a trial may be stopped: its checkpoint is on the disk before it reports one of them."""
    trials_at_once: int = 1
    trials_per_card: int = 0
    """0 without a graphics card."""
    card_free_mib: int = 0
    """Of each card, when the sweep was planned."""
    memory_limit_mib: int | None = None
    """Of a trial that shares its card, for tensors: a greedy one fails, and not its neighbour. None: no limit."""
    hang_seconds: float = 1800.0
    """Without a step in so long the trial's process ends itself."""


class CrackTrial(tune.Trainable):
    """Trains one trial from where its folder says it is, and reports the metric keys of every epoch.

    Its config: ``trial`` (the name), ``params`` (the sampled overrides) and ``known`` (the epochs that the search has
    heard of). Epochs that were trained but not heard of, as when the sweep was killed between, are reported first.
    """

    left_over_mib = 0
    log: logging.Handler = logging.NullHandler()
    job: dict[str, Any] | None = None
    """Of a trial that has a process and was not begun. Ray makes processes that it then gives up, because another one
    was free sooner: such a one must not touch the trial's folder."""

    def setup(self, config: dict[str, Any], plan: TrialPlan | None = None) -> None:
        assert plan is not None  # Ray's base class knows no second argument; tune.with_parameters gives it
        self.plan = plan
        if plan.memory_limit_mib is not None and torch.cuda.is_available():
            _, total = torch.cuda.mem_get_info()
            torch.cuda.set_per_process_memory_fraction(min(1.0, plan.memory_limit_mib * MIB / total))
        self.job = config

    def step(self) -> dict[str, Any]:
        """Train an epoch. Whatever fails is raised as ``TrialFailed``, with its traceback in the trial's log.txt."""
        try:
            self.begin()
            return self._result(self.unreported.pop(0)) if self.unreported else self._train_epoch()
        except Exception as error:
            logging.exception("the trial failed")
            raise trial_failed(error) from error

    def _train_epoch(self) -> dict[str, Any]:
        self.watchdog.feed()
        with classify_gpu_out_of_memory(self.plan.trials_per_card, self.missing_mib):
            report = self.trainer.train_epoch(self._on_step)
        line = {"trial": self.folder.name, "epoch": report.epoch, **report.metrics, "params": self.params}
        line = self.already_reported.pop(report.epoch, line)
        append_line(self.result_path, line)
        # the checkpoint last: what it holds, all other files know
        self.experiment.record(report, self.trainer, keep_previous=True)
        if report.epoch in self.plan.rungs or self.trainer.finished:
            self.experiment.wait()
        self.watchdog.rest()
        return self._result(line)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in this process.

        Never False: Ray 2.60 then calls the trial failed without telling the searcher, which waits for it for ever.
        """
        self._release()
        self.job = new_config
        return True

    def cleanup(self) -> None:
        self._release()

    @property
    def result_path(self) -> Path:
        return self.folder / "result.json"

    def begin(self) -> None:
        """Take the trial's folder and make ready for its next epoch, if that was not done yet."""
        if self.job is None:
            return
        job, self.job = self.job, None
        self._start(job)
        if self.left_over_mib > LEFT_OVER_MIB:
            logging.warning("%d MiB of GPU memory are still held by the trial before", self.left_over_mib)

    def _start(self, job: dict[str, Any]) -> None:
        self.params = dict(job["params"])
        self.folder = self.plan.sweep_dir / job["trial"]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = FileLock(self.folder / ".lock", timeout=ORPHAN_SECONDS)
        self.lock.acquire()
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
            lines = self._load_checkpoint(job["reported_epochs"])
        self.unreported = [line for line in lines if line["epoch"] > job["reported_epochs"]]
        self.experiment.describe(self.trainer)
        self.experiment.record_hparams(self.params, self.plan.metric, self.plan.example_values)
        self.watchdog.rest()

    def _load_checkpoint(self, reported_epochs: int) -> list[dict[str, Any]]:
        """Go on from the folder's newest checkpoint; returns the lines of the epochs up to there.

        Later epochs that the search has heard of are trained again, as they were reported before their checkpoint was
        on the disk. What was reported of them stays, since a card does not give the same twice.
        """
        epoch = self.experiment.continue_own(self.trainer)
        found = read_lines(self.result_path)
        self.already_reported = {line["epoch"]: line for line in found if epoch < line["epoch"] <= reported_epochs}
        lines = [line for line in found if line["epoch"] <= epoch]
        if self.result_path.exists():
            replace_lines(self.result_path, lines)
        if epoch:
            logging.warning("goes on after epoch %d", epoch)
        return lines

    def _missing_mib(self) -> int:
        """Of the card's memory that was free when the sweep was planned, what is not free now."""
        if not self.plan.trials_per_card or not torch.cuda.is_available():
            return 0
        free, _ = torch.cuda.mem_get_info()
        return self.plan.card_free_mib - free // MIB

    def _on_step(self, done: int, total: int) -> None:
        self.watchdog.feed()
        guard_memory(self.plan.trials_at_once)

    def _result(self, line: dict[str, Any]) -> dict[str, Any]:
        """What Ray passes on to the search; the metrics have a key of their own, as Ray adds others of its own."""
        newest = line["epoch"] == self.trainer.epoch
        metrics = {key: float(value) for key, value in line.items() if key not in NOT_METRICS}
        return {"epoch": line["epoch"], "metrics": metrics, "finished": newest and self.trainer.finished}

    def _end_writing(self) -> None:
        """A checkpoint that cannot be written is logged: the trial goes on from the one before."""
        try:
            self.experiment.close()
        except OSError:
            logging.exception("the last checkpoint could not be written")
        self.experiment.previous_checkpoint.unlink(missing_ok=True)

    def _release(self) -> None:
        """Give back files and memory of the trial that was; also of one that failed half-way through its start."""
        if "lock" not in self.__dict__:  # none was begun
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
            self.__dict__.pop("watchdog").rest()


def trial_overrides(fixed: Iterable[str], params: Mapping[str, Any]) -> Overrides:
    """The trial as overrides: with them ``run.py`` repeats it, bit for bit on a CPU."""
    return Overrides.parse(fixed).plus(f"{key}={override_value(value)}" for key, value in params.items())


def override_value(value: Any) -> str:
    """A sampled value as Hydra reads it back: floats with all their digits, ``null``, ``true``, lists in brackets."""
    return str(value) if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def check_sampled(composed: Composed, params: Mapping[str, Any]) -> None:
    """Assert that every sampled key is what the resolved configuration holds.

    A sweep whose trials all train the same configuration looks like any other, until one believes its result.
    """
    for key, sampled in params.items():
        resolved = composed.value(key)
        assert resolved == sampled, f"{key}={sampled} was sampled, but the configuration holds {resolved}"
