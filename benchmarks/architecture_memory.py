"""Parameters and peak memory of a training step of every architecture: predicted anywhere, measured on a graphics card.

    python -m benchmarks.architecture_memory --size 512 --batch 4 --json FILE

The prediction runs two steps (forward, backward, AdamW) on tensors that have a shape and no content: torch's
``MemTracker`` under ``FakeTensorMode``, bfloat16 autocast. It knows neither cuDNN's workspaces nor the allocator's
rounding, so a card holds somewhat more.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker

from src.config import list_options, load_config
from src.losses import build_loss
from src.models.registry import build_model
from src.optimization import build_optimizer

MIB = 2**20
TIMED_STEPS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=512, help="height and width in pixels")
    parser.add_argument("--batch", type=int, default=4, help="images a step")
    parser.add_argument("--only", nargs="*", help="architectures, if not all")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    names = options.only or [option.partition("/")[2] for option in list_options("model")]
    rows = list[dict[str, Any]]()
    for name in names:
        row = look_at(name, options.size, options.batch)
        rows.append(row)
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=2))


def look_at(name: str, size: int, batch: int) -> dict[str, Any]:
    """One architecture with its default encoder: parameters in millions, peak in MiB, seconds that the look took."""
    started = time.perf_counter()
    overrides = [f"model=architectures/{name}", f"data.image_size=[{size},{size}]", "model.encoder.pretrained=false"]
    config = load_config(overrides)
    model, _ = build_model(config.model, config.data.image_size)
    loss = build_loss(config.training.loss)
    parameters = sum(item.numel() for item in model.parameters())
    row: dict[str, Any] = {"architecture": name, "encoder": config.model.encoder.name}
    row["parameters_million"] = round(parameters / 1e6, 1)
    if torch.cuda.is_available():
        row |= measure(model, loss, lambda: build_optimizer(model, config.training), size, batch)
    row["predicted_peak_mib"] = predict(model, loss, lambda: build_optimizer(model, config.training), size, batch)
    return row | {"seconds": round(time.perf_counter() - started, 1)}


def predict(
    model: nn.Module, loss: nn.Module, optimizer: Callable[[], torch.optim.Optimizer], size: int, batch: int
) -> int:
    """MiB at the peak of the second step, by tensors without content."""
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = model.to_empty(device="cpu").train()
        images = torch.randn(batch, 3, size, size)
        masks = torch.randint(0, 2, (batch, 1, size, size)).float()
        steps = optimizer()
        tracker = MemTracker()
        tracker.track_external(model, steps, images, masks)
        with tracker:
            for number in range(2):
                if number:
                    tracker.reset_mod_stats()
                step(model, loss, steps, images, masks)
        peak = tracker.get_tracker_snapshot("peak")
    (device,) = peak.values()
    return round(device["Total"] / MIB)


def measure(
    model: nn.Module, loss: nn.Module, optimizer: Callable[[], torch.optim.Optimizer], size: int, batch: int
) -> dict[str, float]:
    """MiB that torch reserved at most, and images a second, of real steps on the graphics card."""
    model, loss = model.cuda().train(), loss.cuda()
    images = torch.randn(batch, 3, size, size, device="cuda").contiguous(memory_format=torch.channels_last)
    masks = torch.randint(0, 2, (batch, 1, size, size), device="cuda").float()
    steps = optimizer()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    for number in range(TIMED_STEPS + 5):
        if number == 5:
            torch.cuda.synchronize()
            started = time.perf_counter()
        step(model, loss, steps, images, masks)
    torch.cuda.synchronize()
    seconds = time.perf_counter() - started  # pyright: ignore[reportPossiblyUnboundVariable]
    peak = torch.cuda.max_memory_reserved() / MIB
    model.cpu()
    loss.cpu()
    return {"measured_peak_mib": round(peak), "images_per_second": round(batch * TIMED_STEPS / seconds, 1)}


def step(
    model: nn.Module, loss: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, masks: torch.Tensor
) -> None:
    """One training step in bfloat16 autocast."""
    with torch.autocast(images.device.type, torch.bfloat16):
        logits = model(images)
    loss(logits.float(), masks).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


if __name__ == "__main__":
    main()
