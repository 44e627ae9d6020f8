"""Seconds a trial costs beyond its training: ``python -m benchmarks.sweep_overhead [--trials N] [--json FILE]``.

The same search twice, one trial at a time, a one-epoch training on tiny images each: with a process that is reused for
the next trial (ours), and with a process a trial (Ray's default). The first trial of each is left out: it pays for the
start of Ray. Overhead is the time from the first trial's end to the last one's, less the seconds spent in epochs,
per trial.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from optuna.distributions import FloatDistribution

from src.errors import run_command
from src.folders import user_path
from src.synthetic import write_dataset
from sweeps.interrupts import Signals
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.local_ray import LocalRay
from sweeps.observer import Observer
from sweeps.plan import SweepPlan, make_plan
from sweeps.ray_executor import Executor
from sweeps.search.sampler import ModelSampler
from sweeps.search.state import SearchState
from sweeps.search.study import Study
from sweeps.search.trial import Trial
from sweeps.spec import Asha, Budget, SweepSpec
from trainable.plan import TrialPlan


class Stopwatch(Observer):
    """Notes when each trial ended, and how long its epochs took."""

    ends: list[float]
    epoch_seconds: list[float]

    def __init__(self) -> None:
        self.ends, self.epoch_seconds = [], []

    def reported(self, trial: Trial) -> None:
        self.epoch_seconds.append(trial.metrics["epoch_seconds"])

    def left(self, trial: Trial) -> None:
        self.ends.append(time.perf_counter())

    def overhead(self) -> float:
        """Seconds per trial, without the first."""
        return (self.ends[-1] - self.ends[0] - sum(self.epoch_seconds[1:])) / (len(self.ends) - 1)


def tiny_plan(folder: Path, trials: int) -> SweepPlan:
    write_dataset(folder / "data", images=20, seed=1, size=32)
    fixed = ("model.encoder=tiny", "model.decoder=tiny", "data.image_size=[32,32]", "device=cpu")
    spec = SweepSpec(
        fixed=(*fixed, f"data.root={folder / 'data'}", f"output_root={folder / 'outputs'}"),
        space={"training.optimizer.lr_scale": FloatDistribution(0.1, 10.0, log=True)},
        scheduler=Asha(grace_period=1, reduction_factor=3, max_epochs=1),
        budget=Budget(trials=trials, trials_at_once=1),
    )
    return make_plan("overhead", spec, seed=0)


def measure(plan: SweepPlan, sweep_dir: Path, reuse: bool) -> Stopwatch:
    watch = Stopwatch()
    sweep_dir.mkdir(parents=True)
    trial_plan = TrialPlan(sweep_dir, plan.fixed, plan.spec.metric)
    sampler = ModelSampler(plan.spec.space, plan.seed, plan.default_params)
    ledger = Ledger(sweep_dir / LEDGER_FILE)
    study = Study(SearchState(plan.spec.scheduler.build(), plan.spec.metric), sampler, plan.spec.budget, ledger)
    with (
        LocalRay(plan.resources) as ray,
        Signals() as signals,
        Executor(trial_plan, plan.resources, ray, reuse_actors=reuse) as executor,
    ):
        executor.run(study, signals, None, [watch])
    return watch


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=12, help="trials of each of the two searches")
    parser.add_argument("--json", type=user_path, help="write the figures there")
    options = parser.parse_args(argv)
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        plan = tiny_plan(Path(folder), options.trials)
        for name, reuse in (("reused process", True), ("process a trial", False)):
            watch = measure(plan, Path(folder) / name.replace(" ", "-"), reuse)
            figures[name] = watch.overhead()
            print(f"{name:16} {figures[name]:6.2f} s a trial beyond {median(watch.epoch_seconds):.2f} s of training")
    figures["ratio"] = figures["reused process"] / figures["process a trial"]
    print(f"{'ratio':16} {figures['ratio']:6.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    sys.exit(run_command(main))
