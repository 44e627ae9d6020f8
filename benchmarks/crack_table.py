"""A table of real crack trainings: ``python -m benchmarks.crack_table NAME DATA_ROOT [--configurations 200] ...``.

Random configurations of the space of ``benchmarks/crack_spec.py``, after its default, each trained to the end with
every seed; ``val/iou_best`` of every epoch is written to ``benchmarks/data/NAME.jsonl``, a line a training. What is
there is not trained again, so the command may be stopped at any time. The second seed begins when every configuration
has been trained with the first one: half of a table is a table. The configurations are those of the table, and then
new ones, so a line stays right whatever the space or its random points were when it was written.

``benchmarks.landscapes.cracks`` searches these tables.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from tempfile import gettempdir
from typing import Any, NamedTuple

from benchmarks.crack_spec import SPEC
from benchmarks.landscapes.landscape import random_points
from src.errors import Parser, run_command
from src.folders import user_path
from src.lines import append_line, read_lines
from sweeps.default_point import default_point
from sweeps.search.space import Params
from trainable.overrides import trial_overrides

TABLES = Path(__file__).with_name("data")
METRIC = "val/iou_best"


class Training(NamedTuple):
    """One line of a table, before it is trained."""

    params: Params
    seed: int
    root: Path


def configurations(lines: Iterable[Mapping[str, Any]], count: int) -> list[Params]:
    """The default of the space, those of a table's lines, then random ones."""
    default = default_point(SPEC.space, SPEC.fixed)
    points = chain([default], (line["params"] for line in lines), random_points(SPEC.space, 20))
    distinct: dict[str, Params] = {}
    while len(distinct) < count:
        params = next(points)
        distinct.setdefault(identity(params), params)
    return list(distinct.values())


def identity(params: Params) -> str:
    """Of a configuration: equal texts for equal ones."""
    return json.dumps(params, sort_keys=True)


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
    return {"params": training.params, "seed": training.seed, "values": values, "seconds": seconds}


def main(argv: list[str]) -> None:
    options = parse(argv)
    table = options.folder / f"{options.name}.jsonl"
    lines = read_lines(table)
    done = {(identity(line["params"]), line["seed"]) for line in lines}
    trainings = [
        Training(params, seed, options.root)
        for seed in range(options.seeds)
        for params in configurations(lines, options.configurations)
        if (identity(params), seed) not in done
    ]
    print(f"{len(done)} of {len(done) + len(trainings)} trainings are in {table}", flush=True)
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        for finished in as_completed([pool.submit(train, training) for training in trainings]):
            line = finished.result()
            append_line(table, line)
            print(line["seed"], max(line["values"], default=None), line["seconds"], line["params"], flush=True)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser(prog="python -m benchmarks.crack_table")
    add = parser.add_argument
    add("name", metavar="NAME", help="of the table, such as cfd")
    add("root", type=user_path, metavar="DATA_ROOT", help="a folder of src.prepare")
    add("--configurations", type=int, default=200)
    add("--seeds", type=int, default=2)
    add("--processes", type=int, default=len(os.sched_getaffinity(0)))
    add("--folder", type=user_path, default=TABLES)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run_command(main))
