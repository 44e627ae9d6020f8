"""Made-up crack trainings: 12 keys, two of which are conditional, an optimum inside, slow starters, noise and failures.

The validation IoU, in per cent, of 27 epochs. Large encoders, small rates and augmentation start slowly. A training's
seed moves its score by 3 points (standard deviation) and every report has 1.5 points of noise: on real cracks it was 2
to 6 together. About 28 % of random points run out of memory or diverge. The shape is one opinion, not evidence.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from benchmarks.landscapes.landscape import Curves, Key
from sweeps.search.space import Params

DEVELOP, CHECK = tuple("012345"), ("6", "7", "8", "9", "10", "11")
ENCODERS = ("small", "resnet34", "resnet50", "effb3", "mit_b2")
LOSSES = ("bce", "dice", "focal", "tversky", "bce_dice")
SIZES = (192, 256, 384, 512)
MEMORY = dict(zip(ENCODERS, (1, 1.5, 2.5, 2.7, 3), strict=True))
"""Of an image of 256 px; 60 in all is what there is."""
SLOWNESS = dict(zip(ENCODERS, (0.7, 1.0, 1.3, 1.7, 2.0), strict=True))
SENSIBLE: Params = {
    "lr": 3e-4,
    "wd": 1e-4,
    "batch": 8,
    "size": 256,
    "encoder": "resnet34",
    "loss": "bce_dice",
    "optim": "adamw",
    "aug": 0.3,
    "decoder_dropout": 0.2,
}


class Optimum(NamedTuple):
    """What a task draws."""

    lr: Mapping[str, float]
    """Decadic logarithms, by optimizer."""
    wd: float
    aug: float
    dropout: float
    batch: float
    """Binary logarithm."""
    momentum: float
    gamma: float
    alpha: float
    gains: Mapping[str, Mapping[Any, float]]
    """Points of IoU of each choice, by key."""
    slope: float
    """Points of IoU that a factor of ten in the rate costs."""
    top: float
    rates: Mapping[str, float]
    """By how much the encoders' best rates differ."""


def optimum(task: int) -> Optimum:
    random = np.random.default_rng([991, task])
    lr = {"adamw": random.uniform(-3.6, -2.7), "sgd": random.uniform(-2.2, -1.5)}
    wd, aug, dropout = random.uniform(-4, -2), random.uniform(0.3, 0.7), random.uniform(0.1, 0.35)
    batch, momentum = random.uniform(2, 4), random.uniform(0.85, 0.93)
    gamma, alpha = random.uniform(1.5, 3), random.uniform(0.5, 0.75)
    encoder = dict(zip(ENCODERS, np.array([0, 3, 4, 5, 5]) + random.normal(0, 1.5, 5), strict=True))
    loss = dict(zip(LOSSES, np.array([0, 2, 0, 3, 3]) + random.normal(0, 1.5, 5), strict=True))
    optim = {"adamw": random.uniform(0, 2), "sgd": random.uniform(0, 2)}
    size = dict(zip(SIZES, np.array([-3, -1, 1.5, 2]) + random.normal(0, 0.5, 4), strict=True))
    slope, top = random.uniform(5, 9), random.uniform(55, 65)
    gains = {"encoder": encoder, "loss": loss, "optim": optim, "size": size}
    rates: dict[str, float] = dict(zip(ENCODERS, random.normal(0, 0.25, 5), strict=True))
    return Optimum(lr, wd, aug, dropout, batch, momentum, gamma, alpha, gains, slope, top, rates)


class MadeCracks:
    epochs, grace = 27, 2
    keys = (
        Key("lr", FloatDistribution(1e-5, 1e-1, log=True)),
        Key("wd", FloatDistribution(1e-6, 1e-1, log=True)),
        Key("batch", IntDistribution(2, 32, log=True)),
        Key("size", CategoricalDistribution(SIZES)),
        Key("encoder", CategoricalDistribution(ENCODERS)),
        Key("loss", CategoricalDistribution(LOSSES)),
        Key("gamma", FloatDistribution(0.5, 5.0), "loss", ("focal",)),
        Key("alpha", FloatDistribution(0.1, 0.9), "loss", ("tversky",)),
        Key("optim", CategoricalDistribution(("adamw", "sgd"))),
        Key("momentum", FloatDistribution(0.5, 0.99), "optim", ("sgd",)),
        Key("aug", FloatDistribution(0.0, 1.0)),
        Key("decoder_dropout", FloatDistribution(0.0, 0.6)),
    )

    def __init__(self, task: str, default: bool = False) -> None:
        """``task``: a number that draws the optimum. ``default``: whether a sensible default is known."""
        self.default: Params | None = SENSIBLE if default else None
        self.name = f"made_cracks {task}"
        self.optimum = optimum(int(task))

    def truths(self, points: Sequence[Params]) -> Curves:
        """IoU (points, epochs), in per cent."""
        return np.array([self._truth(point) for point in points])

    def values(self, point: Params, random: np.random.Generator) -> Curves:
        truth = self._truth(point)
        if not np.isfinite(truth[0]):
            return truth
        noise = 3 * random.normal() * truth / self.optimum.top + 1.5 * random.normal(size=self.epochs)
        values = np.maximum(truth + noise, 0)
        excess = self._rate_error(point) - 0.9
        if excess > 0 and random.random() < min(1, excess):
            values[int(random.integers(1, 8)) :] = np.nan
        return values

    def _truth(self, point: Mapping[str, Any]) -> Curves:
        if MEMORY[point["encoder"]] * point["batch"] * (point["size"] / 256) ** 2 > 60:
            return np.full(self.epochs, np.nan)
        error, epochs = self._rate_error(point), np.arange(1, self.epochs + 1)
        slow = (1 + point["aug"]) * (1 + 0.8 * point["decoder_dropout"])
        pace = 2.2 * SLOWNESS[point["encoder"]] * 10 ** (-0.35 * error) * slow
        way, whole = (1 - np.exp(-((last / pace) ** 0.9)) for last in (epochs, self.epochs))
        sag = 1 - 0.02 * np.maximum(epochs - 10, 0) * (error - 0.2) if error > 0.2 else 1.0
        return self._end(point, error) * way / max(whole, 0.35) * sag

    def _rate_error(self, point: Mapping[str, Any]) -> float:
        """Decades from the best rate of the optimizer, the encoder and the batch."""
        best = self.optimum.lr[point["optim"]] + self.optimum.rates[point["encoder"]]
        return float(np.log10(point["lr"]) - 0.5 * np.log10(point["batch"] / 8) - best)

    def _end(self, point: Mapping[str, Any], error: float) -> float:
        best = self.optimum
        score = best.top - best.slope * error**2 * (1 if error < 0 else 1.6)
        score -= 0.8 * (np.log10(point["wd"]) - best.wd) ** 2 + 12 * (point["aug"] - best.aug) ** 2
        score -= 12 * (point["decoder_dropout"] - best.dropout) ** 2 + 0.7 * (np.log2(point["batch"]) - best.batch) ** 2
        score += sum(gains[point[key]] for key, gains in best.gains.items())
        if point["loss"] == "focal":
            score -= 1.5 * (point["gamma"] - best.gamma) ** 2 - 1.5
        if point["loss"] == "tversky":
            score -= 40 * (point["alpha"] - best.alpha) ** 2 - 1.5
        if point["optim"] == "sgd":
            score -= 150 * (point["momentum"] - best.momentum) ** 2
        return float(2 + 3 * np.log1p(np.exp((score - 2) / 3)))
