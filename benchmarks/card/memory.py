"""Sections heal and memory: what happens when the card is full, and how much each architecture needs."""

import json
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.card.bench import (
    MIB,
    Bench,
    Size,
    card_mib,
    clear,
    finish,
    first_batch,
    one_line,
    train_step,
)
from benchmarks.card.place import Place
from src.config.keys import list_options
from src.training.memory import needed
from src.training.trainer import Trainer

PREDICTED = Path(__file__).with_name("predicted.json")
"""MiB of a training at 512 px, batch 4, by ``python -m benchmarks.architecture_memory`` on a CPU."""
FULL = 32  # images of a batch that a small card cannot hold
CASES: dict[str, tuple[list[str], int, float]] = {
    "unet": ([], FULL, 2.0),
    "accumulated": (["training.gradient_accumulation_steps=2"], FULL // 2, 2.0),
    "swin_unet": (["model=architectures/swin_unet"], FULL, 3.0),
    "fp16": (["training.mixed_precision=fp16"], FULL, 2.0),
    "averaged": (["training.ema_decay=0.99"], FULL, 2.0),
    "dpt": (["model=architectures/dpt"], 8, math.inf),
    "compiled": (["training.compile=true", "model.encoder=resnet18"], FULL, 4.0),
}
"""Overrides, batch and GiB that torch may use; at most the card that is meant."""


def heal(place: Place) -> None:
    """Batches that do not fit: is each halved until it does, which errors come, and is everything given back?"""
    bench = Bench(**vars(place))
    for name, (words, batch, gib) in CASES.items():
        if bench.dry and name == "compiled":  # minutes on a CPU
            continue
        bench.cap(min(gib, bench.memory_gib))
        done = bench.attempt(name, partial(fill_card, bench, name, words, batch))
        if done and torch.cuda.is_available():
            bench.note(f"{name}.left_mib", torch.cuda.memory_allocated() / MIB)


def fill_card(bench: Bench, name: str, words: list[str], batch: int) -> None:
    """Three steps: the micro-batch after them, the last loss, and each error that it survived."""
    seen: list[str] = []
    trainer = bench.trainer([*words, "data.num_workers=0"], Size(512, batch, "large"))
    original = trainer.micro_batch.run

    def watched(work: Callable[[int], Any], undo: Callable[[], None] | None = None) -> Any:
        def attempt(size: int) -> Any:
            try:
                return work(size)
            except RuntimeError as error:  # cuDNN and cuBLAS have their own words for a full card
                seen.append(f"{size}: {one_line(error)}")
                bench.note(f"{name}.errors", seen)
                raise

        return original(attempt, undo)

    images = first_batch(trainer)
    loss = math.nan
    with patch.object(trainer.micro_batch, "run", watched):
        for _ in range(3):
            loss = float(train_step(trainer, images))
    bench.note(f"{name}.micro_batch", trainer.micro_batch.size)
    bench.note(f"{name}.loss", loss)


def memory(place: Place) -> None:
    """Each architecture's most memory beside its prediction, with cuDNN's search for fast algorithms and without."""
    bench = Bench(**vars(place))
    bench.cap(bench.memory_gib)
    predicted = predictions()
    for option in list_options("model")[: 2 if bench.dry else None]:
        name = option.partition("/")[2]
        bench.attempt(name, partial(measure, bench, name, predicted[option]))


def measure(bench: Bench, name: str, predicted: int) -> None:
    """What a training of one architecture needs beside its prediction."""
    trainer = bench.trainer([f"model=architectures/{name}", "data.num_workers=0"], Size(512, 4, "large"))
    reserved = 0.0
    for kind in ("plain", "search"):  # what torch loads once must not count as the search's time
        seconds, reserved, allocated = two_steps(trainer, kind == "search")
        bench.note(f"{name}.first_steps_{kind}_seconds", seconds)
        bench.note(f"{name}.reserved_{kind}_mib", reserved)
        bench.note(f"{name}.allocated_{kind}_mib", allocated)
        bench.note(f"{name}.card_{kind}_mib", card_mib())
    bench.note(f"{name}.predicted_mib", predicted)
    bench.note(f"{name}.above_bound_mib", reserved - needed(predicted))
    bench.note(f"{name}.micro_batch", trainer.micro_batch.size)


def predictions() -> dict[str, int]:
    """Predicted MiB of each option of ``model``."""
    return json.loads(PREDICTED.read_text())


def two_steps(trainer: Trainer, search: bool) -> tuple[float, float, float]:
    """Seconds of two steps, and the most MiB that torch reserved and that tensors held."""
    torch.backends.cudnn.benchmark = search
    batch = first_batch(trainer)
    clear()
    started = time.perf_counter()
    for _ in range(2):
        train_step(trainer, batch)
    finish()
    seconds = time.perf_counter() - started
    if not torch.cuda.is_available():
        return seconds, 0.0, 0.0
    return seconds, torch.cuda.max_memory_reserved() / MIB, torch.cuda.max_memory_allocated() / MIB
