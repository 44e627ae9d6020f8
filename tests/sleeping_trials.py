"""A search through the real Ray whose trials only sleep: ``python -m tests.sleeping_trials FOLDER --places 2 ...``.

Each process writes a line into FOLDER/starts.txt when it starts, and one into FOLDER/said.txt for every epoch: its pid,
the cards it may use, and the trial.
"""

import argparse
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from optuna.distributions import FloatDistribution
from ray import tune

import sweeps.ray_executor
from src.cards import Card
from src.config.overrides import Overrides
from src.lines import append_line, read_lines
from sweeps.interrupts import Signals
from sweeps.local_ray import LocalRay
from sweeps.ray_executor import Executor
from sweeps.search.sampler import ModelSampler
from sweeps.search.state import SearchState
from sweeps.search.study import Study
from sweeps.spec import Asha, Budget
from trainable.plan import TrialPlan
from trainable.resources import share_machine

METRIC = "val/iou_best"
START_SECONDS, EPOCH_SECONDS, PATIENCE_SECONDS = 2.5, 0.2, 60.0


def sleeping(said: Path, together: int, first_at_once: bool, dies: int | None) -> type[tune.Trainable]:
    """The trainable; an epoch ends when ``together`` processes have begun one.

    ``first_at_once``: the first process to start is ready at once. ``dies``: the number of a trial whose process dies
    in its first epoch, once.
    """

    class Sleeping(tune.Trainable):
        def setup(self, config: dict[str, Any], plan: TrialPlan | None = None) -> None:
            append_line(said.with_name("starts.txt"), {"pid": os.getpid()})
            if not (first_at_once and is_first(said.with_name("started"))):
                time.sleep(START_SECONDS)
            self.reset_config(config)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.trial, self.epoch = new_config["trial"], new_config["reported_epochs"]
            return True

        def step(self) -> dict[str, Any]:
            if int(self.trial[1:5]) == dies and is_first(said.with_name("died")):
                os._exit(1)
            cards = os.environ.get("CUDA_VISIBLE_DEVICES", "")
            append_line(said, {"pid": os.getpid(), "cards": cards, "trial": self.trial})
            end = time.monotonic() + PATIENCE_SECONDS
            while len({line["pid"] for line in read_lines(said)}) < together and time.monotonic() < end:
                time.sleep(0.1)
            time.sleep(EPOCH_SECONDS)
            self.epoch += 1
            value = 1 / (1 + int(self.trial[1:5]) % 3)
            return {"epoch": self.epoch, "metrics": {METRIC: value}, "finished": False}

    return Sleeping


def is_first(mark: Path) -> bool:
    """Whether no process has asked with this file before."""
    try:
        mark.touch(exist_ok=False)
        return True
    except FileExistsError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--places", type=int, default=1)
    parser.add_argument("--gpus", type=int, default=0, help="made-up cards")
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--together", type=int, default=1, help="processes that wait for each other")
    parser.add_argument("--first-at-once", action="store_true", help="one process starts sooner than the others")
    parser.add_argument("--dies", type=int, help="the number of a trial whose process dies once")
    options = parser.parse_args()
    folder: Path = options.folder.resolve()
    trainable = sleeping(folder / "said.txt", options.together, options.first_at_once, options.dies)
    sweeps.ray_executor.CrackTrial = trainable  # pyright: ignore[reportAttributeAccessIssue]
    resources = share_machine(options.places, [Card("made up", 8192, 8000)] * options.gpus)
    asha = Asha(grace_period=2, reduction_factor=2, max_epochs=4)
    sampler = ModelSampler({"lr": FloatDistribution(0.0, 1.0)}, 0, {"lr": 0.5})
    study = Study(SearchState(asha.build(), METRIC), sampler, Budget(trials=options.trials))
    plan = TrialPlan(folder, Overrides(), METRIC)
    with Signals() as signals, LocalRay(resources) as ray, Executor(plan, resources, ray) as executor:
        executor.run(study, signals, None, [])
    print(json.dumps({row.name: row.state for row in study.trials.values()}))


if __name__ == "__main__":
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)  # Ray would count these
    with TemporaryDirectory() as ray_home:  # a socket's path must be short
        os.environ["RAY_TMPDIR"] = ray_home
        main()
