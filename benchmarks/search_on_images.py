"""Our search beside others on real trainings: ``python -m benchmarks.search_on_images SWEEP [key=value ...]``.

All search the sweep's space on its data with the same budget of epochs, one trial at a time, in this process; the
searches themselves are those of ``benchmarks.searches``. Every training has the seed of its search, so a point
scores the same in all. Printed is the best ``val/iou_best`` after a quarter, half and all of the epochs, a line a
seed; below them their mean and standard deviation.

``--keep FOLDER`` keeps the best value after every epoch, a file a search, and does not run again what is there. A
search with other settings has another file.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import accumulate, islice
from pathlib import Path
from statistics import fmean, stdev
from typing import cast

from optuna.distributions import BaseDistribution
from rich.console import Console
from rich.table import Table

from benchmarks.landscapes.landscape import Key, Report
from benchmarks.search_efficiency import missing
from benchmarks.searches.methods import METHODS
from src.config.compose import load_config
from src.errors import UserError, run_command
from src.folders import user_path
from src.training.trainer import Diverged, Trainer
from sweeps.machines import cards_for
from sweeps.plan import SweepPlan
from sweeps.preflight import prepare
from sweeps.request import SweepRequest
from sweeps.search.space import Params, Space, as_json
from sweeps.spec import Asha, load_spec
from trainable.overrides import trial_overrides
from trainable.resources import share_machine

COLUMNS = {"a quarter": 0.25, "half": 0.5, "all": 1.0}


class Photographs:
    """A sweep's space, where a point comes to what its network scores on the validation split."""

    def __init__(self, plan: SweepPlan, seed: int) -> None:
        assert isinstance(plan.spec.space, Mapping)
        self.space: Space = plan.spec.space
        assert isinstance(plan.spec.scheduler, Asha)
        self.keys = tuple(Key(*item) for item in self.space.items())
        self.asha, self.seed = plan.spec.scheduler, seed
        self.first: Params = plan.default_params
        self.default: Params | None = self.first
        self.fixed, self.metric = plan.fixed, plan.spec.metric

    def train(self, trial: int, point: Params) -> Iterator[Report]:
        overrides = trial_overrides((*self.fixed, f"seed={self.seed}"), point)
        trainer = Trainer(load_config(overrides), overrides)
        value = 0.0
        for _ in range(self.asha.max_epochs):
            if not trainer.finished:  # one that has stopped early keeps its last value, and is charged
                try:
                    value = trainer.train_epoch().metrics[self.metric]
                except Diverged:
                    yield Report(trial, math.nan, 0.0)
                    return
            yield Report(trial, value, value)


def best_so_far(plan: SweepPlan, method: str, seed: int, epochs: int, keep: Path | None) -> list[float]:
    """The best value after each epoch of the budget; fewer, where the space has no more points."""
    settings = json.dumps(
        [*plan.fixed, epochs, as_json(cast(Mapping[str, BaseDistribution], plan.spec.space)), plan.default_params]
    )
    kept = keep / f"{plan.name}-{sha256(settings.encode()).hexdigest()[:8]}-{method}-{seed}.json" if keep else None
    if kept and kept.exists():
        return json.loads(kept.read_text())
    reports = islice(METHODS[method](Photographs(plan, seed)), epochs)
    values = list(accumulate((report.truth for report in reports), max))
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(values))
    return values


def main(argv: list[str]) -> None:
    options = parse(argv)
    words = tuple(options.overrides)
    request = SweepRequest(
        spec=options.spec, overrides=words, trials=options.trials, max_epochs=options.max_epochs, trials_at_once=1
    )
    spec = request.applied_to(load_spec(options.spec))
    plan = prepare(options.spec, spec, seed=0, resources=share_machine(1, cards_for(spec)))
    if not isinstance(spec.space, Mapping):
        raise UserError(f"{options.spec} has a conditional space, which the peers do not search.")
    epochs = options.epochs or round(plan.forecast().epochs)
    table = Table("method", "seed", *(f"after {share} of {epochs} epochs" for share in COLUMNS), box=None)
    found: dict[str, list[list[float]]] = {}
    for method in options.methods:
        if why := missing(method, has_default=True):
            raise UserError(why)
        found[method] = [best_so_far(plan, method, seed, epochs, options.keep) for seed in range(options.seeds)]
        marks = [
            [values[min(round(share * epochs), len(values)) - 1] for share in COLUMNS.values()]
            for values in found[method]
        ]
        for seed, row in enumerate(marks):
            table.add_row(method, str(seed), *(f"{value:.4f}" for value in row))
        spread = [
            f"{fmean(column):.4f} ± {stdev(column) if len(column) > 1 else 0.0:.4f}"
            for column in zip(*marks, strict=True)
        ]
        table.add_row(method, "mean", *spread, style="bold")
    Console(width=120).print(table)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_on_images")
    add = parser.add_argument
    add("spec", help="name of a module in sweeps/specs")
    add("overrides", nargs="*", metavar="key=value")
    add("--epochs", type=int, help="budget of each search; default: what a sweep of the spec's trials would take")
    add("--seeds", type=int, default=3)
    add("--methods", nargs="+", default=["ours", "ray"], choices=METHODS)
    add("--trials", type=int, help="that the default of --epochs is computed from")
    add("--max-epochs", type=int)
    add("--keep", type=user_path, metavar="FOLDER")
    return parser.parse_intermixed_args(argv)


if __name__ == "__main__":
    sys.exit(run_command(main))
