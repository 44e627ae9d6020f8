"""Training speed beside its own ceiling: ``python -m benchmarks.training_speed [--size 512] [--json FILE]``.

Images per second, with the same network, precision and batch, in turns:

- of nothing but the step: forward, backward and optimizer on one random batch that lies on the device already;
- of whole training epochs: loading, augmenting, moving, stepping, counting;
- of whole trials in a process that has imported all it needs: building the network, reading the data, epochs with
  their validation, checkpoints, pictures and events, up to the last file.

The ratios of their medians to the step's are how much of the device an epoch and a trial use.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean, median

import torch

from src.config.compose import load_config
from src.config.overrides import Overrides
from src.errors import run_command
from src.folders import user_path
from src.models.device import layout_of
from src.synthetic import write_dataset
from src.training.experiment import device_name
from src.training.trainer import Trainer
from trainable.plan import TrialPlan
from trainable.trial import TrialProcess

NETWORKS = {
    "unet resnet34": ["model=architectures/unet"],
    "swin_unet": ["model=architectures/swin_unet"],
}


def overrides_of(folder: Path, network: list[str], size: int, batch: int) -> list[str]:
    return [
        *network,
        f"data.root={folder / 'data'}",
        f"output_root={folder / 'outputs'}",
        f"data.image_size=[{size},{size}]",
        f"data.batch_size={batch}",
        "model.encoder.pretrained=false",
    ]


def epoch_speed(trainer: Trainer) -> float:
    """Images per second of one training epoch, validation aside."""
    return trainer.train_epoch().metrics["images_per_second"]


def step_speed(trainer: Trainer, steps: int) -> float:
    """Images per second of forward, backward and optimizer on one batch, and nothing else."""
    size, device = trainer.config.data.image_size, trainer.device
    images = torch.randn(trainer.config.data.batch_size, 3, *size, device=device)
    images = images.to(memory_format=layout_of(trainer.model))
    masks = (torch.rand(len(images), 1, *size, device=device) > 0.95).float()
    trainer.model.train()
    settle(device)
    started = time.perf_counter()
    for _ in range(steps):
        with torch.autocast(device.type, trainer.dtype, enabled=trainer.dtype is not None):
            logits = trainer.model(images)
        trainer.scaler.scale(trainer.loss(logits, masks)).backward()
        trainer.scaler.step(trainer.optimizer)
        trainer.scaler.update()
        trainer.optimizer.zero_grad(set_to_none=True)
    settle(device)
    return steps * len(images) / (time.perf_counter() - started)


def run_trial(trainer: Trainer, epochs: int, folder: Path) -> tuple[float, float]:
    """A whole trial with the trainer's overrides: images per second, and mean seconds spent on recording an epoch."""
    fixed = Overrides.parse(trainer.overrides).plus([f"training.epochs={epochs}"])
    process = TrialProcess(TrialPlan(folder, fixed, "val/iou_best", rungs=(epochs,)))
    started = time.perf_counter()
    process.take({"trial": "t0000-speed", "params": {}, "attempt": 1, "beside": 1, "reported_epochs": 0})
    results = [process.step()]
    while not results[-1]["finished"]:
        results.append(process.step())
    process.release()
    seconds = time.perf_counter() - started
    recorded = [result["metrics"]["record_seconds"] for result in results[1:]]  # each tells of the epoch before it
    return epochs * len(trainer.train_loader.dataset) / seconds, fmean(recorded)


def settle(device: torch.device) -> None:
    """Wait until the device has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def compare(trainer: Trainer, rounds: int, epochs: int, folder: Path) -> dict[str, float]:
    """Medians over the rounds, after one epoch that is not counted."""
    if trainer.device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    epoch_speed(trainer)
    peak = torch.cuda.max_memory_reserved() / 2**20 if trainer.device.type == "cuda" else 0.0
    steps = len(trainer.train_loader)
    rows: list[tuple[float, float, float, float]] = []
    for number in range(rounds):
        alone, whole = step_speed(trainer, steps), epoch_speed(trainer)
        rows.append((alone, whole, *run_trial(trainer, epochs, folder / f"trials{number}")))
    alone, whole, trial, record = (median(column) for column in zip(*rows, strict=True))
    return {
        "step_alone": alone,
        "images_per_second": whole,
        "ratio": whole / alone,
        "trial_images_per_second": trial,
        "trial_ratio": trial / alone,
        "record_seconds": record,
        "peak_mib": peak,
    }


def line_of(found: dict[str, float], epochs: int) -> str:
    """What was found, as printed."""
    return (
        f"images/s: the step alone {found['step_alone']:.2f}, epochs {found['images_per_second']:.2f} "
        f"({found['ratio']:.3f}), trials of {epochs} epochs {found['trial_images_per_second']:.2f} "
        f"({found['trial_ratio']:.3f}); {found['record_seconds']:.3f} s to record an epoch, "
        f"peak {found['peak_mib']:.0f} MiB"
    )


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=512, help="height and width of the images in pixels")
    parser.add_argument("--batch", type=int, default=4)
    many = 400 if torch.cuda.is_available() else 24  # an epoch's start must not weigh more than its steps
    parser.add_argument("--images", type=int, default=many, help="images made; 70 of 100 are trained on")
    parser.add_argument("--epochs", type=int, default=5, help="epochs of a whole trial")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=user_path, help="write the figures there")
    options = parser.parse_args(argv)
    if options.epochs < 2:
        parser.error(
            f"--epochs={options.epochs}: must be at least 2, as each epoch tells how long the last was recorded"
        )
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_dataset(folder / "data", images=options.images, seed=0, size=options.size)
        for network, words in NETWORKS.items():
            overrides = overrides_of(folder, words, options.size, options.batch)
            trainer = Trainer(load_config(overrides), overrides)
            found = compare(trainer, options.rounds, options.epochs, folder / network)
            figures[network] = found
            where = f"{device_name(trainer.device)}, {trainer.dtype or torch.float32}"
            print(f"{network} ({where}, {torch.get_num_threads()} threads): {line_of(found, options.epochs)}")
            del trainer
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    sys.exit(run_command(main))
