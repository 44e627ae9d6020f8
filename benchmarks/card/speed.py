"""Sections speed and packing: how much of the card a training uses, alone and beside others."""

import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from statistics import median

import torch
from torch import Tensor

from benchmarks.card.bench import Bench, Size, finish, first_batch, train_step
from benchmarks.card.neighbour import Neighbour
from benchmarks.card.place import Place
from benchmarks.training_speed import step_speed
from src.scoring.inference import to_network
from src.scoring.metrics import BINS, probability_histogram
from src.training.experiment import Experiment
from src.training.trainer import Trainer

CASES: dict[str, tuple[list[str], Size]] = {
    "unet_512_b4": ([], Size(512, 4, "large")),
    "unet_512_b8": (["data.augmentation=default"], Size(512, 8, "large")),
    "swin_unet_512_b4": (["model=architectures/swin_unet"], Size(512, 4, "large")),
    "unet_512_b8_bce": (["training.loss=bce"], Size(512, 8, "large")),
    "unet_128_b8": ([], Size(128, 8, "large")),
    "unet_512_b4_strong": (["data.augmentation=strong"], Size(512, 4, "large")),
}
PACKED = {"unet_128_b8": Size(128, 8, "large"), "unet_512_b4": Size(512, 4, "large")}
COUNTS = (1, 2, 4)
SECONDS = 3.0  # that neighbours train side by side
TRIAL, TRIAL_EPOCHS = "unet_512_b4", 6


def speed(place: Place) -> None:
    """Whole epochs beside the bare step; the whole trial with its checkpoints; the validation's histogram."""
    bench = Bench(**vars(place))
    bench.cap(bench.memory_gib)
    for name, (words, size) in CASES.items():
        bench.attempt(name, partial(compare_epochs, bench, name, words, size))
        if name == TRIAL:
            bench.attempt("trial", partial(whole_trial, bench, words, size))
    bench.attempt("profile", partial(profile_step, bench))
    bench.attempt("histogram", partial(compare_histograms, bench))


def compare_epochs(bench: Bench, name: str, words: list[str], size: Size) -> None:
    """Medians over three rounds in turn."""
    trainer = bench.trainer(words, size)
    started = time.perf_counter()
    trainer.train_epoch()
    first = time.perf_counter() - started
    epochs, alone, seconds, starts = list[float](), list[float](), list[float](), list[float]()
    for _ in range(1 if bench.dry else 3):
        started = time.perf_counter()
        metrics = trainer.train_epoch(partial(note_start, starts, started)).metrics
        epochs.append(metrics["images_per_second"])
        seconds.append(metrics["epoch_seconds"])
        alone.append(step_speed(trainer, 2 if bench.dry else 40))
    bench.note(f"{name}.images_per_second", median(epochs))
    bench.note(f"{name}.step_alone", median(alone))
    bench.note(f"{name}.ratio", median(epochs) / median(alone))
    bench.note(f"{name}.epoch_seconds", median(seconds))
    bench.note(f"{name}.loader_alone", loader_speed(trainer))
    bench.note(f"{name}.first_step_after_seconds", median(starts))
    bench.note(f"{name}.first_epoch_surplus_seconds", first - median(seconds))
    bench.note(f"{name}.micro_batch", trainer.micro_batch.size)
    if name == TRIAL:
        trainer.optimizer = torch.optim.AdamW(trainer.model.parameters(), lr=1e-4)
        bench.note(f"{name}.step_alone_without_fused_adamw", step_speed(trainer, 2 if bench.dry else 40))


def loader_speed(trainer: Trainer) -> float:
    """Images a second of an epoch that is loaded and not trained on."""
    started = time.perf_counter()
    images = sum(len(images) for images, _ in trainer.train_loader.epoch(trainer.epoch))
    return images / (time.perf_counter() - started)


def note_start(starts: list[float], started: float, done: int, _: int) -> None:
    """Keep how long an epoch took to begin: its first images must be loaded before anything can be trained."""
    if done == 1:
        starts.append(time.perf_counter() - started)


def whole_trial(bench: Bench, words: list[str], size: Size) -> None:
    """Images trained by the wall clock of a trial, with validation, checkpoints and pictures, beside the bare step."""
    epochs = 2 if bench.dry else TRIAL_EPOCHS
    trainer = bench.trainer([*words, f"training.epochs={epochs}"], size)
    experiment = Experiment(bench.work / "outputs" / "trial", trainer.config, trainer.overrides)
    experiment.describe(trainer)
    images, record = len(trainer.train_loader.dataset), list[float]()
    started = after_first = time.perf_counter()
    for epoch in range(epochs):
        report = trainer.train_epoch()
        before = time.perf_counter()
        experiment.record(report, trainer)
        record.append(time.perf_counter() - before)
        if epoch == 0:
            after_first = time.perf_counter()
    experiment.close()
    ended = time.perf_counter()
    alone = step_speed(trainer, 2 if bench.dry else 40)
    bench.note("trial.ratio", epochs * images / (ended - started) / alone)
    bench.note("trial.ratio_after_first_epoch", (epochs - 1) * images / (ended - after_first) / alone)
    bench.note("trial.record_seconds", median(record))
    bench.note("trial.record_seconds_at_most", max(record))
    parts: dict[str, Callable[[], object]] = {
        "snapshot": trainer.snapshot,
        "save": partial(trainer.save, bench.work / "saved.pth"),
    }
    for name, part in parts.items():
        bench.note(f"trial.{name}_seconds", milliseconds(part, 2) / 1000)


def profile_step(bench: Bench) -> None:
    """Milliseconds of a step: what its phases take the CPU, and the card's own work. The larger sum is the limit."""
    trainer = bench.trainer(*CASES[TRIAL])
    trainer.model.train()
    batch = first_batch(trainer)
    train_step(trainer, batch)
    steps = 2 if bench.dry else 30
    found = [phases(trainer, batch) for _ in range(steps)]
    for name in found[0]:
        bench.note(f"profile.{name}_ms", 1000 * median(step[name] for step in found))
    if not torch.cuda.is_available():
        return
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        for _ in range(steps):
            train_step(trainer, batch)
        finish()
    events = [event for event in profiler.key_averages() if event.device_type.name == "CUDA"]
    bench.note("profile.card_ms", sum(event.self_device_time_total for event in events) / steps / 1000)
    bench.note("profile.launches", sum(event.count for event in events) / steps)


def phases(trainer: Trainer, batch: tuple[Tensor, Tensor]) -> dict[str, float]:
    """Seconds until the CPU has told the card to do each phase of a step."""
    inputs, masks = to_network(*batch, trainer.config.data, trainer.model)
    finish()
    times = {"": time.perf_counter()}
    with torch.autocast(trainer.device.type, trainer.dtype, enabled=trainer.dtype is not None):
        logits = trainer.model(inputs)
    times["forward"] = time.perf_counter()
    loss = trainer.loss(logits, masks)
    times["loss"] = time.perf_counter()
    loss.backward()
    times["backward"] = time.perf_counter()
    trainer.optimizer.step()
    trainer.optimizer.zero_grad(set_to_none=True)
    times["update"] = time.perf_counter()
    finish()
    return {name: times[name] - times[before] for before, name in pairwise(times)}


def compare_histograms(bench: Bench) -> None:
    """Milliseconds of a validation batch's histogram, by torch.bincount and by adding ones."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    probs = torch.rand(8, 1, 512, 512, device=device)
    masks = (torch.rand_like(probs) > 0.95).float()
    assert torch.equal(probability_histogram(probs, masks), scatter_histogram(probs, masks))
    bench.note(
        "histogram.bincount_ms", milliseconds(lambda: probability_histogram(probs, masks), 2 if bench.dry else 50)
    )
    bench.note(
        "histogram.scatter_add_ms", milliseconds(lambda: scatter_histogram(probs, masks), 2 if bench.dry else 50)
    )


def scatter_histogram(probs: Tensor, masks: Tensor) -> Tensor:
    """What ``probability_histogram`` counts, without a wait for the card."""
    bins = (probs.float() * BINS).long().clamp_(0, BINS - 1)
    image = torch.arange(len(probs), device=probs.device).view(-1, 1, 1, 1)
    flat = (bins + BINS * (masks.long() + 2 * image)).flatten()
    counts = torch.zeros(len(probs) * 2 * BINS, dtype=torch.int64, device=probs.device)
    return counts.scatter_add_(0, flat, torch.ones_like(flat)).view(len(probs), 2, BINS)


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """The mean, after one time that is not counted."""
    work()
    finish()
    started = time.perf_counter()
    for _ in range(repeats):
        work()
    finish()
    return (time.perf_counter() - started) / repeats * 1000


def packing(place: Place) -> None:
    """Images a second in sum of one, two and four trainings side by side, each with its share of the card's memory."""
    bench = Bench(**vars(place))
    for name, size in PACKED.items():
        bench.attempt(name, partial(pack, bench, name, size))


def pack(bench: Bench, name: str, size: Size) -> None:
    """Trainings of one size, of which more and more run at once."""
    counts = (1, 2) if bench.dry else COUNTS
    bench.overrides(size)  # draws the data, before several would
    neighbours = [Neighbour(bench, size, bench.memory_gib / counts[-1], workers=2) for _ in range(counts[-1])]
    try:
        for neighbour in neighbours:  # one that starts takes cores from those that are measured
            neighbour.wait_until_ready()
        alone = None
        for count in counts:
            found = side_by_side(neighbours[:count], 0.5 if bench.dry else SECONDS)
            total = sum(images for images, _ in found)
            alone = alone or total
            bench.note(f"{name}.x{count}.images_per_second", total)
            bench.note(f"{name}.x{count}.gain", total / alone)
            bench.note(f"{name}.x{count}.halved", [size for _, size in found if size < neighbours[0].size.batch])
    finally:
        for neighbour in neighbours:
            neighbour.end()


def side_by_side(neighbours: list[Neighbour], seconds: float) -> list[tuple[float, int]]:
    """Images a second and the micro-batch of each."""
    for neighbour in neighbours:
        neighbour.go(seconds)
    return [neighbour.answer() for neighbour in neighbours]
