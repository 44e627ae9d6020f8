"""Sections numbers, deterministic and scores: does the card compute what the CPU computes, and the same twice?"""

import math
import warnings
from functools import partial
from statistics import mean
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.card.bench import (
    TINY,
    Bench,
    Size,
    clear,
    finish,
    first_batch,
    flat,
    one_line,
    train_step,
    weights,
)
from benchmarks.card.place import Place
from src.cards import look
from src.config.keys import list_options
from src.models.registry import ARCHITECTURES
from src.scoring.evaluate import evaluate
from src.scoring.inference import load_network
from src.training.trainer import Trainer

SMALL = Size(128, 8)
RESNET = "model.encoder=resnet18"
PRECISIONS = {"float32": "false", "bf16": "bf16", "fp16": "fp16"}
WAIT = "called a synchronizing"  # of torch's warning where the CPU waits for the card


def numbers(place: Place) -> None:
    """A step's loss and gradient beside the CPU's, how well each precision learns, and how often a step waits."""
    bench = Bench(**vars(place))
    if torch.cuda.is_available():
        bench.note("context_mib", look(0).context_mib)  # before anything else takes a context
    parts = {"steps": compare_steps, "learning": compare_learning}
    for name, part in (parts | ({"waits": count_waits} if torch.cuda.is_available() else {})).items():
        bench.attempt(name, partial(part, bench))


def compare_steps(bench: Bench) -> None:
    """Errors of the first step relative to float32 on the CPU; the card's float32 is without TF32 here."""
    here = [RESNET, "data.num_workers=0"]
    expected, reference = one_step(bench.trainer(["device=cpu", "training.mixed_precision=false", *here], SMALL))
    for name, precision in PRECISIONS.items():
        loss, gradient = one_step(bench.trainer([f"training.mixed_precision={precision}", *here], SMALL))
        bench.note(f"loss_error.{name}", abs(loss - expected) / abs(expected))
        bench.note(f"gradient_error.{name}", float((gradient - reference).norm() / reference.norm()))


def one_step(trainer: Trainer) -> tuple[float, Tensor]:
    """Loss and gradient of the first batch; the optimizer leaves both weights and gradient as they are."""
    optimizer = trainer.optimizer
    with patch.object(optimizer, "step", nothing), patch.object(optimizer, "zero_grad", nothing):
        loss = float(train_step(trainer, first_batch(trainer)))
    return loss, flat([item.grad for item in trainer.model.parameters() if item.grad is not None])


def nothing(*_: object, **__: object) -> None:
    """In place of what an optimizer does."""


def compare_learning(bench: Bench) -> None:
    """The best validation IoU after some epochs, the mean of two seeds, and what the others lose to float32."""
    means: dict[str, float] = {}
    for name, precision in PRECISIONS.items():
        found = [best_iou(bench, precision, seed) for seed in (0, 1)]
        means[name] = mean(found)
        bench.note(f"iou.{name}", means[name])
        if name == "float32":
            bench.note("iou_between_seeds", abs(found[0] - found[1]))
        else:
            bench.note(f"iou_below_float32.{name}", means["float32"] - means[name])


def best_iou(bench: Bench, precision: str, seed: int) -> float:
    epochs = 2 if bench.dry else 10
    words = [f"training.mixed_precision={precision}", f"training.epochs={epochs}", f"seed={seed}", RESNET]
    trainer = bench.trainer([*words, "data.num_workers=2"], SMALL)
    return max(trainer.train_epoch().metrics["val/iou_best"] for _ in range(epochs))


def count_waits(bench: Bench) -> None:
    """How often a step waits for the card, before a checkpoint is loaded and after."""
    trainer = bench.trainer(["data.num_workers=2"], SMALL)
    trainer.train_epoch()
    bench.note("waits_a_step", waits(trainer))
    path = bench.work / "resumed.pth"
    trainer.save(path)
    trainer.load(path)
    bench.note("waits_a_step.resumed", waits(trainer))
    counters = {state["step"].device.type for state in trainer.optimizer.state.values()}
    bench.note("step_counters_on", sorted(counters))


def waits(trainer: Trainer) -> int:
    batch = first_batch(trainer)
    finish()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        train_step(trainer, batch)
        torch.cuda.set_sync_debug_mode("default")
    return sum(WAIT in str(warning.message) for warning in seen)


def deterministic(place: Place) -> None:
    """The same training twice, and once interrupted: equal bit for bit? Which architectures and losses are refused?"""
    bench = Bench(**vars(place))
    bench.attempt("same", partial(compare_repeated, bench))
    bench.attempt("refused", partial(compare_refused, bench))


def compare_repeated(bench: Bench) -> None:
    first, again, resumed = (train_deterministic(bench, stop) for stop in (3, 3, 2))
    bench.note("same_twice", torch.equal(first, again))
    bench.note("same_resumed", torch.equal(first, resumed))


def compare_refused(bench: Bench) -> None:
    """What torch refuses in deterministic mode, beside what the project says that it refuses."""
    options = [f"model={option}" for option in list_options("model")]
    options += [f"training.loss={option}" for option in list_options("training.loss")]
    refused, listed = list[str](), list[str]()
    for option in options[:2] + options[-2:] if bench.dry else options:
        tiny = () if option.startswith("model=") else TINY
        trainer = bench.trainer([option, *tiny, "data.num_workers=0"], SMALL)
        listed += [option] if is_listed(trainer) else []
        refused += [option] if is_refused(trainer) else []
        bench.note("refused", refused)
    bench.note("refused_but_not_listed", sorted(set(refused) - set(listed)))
    bench.note("listed_but_not_refused", sorted(set(listed) - set(refused)))


def train_deterministic(bench: Bench, stop: int) -> Tensor:
    """The weights after three epochs; after ``stop`` of them the training is saved, and gone on with by another."""
    words = ["training.deterministic=true", "training.epochs=3", "training.ema_decay=0.99", RESNET]
    trainer = bench.trainer([*words, "data.num_workers=2"], SMALL)
    for _ in range(stop):
        trainer.train_epoch()
    if stop < 3:
        path = bench.work / "interrupted.pth"
        trainer.save(path)
        trainer = bench.trainer([*words, "data.num_workers=2"], SMALL)
        trainer.load(path)
    while trainer.epoch < 3:
        trainer.train_epoch()
    return weights(trainer.model)


def is_listed(trainer: Trainer) -> bool:
    """Whether the project itself refuses this configuration in deterministic mode on a card."""
    return not ARCHITECTURES[trainer.config.model.architecture].deterministic_on_cuda


def is_refused(trainer: Trainer) -> bool:
    """Whether torch refuses a step in deterministic mode."""
    torch.use_deterministic_algorithms(True)
    try:
        train_step(trainer, first_batch(trainer))
        finish()
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        print(one_line(error))
        return True
    finally:
        torch.use_deterministic_algorithms(False)
    return False


def scores(place: Place) -> None:
    """One checkpoint scored on the CPU and on the card: the largest difference of a metric."""
    bench = Bench(**vars(place))
    epochs = 1 if bench.dry else 6
    trainer = bench.trainer([f"training.epochs={epochs}", RESNET], Size(96, 8))
    for _ in range(epochs):
        trainer.train_epoch()
    path = bench.work / "scored" / "checkpoints" / "best_model.pth"
    path.parent.mkdir(parents=True)
    trainer.save(path)
    del trainer
    clear()
    for resolution in ("image_size", "native"):
        words = [f"evaluation.resolution={resolution}", "evaluation.metrics=[iou,f1,ap,f1_2px]"]
        float32 = [*words, "training.mixed_precision=false"]
        expected = evaluate(load_network(path, [*float32, "device=cpu"])).metrics
        found = {
            "float32": evaluate(load_network(path, float32)).metrics,
            "auto": evaluate(load_network(path, words)).metrics,
        }
        for name, metrics in found.items():
            largest = max(abs(metrics[key] - value) for key, value in expected.items() if not math.isnan(value))
            bench.note(f"difference.{name}.{resolution}", largest)
