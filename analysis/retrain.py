"""Train a sweep's best configuration again on fresh seeds: ``retrain-best swin_unet_lr``.

The winner of many trials on one seed looks better than it is. So it is trained again, to the end, with seeds that the
search has not seen, and scored on the test split at the threshold that validation chose.
"""

import argparse
import csv
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from src.errors import UserError, run_command

SEEDS = 3


@dataclass(frozen=True)
class SeedRun:
    """One training of the configuration, scored on the test split."""

    seed: int
    folder: Path
    val_iou_best: float
    test_iou: float
    test_f1: float
    threshold: float


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="retrain-best", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", help="the sweep's folder under outputs/sweeps")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many fresh seeds, counted from 0 (default 3)")
    parser.add_argument("--epochs", type=int, help="epochs of each training, if not the sweep's own")
    parser.add_argument(
        "--output-root", type=Path, help="the output_root of the sweep, if it was not the configured one"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args(argv)
    if options.seeds < 1:
        raise UserError(f"--seeds={options.seeds}: must be at least 1.")
    retrain(options.name, options.seeds, options.epochs, options.output_root)


def retrain(name: str, seeds: int = SEEDS, epochs: int | None = None, output_root: Path | None = None) -> list[SeedRun]:
    """Train the best configuration of the sweep once per seed, and write ``{output_root}/retrain/{name}/``.

    ``best.yaml`` lists its overrides (``python run.py best.yaml`` trains it), ``runs.csv`` the scores. A seed that is
    trained already, with the same overrides and data, is not trained again.
    """
    from analysis.results import load_sweep, sweeps_dir
    from src.config import save_overrides

    sweep = load_sweep(name, output_root)
    # the seeds are ours to choose; a trial shared the cores with others, a retraining has them all
    best = [word for word in sweep.best_overrides() if not word.startswith(("seed=", "threads="))]
    if epochs is not None:
        best = [*(word for word in best if not word.startswith("training.epochs=")), f"training.epochs={epochs}"]
    print(sweep.about_best())
    folder = sweeps_dir(output_root).parent / "retrain" / name
    keep_other_results(folder, best)
    folder.mkdir(parents=True, exist_ok=True)
    save_overrides(best, folder / "best.yaml")
    runs = [train_seed(best, seed, folder / f"seed{seed}") for seed in fresh_seeds(sweep.about["fixed"], seeds)]
    write_runs(runs, folder / "runs.csv")
    report(runs, best, folder)
    return runs


def keep_other_results(folder: Path, best: Sequence[str]) -> None:
    """Move a folder aside that holds networks of another configuration."""
    from src.config import load_overrides
    from src.folders import move_aside

    if (folder / "best.yaml").is_file() and load_overrides(folder / "best.yaml") != list(best):
        print(f"The networks of another configuration that were there are now in {move_aside(folder)}.")


def fresh_seeds(fixed: Sequence[str], count: int) -> list[int]:
    """0, 1, 2, ... without the seed that the search has used."""
    from src.config import load_config

    used = load_config(fixed).seed
    return [seed for seed in range(count + 1) if seed != used][:count]


def train_seed(best: Sequence[str], seed: int, folder: Path) -> SeedRun:
    """Train with one seed into ``folder``, unless that is done already, and score the best epoch on the test split."""
    from src.config import load_config
    from src.data.cache import data_fingerprint
    from src.experiment import read_rows
    from src.inference import load_network
    from src.metrics import BINS
    from src.run import train
    from src.scoring import evaluate

    overrides = [*best, f"seed={seed}"]
    config = load_config(overrides)
    marker, what = folder / "finished", " ".join([data_fingerprint(config.data), *overrides])
    if not (marker.is_file() and marker.read_text() == what):
        shutil.rmtree(folder, ignore_errors=True)  # half a training, or of other data: its events would mix with ours
        train(config, overrides, folder)
        marker.write_text(what)
    asked = ["evaluation.split=test", "evaluation.metrics=[iou,f1]", "evaluation.tta=none"]
    network = load_network(folder / "checkpoints" / "best_model.pth", asked)
    scores = evaluate(network)
    (row,) = (row for row in read_rows(folder / "metrics" / "metrics.csv") if int(row["epoch"]) == network.epoch)
    validated = float(row["val/iou_best"])
    return SeedRun(seed, folder, validated, scores.metrics["iou"], scores.metrics["f1"], scores.threshold / BINS)


def write_runs(runs: Sequence[SeedRun], path: Path) -> None:
    """One line a seed."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["seed", "val/iou_best", "test/iou", "test/f1", "threshold", "folder"])
        writer.writerows(
            [run.seed, run.val_iou_best, run.test_iou, run.test_f1, run.threshold, run.folder.name] for run in runs
        )


def report(runs: Sequence[SeedRun], best: Sequence[str], folder: Path) -> None:
    """Print each seed's scores, mean and standard deviation, and the command that trains the same again."""
    from rich.console import Console
    from rich.table import Table

    table = Table("seed", "val/iou_best", "test IoU", "test F1", "threshold", box=None, header_style="bold")
    for run in runs:
        values = (run.val_iou_best, run.test_iou, run.test_f1)
        table.add_row(str(run.seed), *(f"{value:.4f}" for value in values), f"{run.threshold:.3f}")
    console = Console()
    console.print(table)
    ious = [run.test_iou for run in runs]
    spread = (
        f" ± {stdev(ious):.4f} (mean, standard deviation over {len(ious)} seeds)" if len(ious) > 1 else " (one seed)"
    )
    console.print(f"test IoU {fmean(ious):.4f}{spread}", highlight=False)
    console.print(
        f"{folder / 'best.yaml'}; the same again: python run.py {shlex.join(best)} seed={runs[0].seed}",
        soft_wrap=True,
        highlight=False,
    )


def command() -> None:
    """The console script ``retrain-best``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    command()
