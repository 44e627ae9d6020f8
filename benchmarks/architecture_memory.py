"""Peak memory of a training step of every architecture: predicted anywhere, and measured beside it.

    python -m benchmarks.architecture_memory --size 512 --batch 4 --batch 8 --json FILE
    python -m benchmarks.architecture_memory --size 128 --batch 2 --measure

On a graphics card the real ``Trainer`` is measured too. On a CPU ``--measure`` does so, in float32 and in real memory,
so for small sizes; its optimizer steps all weights at once, as on a card, which is what is predicted.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import torch
from torch.profiler import ProfilerActivity, profile

from src.config.compose import load_config
from src.config.keys import list_options
from src.folders import user_path
from src.models.device import MIB
from src.models.registry import build_model
from src.synthetic import write_dataset
from src.training.fake_step import step_as_on_a_card
from src.training.memory import needed, predict_peak
from src.training.trainer import Trainer

CARD_MIB = 8192 - 256 - 450
"""What torch may have of a card of 8 GiB, beside a desktop's small part and a CUDA context."""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=512, help="height and width in pixels")
    parser.add_argument("--batch", type=int, action="append", help="images a step; may be given several times")
    parser.add_argument("--only", nargs="*", help="architectures, if not all")
    parser.add_argument("--measure", action="store_true", help="measure on a CPU too")
    parser.add_argument("--json", type=user_path)
    options = parser.parse_args(argv)
    batches: list[int] = options.batch or [4]
    names = options.only or [option.partition("/")[2] for option in list_options("model")]
    rows = list[dict[str, Any]]()
    with TemporaryDirectory() as scratch:
        for name, batch in ((name, batch) for name in names for batch in batches):
            row = look_at(overrides_of(name, options.size, batch, Path(scratch)), options.measure)
            rows.append(row)
            print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
            if options.json:
                options.json.write_text(json.dumps(rows, indent=2))


def overrides_of(name: str, size: int, batch: int, scratch: Path) -> list[str]:
    """An architecture with its default encoder and decoder; data, cache and results are in ``scratch``."""
    return [
        f"model=architectures/{name}",
        "model.encoder.pretrained=false",
        f"data.image_size=[{size},{size}]",
        f"data.batch_size={batch}",
        "data.augmentation=none",
        f"data.root={scratch / f'data-{batch}'}",
        f"data.cache_dir={scratch / 'cache'}",
        f"output_root={scratch / 'outputs'}",
    ]


def look_at(overrides: list[str], measure: bool) -> dict[str, Any]:
    """One configuration: parameters in millions, MiB, and the seconds that the prediction took."""
    on_card = torch.cuda.is_available()
    if measure and not on_card:
        overrides = [*overrides, "training.mixed_precision=false"]
    config = load_config(overrides)
    started = time.perf_counter()
    peak = predict_peak(config)
    seconds = time.perf_counter() - started
    model, _ = build_model(config.model, config.data.image_size)
    row: dict[str, Any] = {
        "architecture": config.model.architecture,
        "encoder": config.model.encoder.name,
        "parameters_million": round(sum(item.numel() for item in model.parameters()) / 1e6, 1),
        "batch": config.data.batch_size,
        "predicted_mib": peak,
        "needed_mib": needed(peak),
        "fits_8gb": needed(peak) <= CARD_MIB,
        "seconds": round(seconds, 1),
    }
    if on_card:
        row |= measured_on_card(overrides)
    elif measure:
        real = measured_on_cpu(overrides)
        row |= {"measured_mib": round(real, 1), "predicted_by_measured": round(peak / real, 3)}
    return row


def trainer_of(overrides: list[str], steps: int) -> Trainer:
    """A real training with so many steps an epoch, on synthetic cracks."""
    config = load_config(overrides)
    if not config.data.root.is_dir():
        images = max(20, 20 * steps * config.data.batch_size // 14 + 20)  # of 20 images 14 are for training
        write_dataset(config.data.root, images=images, seed=1, size=max(config.data.image_size))
    return Trainer(config, overrides)


def measured_on_cpu(overrides: list[str]) -> float:
    """MiB that tensors held at most in an epoch of two or more steps, as torch's profiler saw them come and go."""
    trainer_of([*overrides, "device=cpu"], steps=2)  # so that neither drawing nor decoding is measured
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        trainer = trainer_of([*overrides, "device=cpu"], steps=2)
        step_as_on_a_card(trainer.optimizer)
        trainer.train_epoch()
    with TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(trace))
        events = cast(list[dict[str, Any]], json.loads(trace.read_text())["traceEvents"])
    seen = [event for event in events if event["name"] == "[memory]"]
    seen.sort(key=lambda event: event["ts"])
    changes = [event["args"] for event in seen]
    before = changes[0]["Total Allocated"] - changes[0]["Bytes"]  # of whatever else this process holds
    return (max(change["Total Allocated"] for change in changes) - before) / MIB


def measured_on_card(overrides: list[str]) -> dict[str, float]:
    """MiB that tensors held and torch reserved at most, cuDNN's search included, and images a second of an epoch."""
    trainer = trainer_of([*overrides, "device=cuda"], steps=20)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    trainer.train_epoch()  # the search is in the first
    report = trainer.train_epoch()
    found = {
        "allocated_mib": torch.cuda.max_memory_allocated() / MIB,
        "reserved_mib": torch.cuda.max_memory_reserved() / MIB,
        "images_per_second": report.metrics["images_per_second"],
    }
    return {key: round(value, 1) for key, value in found.items()}


if __name__ == "__main__":
    main(sys.argv[1:])
