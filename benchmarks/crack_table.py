"""A table of real crack trainings: ``python -m benchmarks.crack_table NAME DATA_ROOT [--configurations 300] ...``.

Random configurations of the space of ``benchmarks/crack_spec.py``, after its default, each trained to the end with
every seed; ``val/iou_best`` of every epoch is written to ``benchmarks/data/NAME.jsonl``, a line a training. What is
there is not trained again, so the command may be stopped at any time. The second seed begins when every configuration
has been trained with the first one: half of a table is a table.

``benchmarks.landscapes.cracks`` searches these tables.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from tempfile import gettempdir
from typing import Any, NamedTuple

from benchmarks.crack_spec import SPEC
from src.errors import Parser, run_command
from src.folders import user_path
from src.lines import append_line, read_lines
from sweeps.default_point import default_point
from sweeps.search.sampler import ModelSampler
from sweeps.search.space import Params
from trainable.overrides import trial_overrides

TABLES = Path(__file__).with_name("data")
METRIC = "val/iou_best"


class Training(NamedTuple):
    """One line of a table, before it is trained."""

    number: int
    """Of the configuration; 0 is the default."""
    seed: int
    params: Params
    root: Path


def configurations(count: int) -> Iterator[Params]:
    """The default of the space, then random points; the same for every data set."""
    sampler = ModelSampler(SPEC.space, 0, default_point(SPEC.space, SPEC.fixed), "random")
    for number in range(count):
        proposal = sampler.propose(number, [])
        assert proposal
        yield proposal.params


def train(training: Training) -> dict[str, Any]:
    """A line of the table: the score of each epoch, fewer if the loss was not finite in the next one."""
    from src.config.compose import load_config
    from src.training.trainer import Diverged, Trainer

    begun = time.perf_counter()
    here = (f"data.root={training.root}", f"seed={training.seed}", f"training.epochs={SPEC.scheduler.max_epochs}")
    folders = (f"output_root={gettempdir()}/crack_table", "device=cpu", "data.num_workers=0")
    overrides = trial_overrides((*SPEC.fixed, *here, *folders), training.params)
    trainer = Trainer(load_config(overrides), overrides)
    values: list[float] = []
    try:
        while not trainer.finished:
            values.append(round(trainer.train_epoch().metrics[METRIC], 5))
    except Diverged:
        pass
    seconds = round(time.perf_counter() - begun, 1)
    return {"number": training.number, "seed": training.seed, "params": training.params, "values": values} | {
        "seconds": seconds
    }


def main(argv: list[str]) -> None:
    options = parse(argv)
    table = options.folder / f"{options.name}.jsonl"
    done = {(line["number"], line["seed"]) for line in read_lines(table)}
    trainings = [
        Training(number, seed, params, options.root)
        for seed in range(options.seeds)
        for number, params in enumerate(configurations(options.configurations))
        if (number, seed) not in done
    ]
    print(f"{len(done)} of {len(done) + len(trainings)} trainings are in {table}", flush=True)
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        for finished in as_completed([pool.submit(train, training) for training in trainings]):
            line = finished.result()
            append_line(table, line)
            print(line["number"], line["seed"], max(line["values"], default=None), line["seconds"], flush=True)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser(prog="python -m benchmarks.crack_table")
    add = parser.add_argument
    add("name", metavar="NAME", help="of the table, such as cfd")
    add("root", type=user_path, metavar="DATA_ROOT", help="a folder of src.prepare")
    add("--configurations", type=int, default=300)
    add("--seeds", type=int, default=2)
    add("--processes", type=int, default=len(os.sched_getaffinity(0)))
    add("--folder", type=user_path, default=TABLES)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run_command(main))
