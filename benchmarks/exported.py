"""Exported networks of all architectures: ``python -m benchmarks.exported PHOTOGRAPHS``.

Each architecture with its default encoder and random weights, exported as ONNX as ``python -m src.export`` does it. On
the photographs: the largest difference of a probability. Beside it the milliseconds of a tile, and those of torch, both
on one thread of this CPU, the median of ``TIMES`` after a first one.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from src.config.compose import load_config
from src.data.files import list_images
from src.errors import Parser, UserError, run_command
from src.export import compare
from src.exporting.formats import Exported, Run, write_onnx
from src.folders import user_path
from src.models.micro_batch import MicroBatch
from src.models.registry import ARCHITECTURES, build_model
from src.scoring.inference import Network

TIMES, BATCHES = 9, 3


def main(argv: list[str]) -> None:
    options = parse(argv)
    torch.set_num_threads(1)
    photographs = list_images(options.photographs)[: options.count]
    table = Table(
        "architecture", "encoder", "sizes", "largest difference", "MiB", "ms, onnxruntime", "ms, torch", box=None
    )
    for name in ARCHITECTURES:
        words = [
            f"model=architectures/{name}",
            "model.encoder.pretrained=false",
            f"data.image_size=[{options.size},{options.size}]",
        ]
        network = untrained(words)
        encoder = network.config.model.encoder.name
        with tempfile.TemporaryDirectory() as folder:
            try:
                exported = write_onnx(network.model, network.config.data.image_size, Path(folder))
            except UserError as error:
                table.add_row(name, encoder, str(error))
                continue
            size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 2**20
            difference, _ = compare(network, exported, photographs)
        times = timed(network, exported, options.size)
        sizes = "multiples of 32" if exported.any_size else "one"
        table.add_row(name, encoder, sizes, f"{difference:.1e}", f"{size:.0f}", *(f"{one:.0f}" for one in times))
    Console(width=140).print(table)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser(prog="python -m benchmarks.exported")
    add = parser.add_argument
    add("photographs", type=user_path, help="a folder of photographs")
    add("--count", type=int, default=4)
    add("--size", type=int, default=256, help="pixels of a tile's side")
    return parser.parse_args(argv)


def untrained(words: list[str]) -> Network:
    """A network as ``load_network`` gives it, with random weights; batch norm has seen noise, or logits were huge."""
    config = load_config(words)
    torch.manual_seed(0)
    model, _ = build_model(config.model, config.data.image_size)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean of all batches
    with torch.no_grad():
        for _ in range(BATCHES):
            model.train()(torch.randn(4, 3, *config.data.image_size))
    return Network(
        checkpoint=Path(),
        config=config,
        model=model.eval(),
        device=torch.device("cpu"),
        dtype=None,
        epoch=0,
        threshold=0.5,
        scale=(1.0, 1.0),
        micro_batch=MicroBatch(1, 1),
    )


@torch.inference_mode()
def timed(network: Network, exported: Exported, size: int) -> tuple[float, float]:
    """Milliseconds of one tile: exported, and by torch."""
    images = torch.rand(1, 3, size, size)

    def milliseconds(run: Run) -> float:
        found: list[float] = []
        for _ in range(1 + TIMES):
            began = time.perf_counter()
            run(images)
            found.append(1000 * (time.perf_counter() - began))
        return median(found[1:])

    return milliseconds(exported.run), milliseconds(network.model)


if __name__ == "__main__":
    sys.exit(run_command(main))
