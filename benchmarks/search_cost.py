"""What a trial costs the search itself: ``python -m benchmarks.search_cost [--trials N] [--json FILE]``.

Trials that are made up instead of trained go through the rules, the sampler and the ledger on the disk. Timed are 20
trials around each of a few places (the 100th, the 1000th, ...), from the proposal to the last report. A proposal of the
model takes most of that, so elsewhere points are drawn at random: the rules and the ledger see no difference.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from src.errors import run_command
from src.folders import user_path
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.search import sampler as sampler_module
from sweeps.search.sampler import ModelSampler, Proposal
from sweeps.search.scheduler import Decision
from sweeps.search.space import Params
from sweeps.search.state import SearchState
from sweeps.search.study import Study
from sweeps.search.trial import Trial
from sweeps.spec import Asha, Budget

METRIC = "val/iou_best"
WINDOW = 10  # trials on each side of a place
SPACE: dict[str, BaseDistribution] = {
    "lr": FloatDistribution(1e-5, 1e-2, log=True),
    "decay": FloatDistribution(1e-5, 1e-1, log=True),
    "drop": FloatDistribution(0.0, 0.5),
    "loss": CategoricalDistribution(["dice", "bce", "focal"]),
}
FIRST: Params = {"lr": 1e-3, "decay": 1e-3, "drop": 0.1, "loss": "dice"}


class Hasty(ModelSampler):
    """Asks the model only where it is timed."""

    places: Sequence[int] = ()

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        timed = any(abs(number - place) <= WINDOW for place in self.places)
        sampler_module.RANDOM_SHARE = 0.0 if timed else 1.0
        return super().propose(number, trials)


def value(params: Params, epoch: int) -> float:
    """A score that has an optimum inside of the space, and comes closer to it with the epochs."""
    rate, decay, drop = (float(params[key]) for key in ("lr", "decay", "drop"))  # pyright: ignore[reportArgumentType]
    miss = (math.log10(rate) + 3.3) ** 2 + 0.1 * (math.log10(decay) + 2) ** 2 + (drop - 0.2) ** 2
    return (1 - math.exp(-epoch / 8)) * math.exp(-miss) * (0.9 if params["loss"] == "bce" else 1.0)


def seconds_per_trial(trials: int, places: Sequence[int], folder: Path) -> list[float]:
    """Mean seconds of the trials around each place."""
    sampler = Hasty(SPACE, 0, FIRST)
    sampler.places = places
    asha = Asha(grace_period=3, reduction_factor=3, max_epochs=51)
    study = Study(SearchState(asha.build(), METRIC), sampler, Budget(trials=trials), Ledger(folder / LEDGER_FILE))
    study.begin_session()
    spent = [0.0] * trials
    while True:
        begun = time.perf_counter()
        if not (row := study.next_trial()):
            break
        decision = Decision.CONTINUE
        while decision is Decision.CONTINUE:
            decision = study.report(row.name, row.epochs + 1, {METRIC: value(row.params, row.epochs + 1)})
        spent[row.number] += time.perf_counter() - begun
    return [fmean(spent[max(0, place - WINDOW) : place + WINDOW]) for place in places]


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_cost")
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--json", type=user_path, help="write the figures there")
    options = parser.parse_args(argv)
    places = [place for place in (100, 300, 1000, 3000) if place < options.trials] + [options.trials - WINDOW]
    with tempfile.TemporaryDirectory() as folder:
        means = seconds_per_trial(options.trials, places, Path(folder))
    for place, mean in zip(places, means, strict=True):
        print(f"trial {place:6}: {mean:.3f} s, {mean / means[0]:.2f} times the {places[0]}th")
    if options.json:
        options.json.write_text(json.dumps(dict(zip(places, means, strict=True)), indent=2))


if __name__ == "__main__":
    sys.exit(run_command(main))
