"""How long a large sweep takes to read: ``python -m benchmarks.result_loading``.

A ledger of many trials is made up, and beside it the files that Ray's own analysis would read: a ``result.json`` of
JSON lines a trial. Timed in one run: ``analysis.results.read_folder``, and the same reports from those files as
``ray.tune.ExperimentAnalysis`` does it, one ``json.loads`` a line and a table a trial.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.results import read_folder
from src.errors import run_command
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.search.events import Reported, Started
from sweeps.search.scheduler import Decision
from sweeps.search.trial import Trial

ABOUT = """
{metric: val/iou_best, fixed: [], space: [], trial_0: {}, scheduler: {rungs: [1], max_epochs: 50}, budget: {},
resources: {}, provenance: {}}
"""
METRICS: tuple[str, ...] = (
    "val/iou_best",
    *(
        f"val/{name}"
        for name in ("threshold", "iou", "iou_image", "miou_two_class", "f1", "precision", "recall", "loss")
    ),
    *("train/loss", "lr", "epoch_seconds", "images_per_second"),
)
"""As many as a trial reports."""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.result_loading")
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=50)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "sweeps" / "large"
        make(folder, options.trials, options.epochs)
        begun = time.perf_counter()
        sweep = read_folder(folder)
        ours = time.perf_counter() - begun
        begun = time.perf_counter()
        tables = [pd.DataFrame([json.loads(line) for line in path.open()]) for path in folder.glob("*/result.json")]
        theirs = time.perf_counter() - begun
    assert (len(sweep.trials), len(sweep.reports)) == (options.trials, options.trials * options.epochs)
    assert sum(len(table) for table in tables) == len(sweep.reports)
    size = f"{options.trials} trials with {options.epochs} reports each"
    print(f"{size}: {ours:.1f} s; Ray's way {theirs:.1f} s; ratio {ours / theirs:.2f}")


def make(folder: Path, trials: int, epochs: int) -> None:
    """A sweep's folder with a ledger, and a ``result.json`` for each trial."""
    folder.mkdir(parents=True)
    (folder / "sweep.yaml").write_text(ABOUT)
    random = np.random.default_rng(0)
    ledger = Ledger(folder / LEDGER_FILE)
    with ledger.transaction():
        for number in range(trials):
            params = {"training.optimizer.lr": random.random(), "training.loss": "dice"}
            trial = Trial(f"t{number:05d}", params, number)
            ledger.append(Started(trial.name, params, "random"), None, [trial])
            lines: list[str] = []
            for epoch, values in enumerate(random.random((epochs, len(METRICS))).tolist(), start=1):
                metrics = dict(zip(METRICS, values, strict=True))
                trial.report(epoch, values[0], metrics)
                event = Reported(trial.name, epoch, values[0], metrics, finished=epoch == epochs)
                ledger.append(event, Decision.CONTINUE, [trial])
                lines.append(json.dumps({"epoch": epoch, "params": params} | metrics))
            (folder / trial.name).mkdir()
            (folder / trial.name / "result.json").write_text("\n".join(lines))
    ledger.close()


if __name__ == "__main__":
    sys.exit(run_command(main))
