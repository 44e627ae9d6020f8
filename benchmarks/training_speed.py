"""Training speed beside its own ceiling: ``python -m benchmarks.training_speed [--size 512] [--json FILE]``.

Images per second of whole training epochs (loading, augmenting, moving, stepping, counting) and of nothing but the
step: forward, backward and optimizer on one random batch that lies on the device already, with the same network,
precision and batch. The two take turns; the ratio of their medians is how much of the device the training uses.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from src.config.compose import load_config
from src.errors import run_command
from src.folders import user_path
from src.models.device import choose_layout
from src.synthetic import write_dataset
from src.training.experiment import device_name
from src.training.trainer import Trainer

NETWORKS = {
    "unet resnet34": ["model=architectures/unet"],
    "swin_unet": ["model=architectures/swin_unet"],
}


def build_trainer(folder: Path, network: list[str], size: int, batch: int) -> Trainer:
    overrides = [
        *network,
        f"data.root={folder / 'data'}",
        f"output_root={folder / 'outputs'}",
        f"data.image_size=[{size},{size}]",
        f"data.batch_size={batch}",
        "model.encoder.pretrained=false",
    ]
    return Trainer(load_config(overrides), overrides)


def epoch_speed(trainer: Trainer) -> float:
    """Images per second of one training epoch, validation aside."""
    return trainer.train_epoch().metrics["images_per_second"]


def step_speed(trainer: Trainer, steps: int) -> float:
    """Images per second of forward, backward and optimizer on one batch, and nothing else."""
    size, device = trainer.config.data.image_size, trainer.device
    images = torch.randn(trainer.config.data.batch_size, 3, *size, device=device)
    images = images.to(memory_format=choose_layout(trainer.config.model, device))
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


def settle(device: torch.device) -> None:
    """Wait until the device has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def compare(trainer: Trainer, rounds: int) -> dict[str, float]:
    """Medians over the rounds, after one epoch that is not counted."""
    if trainer.device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    epoch_speed(trainer)
    steps = len(trainer.train_loader)
    pairs = [(epoch_speed(trainer), step_speed(trainer, steps)) for _ in range(rounds)]
    epochs, alone = (median(speeds) for speeds in zip(*pairs, strict=True))
    peak = torch.cuda.max_memory_reserved() / 2**20 if trainer.device.type == "cuda" else 0.0
    return {"images_per_second": epochs, "step_alone": alone, "ratio": epochs / alone, "peak_mib": peak}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=512, help="height and width of the images in pixels")
    parser.add_argument("--batch", type=int, default=4)
    many = 400 if torch.cuda.is_available() else 24  # an epoch's start must not weigh more than its steps
    parser.add_argument("--images", type=int, default=many, help="images made; 70 of 100 are trained on")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=user_path, help="write the figures there")
    options = parser.parse_args(argv)
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(Path(folder) / "data", images=options.images, seed=0, size=options.size)
        for name, network in NETWORKS.items():
            trainer = build_trainer(Path(folder), network, options.size, options.batch)
            found = figures[name] = compare(trainer, options.rounds)
            where = (
                f"{device_name(trainer.device)}, {trainer.dtype or torch.float32}, {torch.get_num_threads()} threads"
            )
            print(
                f"{name:14} {found['images_per_second']:7.2f} images/s, the step alone {found['step_alone']:7.2f}, "
                f"ratio {found['ratio']:.3f}, peak {found['peak_mib']:.0f} MiB ({where})"
            )
            del trainer
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    sys.exit(run_command(main))
