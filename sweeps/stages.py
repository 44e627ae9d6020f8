"""A sweep from its checks to its leaderboard, one function a stage."""

import logging
import os
import shlex
import sys
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from src.config import load_config
from src.data.cache import load_split
from src.errors import EXIT_FAILED, EXIT_INTERRUPTED, UserError
from src.folders import move_aside
from src.schema import SPLITS
from src.synthetic import write_dataset
from sweeps.leaderboard import TrialRow, ranked, table
from sweeps.plan import SweepPlan, make_plan
from sweeps.space import Params, corners, default_point, few_corners
from sweeps.spec import SweepSpec
from trainable.rehearsal import measure_epoch, rehearse
from trainable.trial import TrialPlan, trial_overrides

SYNTHETIC = Path("data") / "synthetic"

PLAIN_WIDTH = 160  # characters of a line in a file or a pipe, where nobody says how wide it may be

console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def prepare(name: str, spec: SweepSpec, seed: int) -> SweepPlan:
    """Check everything that needs no training: keys and ranges, options, every image of the three splits."""
    root = load_config(spec.fixed).data.root
    nobody_said = root == load_config().data.root and not (root / "train").is_dir()
    if spec.synthetic_without_data and nobody_said:
        console.print(f"No photographs in {root}: searching on synthetic ones, in {SYNTHETIC}.")
        if not SYNTHETIC.is_dir():
            write_dataset(SYNTHETIC)
        spec = replace(spec, fixed=(*spec.fixed, f"data.root={SYNTHETIC}"))
    default_point(spec.space, spec.fixed)  # the likeliest mistakes are in the keys: before anything slow
    config = load_config(spec.fixed)
    data = config.data
    sizes = [len(load_split(data.root, split, data.image_size, data.cache_dir)) for split in SPLITS]
    counts = ", ".join(f"{size} {split}" for size, split in zip(sizes, SPLITS, strict=True))
    console.print(f"{name}: images in {data.root}: {counts}")
    return make_plan(name, spec, seed, gpus=0 if config.device == "cpu" else torch.cuda.device_count())


def dry_run(plan: SweepPlan) -> int:
    """Check every corner of the space, measure an epoch, print the plan."""
    check_corners(plan, corners(plan.spec.space))
    for line in plan.lines(measure_epoch(trial_overrides(plan.fixed, plan.first))):
        console.print(line)
    return 0


def check_corners(plan: SweepPlan, points: Iterable[Params]) -> None:
    """Compose, build and step these points of the space once each."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    warnings.simplefilter("ignore")
    points = list(points)
    networks = rehearse(trial_overrides(plan.fixed, point) for point in points)
    console.print(
        f"{len(points)} corners of the space make valid configurations; {networks} different networks and losses train."
    )


def search(plan: SweepPlan, fresh: bool) -> int:
    """Rehearse, run all trials, print the leaderboard; returns the exit code."""
    refuse_to_mix(plan.folder, fresh)
    check_corners(plan, few_corners(plan.spec.space))
    make_folder(plan.folder)
    plan.save(plan.folder / "sweep.yaml")
    rows, interrupted = run_trials(plan)
    return conclude(plan, rows, interrupted)


def refuse_to_mix(folder: Path, fresh: bool) -> None:
    """A folder that holds a sweep already is a ``UserError``, unless it may be moved aside."""
    if (folder / "sweep.yaml").exists() and not fresh:
        raise UserError(f"{folder} exists: say --name OTHER to keep both, or --fresh to move it aside and start anew.")


def make_folder(folder: Path) -> None:
    """A new sweep's folder; a sweep that is there is moved aside."""
    if (folder / "sweep.yaml").exists():
        console.print(f"The sweep that was there is now {move_aside(folder)}.")
    folder.mkdir(parents=True, exist_ok=True)


def run_trials(plan: SweepPlan) -> tuple[list[TrialRow], bool]:
    """All trials under Ray; returns their rows, and whether the user interrupted."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # the rehearsal has fetched what there is; trials never download side by side
    from sweeps.live import LiveView
    from sweeps.search import build_tuner, local_ray

    view = LiveView(plan.spec, plan.folder, console)
    trial_plan = TrialPlan(plan.folder.resolve(), plan.fixed, plan.spec.metric, plan.resources.gpus_per_trial)
    with local_ray(plan.resources), view:
        try:
            build_tuner(plan, trial_plan, [view]).fit()
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
    return list(view.rows.values()), interrupted


def conclude(plan: SweepPlan, rows: list[TrialRow], interrupted: bool) -> int:
    """Print the leaderboard and what to do next; returns the exit code."""
    console.print(table(rows, plan.spec.metric))
    console.print(f"All of it: {plan.folder / 'leaderboard.csv'}, one folder a trial beside.")
    if interrupted:
        console.print("Interrupted; what the trials had reached is kept. To search anew: the same with --fresh.")
        return EXIT_INTERRUPTED
    if not rows or (best := ranked(rows)[0]).score is None or best.state == "failed":
        console.print("No trial has a score; the reasons stand in the leaderboard.")
        return EXIT_FAILED
    console.print(f"Look: tensorboard --logdir {shlex.quote(str(plan.folder))}")
    console.print(f"Train the best again, on fresh seeds, scored on the test split: retrain-best {plan.name}")
    console.print(
        f"Repeat the best trial: python run.py {shlex.quote(str(plan.folder / best.name / 'overrides.yaml'))}"
    )
    return 0
