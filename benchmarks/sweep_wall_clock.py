"""The wall clock of a whole sweep beside a recipe's: ``python -m benchmarks.sweep_wall_clock DATA_ROOT [--pairs 5]``.

The same search with ``python -m sweeps.run benchmarks/recipe_spec.py`` and with ``benchmarks.ray_recipe``, in turns:
the same network, batch, images, cores, trials and epochs at most; each pair has a seed of its own. Times are from the
command to its end, and to the first epoch whose IoU at 0.5 is that of the recipe's best epoch.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from src.errors import run_command
from src.folders import user_path
from sweeps.busy import busy
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.local_ray import SETTINGS
from sweeps.search.events import Reported

ROOT = Path(__file__).parents[1]
NAME = "recipe_spec"


def timed(words: list[str]) -> tuple[float, float, str]:
    """Run a Python module; when it began, the seconds it took, and what it printed."""
    ours = {name for name in SETTINGS if os.environ.get(name) == SETTINGS[name]}  # of a module that was imported here
    variables = {name: value for name, value in os.environ.items() if name not in ours}
    command = [sys.executable, "-m", *words]
    started = time.time()
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    seconds = time.time() - started
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return started, seconds, done.stdout


def run_recipe(root: Path, out: Path, shape: list[str]) -> dict[str, Any]:
    """Seconds of the recipe's command, its best IoU, and when that was reached."""
    _, seconds, said = timed(["benchmarks.ray_recipe", str(root), str(out), *shape])
    return {"seconds": seconds} | json.loads(said.splitlines()[-1])


def run_ours(root: Path, out: Path, words: list[str], goal: float) -> dict[str, Any]:
    """Seconds of our command, its best IoU at 0.5, and when it reached ``goal`` (None: never)."""
    overrides = [f"data.root={root}", f"output_root={out}", f"data.cache_dir={out.parent / 'cache'}", "device=cpu"]
    started, seconds, _ = timed(["sweeps.run", f"benchmarks/{NAME}.py", *overrides, *words])
    ledger = Ledger(out / "sweeps" / NAME / LEDGER_FILE, read_only=True)
    records = list(ledger.records())
    ledger.close()
    reports = [(record.event, datetime.fromisoformat(record.time).timestamp()) for record in records]
    scores = [(event.metrics["val/iou"], at - started) for event, at in reports if isinstance(event, Reported)]
    reached = min((at for score, at in scores if score >= goal), default=None)
    return {
        "seconds": seconds,
        "best": max(score for score, _ in scores),
        "goal_seconds": reached,
        "epochs": len(scores),
        "busy": busy(records).share,
    }


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("root", type=user_path, help="a folder with {train,val,test}/{images,masks}")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=12, help="of a trial, at most")
    parser.add_argument("--json", type=user_path, help="write the figures there")
    options = parser.parse_args(argv)
    pairs: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        for number in range(options.pairs):
            shape = ["--trials", str(options.trials), "--epochs", str(options.epochs), "--seed", str(number)]
            recipe = run_recipe(options.root, Path(folder) / f"recipe{number}", shape)
            words = ["--trials", str(options.trials), "--max-epochs", str(options.epochs), "--accept-data-warnings"]
            words += ["--seed", str(number), f"seed={number}"]
            ours = run_ours(options.root, Path(folder) / f"ours{number}", words, recipe["best"])
            pairs.append({"recipe": recipe, "ours": ours})
            goal = "never" if ours["goal_seconds"] is None else f"{ours['goal_seconds']:.1f} s"
            print(
                f"recipe {recipe['seconds']:6.1f} s, {recipe['epochs']} epochs, best {recipe['best']:.4f} after "
                f"{recipe['best_seconds']:.1f} s; ours {ours['seconds']:6.1f} s, {ours['epochs']} epochs, best "
                f"{ours['best']:.4f}, the recipe's best after {goal}; ratio {ours['seconds'] / recipe['seconds']:.2f}",
                flush=True,
            )
    ratios = sorted(pair["ours"]["seconds"] / pair["recipe"]["seconds"] for pair in pairs)
    print(f"wall clock, ours by the recipe's: median {median(ratios):.2f}, from {ratios[0]:.2f} to {ratios[-1]:.2f}")
    goals = [(pair["ours"]["goal_seconds"], pair["recipe"]["best_seconds"]) for pair in pairs]
    reached = [ours / theirs for ours, theirs in goals if ours is not None]
    if reached:
        print(f"until the recipe's best IoU: median {median(reached):.2f}, reached in {len(reached)} of {len(pairs)}")
    if options.json:
        options.json.write_text(json.dumps(pairs, indent=2))


if __name__ == "__main__":
    sys.exit(run_command(main))
