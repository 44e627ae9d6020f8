"""How often the intervals of ``retrain-best`` hold the truth: ``python -m benchmarks.interval_coverage``.

Sweeps are made up whose truth is known: four configurations (the default and three others), each trained with some
seeds, scored on validation and test images. An image's IoU is a logistic function of a sum: quality of the
configuration, luck of the seed (the same on validation and test), difficulty of the photograph, how the configuration
likes the image, and a rest. The one that is best on validation is compared with the default on test, as the verdict
does. With folds, every photograph is validated and tested once, by networks of different folds, whose luck differs.
Printed is how often the 95 % intervals of the default's mean and of that difference hold what infinitely many
seeds and images give.
"""

import argparse
import csv
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from analysis.image_counts import load_image_counts
from analysis.intervals import Float64Array, Scored, interval
from src.errors import run_command
from src.folders import user_path

CONFIGURATIONS = 4
TRUTH_IMAGES = 400_000


@dataclass(frozen=True)
class World:
    """Standard deviations are in units of the logistic function's argument; 0.1 of it is about 0.025 IoU."""

    gain: float
    """Quality of the best configuration less the default's; the others lie between."""
    seeds: int = 5
    photographs: int = 36
    tiles: int = 1
    """Of each photograph."""
    folds: int = 0
    """Parts of all photographs, each the test of networks of its own; 0: one test split of other photographs than
    those of validation."""
    seed_sd: float = 0.06
    photograph_sd: float = 0.6
    tile_sd: float = 0.3
    liking_sd: float = 0.15
    rest_sd: float = 0.1
    union_sd: float = 0.8
    """Of the logarithm of an image's union: some photographs have ten times the crack of others."""

    @property
    def qualities(self) -> Float64Array:
        return np.linspace(0, self.gain, CONFIGURATIONS)

    def sweep(self, random: np.random.Generator) -> tuple[list[Scored], list[Scored]]:
        """Each configuration's scores on validation and on test."""
        luck = random.normal(0, self.seed_sd, (CONFIGURATIONS, self.seeds, max(1, self.folds)))
        photograph = np.repeat(np.arange(self.photographs), self.tiles)
        if not self.folds:
            one = np.zeros_like(photograph)
            validation, test = (
                [self.scores(random, configuration, one, luck[index]) for index, configuration in enumerate(images)]
                for images in (self.images(random), self.images(random))
            )
            return validation, test
        fold = (random.permutation(self.photographs) % self.folds)[photograph]
        images = self.images(random)
        validated = [self.scores(random, one, (fold - 1) % self.folds, luck[index]) for index, one in enumerate(images)]
        tested = [self.scores(random, one, fold, luck[index]) for index, one in enumerate(images)]
        by_fold = [Scored(one.parts, [str(number) for number in fold], by_fold=True) for one in tested]
        return validated, by_fold

    def images(self, random: np.random.Generator) -> list[Float64Array]:
        """(images, 2) for each configuration: what it makes of each new image without luck, and the image's union."""
        count = self.photographs * self.tiles
        unions = np.exp(random.normal(6, self.union_sd, count))
        difficulty = np.repeat(random.normal(0, self.photograph_sd, self.photographs), self.tiles)
        difficulty += random.normal(0, self.tile_sd, count)
        likings = random.normal(0, self.liking_sd, (CONFIGURATIONS, count))
        return [
            np.stack([quality + difficulty + liking, unions], axis=-1)
            for quality, liking in zip(self.qualities, likings, strict=True)
        ]

    def scores(
        self, random: np.random.Generator, images: Float64Array, network: npt.NDArray[np.int64], luck: Float64Array
    ) -> Scored:
        """A configuration's scores. Its networks (seeds, folds) have this luck; ``network``: the fold of each image."""
        rest = random.normal(0, self.rest_sd, (self.seeds, len(images)))
        ious = logistic(images[:, 0] + luck[:, network] + rest)
        unions = np.broadcast_to(images[:, 1], ious.shape)
        groups = [str(image // self.tiles) for image in range(len(images))]
        return Scored(np.stack([ious * unions, unions], axis=-1), groups)

    def truth(self) -> Float64Array:
        """What each configuration scores with infinitely many seeds and images."""
        random = np.random.default_rng(0)
        unions = np.exp(random.normal(6, self.union_sd, TRUTH_IMAGES))
        sds = (self.seed_sd, self.photograph_sd, self.tile_sd, self.liking_sd, self.rest_sd)
        all_else = random.normal(0, np.sqrt(np.square(sds).sum()), TRUTH_IMAGES)
        return np.array([(logistic(quality + all_else) * unions).sum() / unions.sum() for quality in self.qualities])


def measured(folder: Path) -> World:
    """The sizes that retraining has shown in a folder of ``retrain-best``, by the moments of its first two
    configurations' logarithmic odds (configurations, seeds, images).
    """
    with (folder / "runs.csv").open(newline="") as file:
        names = list(dict.fromkeys(row["configuration"] for row in csv.DictReader(file)))[:2]
    runs = [load_image_counts(folder, name) for name in names]
    seeds = sorted(set(runs[0]) & set(runs[1]))
    groups = runs[0][seeds[0]].groups
    parts = np.stack([[found[seed].parts("val/iou_best") for seed in seeds] for found in runs])
    ious = np.clip(parts[..., 0] / parts[..., 1], 0.01, 0.99)
    odds = np.log(ious / (1 - ious))
    images = odds.mean(axis=1)  # (configurations, images)
    rest = odds - odds.mean(axis=1, keepdims=True) - odds.mean(axis=2, keepdims=True)
    rest += odds.mean(axis=(1, 2), keepdims=True)
    count, size = len(seeds), images.shape[1]
    of_rest = np.square(rest).sum() / (len(odds) * (count - 1) * (size - 1))
    of_liking = np.var(images[1] - images[0], ddof=1) / 2 - of_rest / count
    of_seeds = np.var(odds.mean(axis=2), axis=1, ddof=1).mean() - of_rest / size
    return World(
        gain=float(images[1].mean() - images[0].mean()),
        seeds=count,
        photographs=len(set(groups)),
        seed_sd=root(of_seeds),
        photograph_sd=root(np.cov(images)[0, 1]),
        tile_sd=0.0,
        liking_sd=root(of_liking),
        rest_sd=root(of_rest),
        union_sd=float(np.log(parts[..., 1].mean(axis=(0, 1))).std(ddof=1)),
    )


def root(variance: float) -> float:
    """A variance that comes out negative is none."""
    return round(float(np.sqrt(max(0.0, variance))), 3)


def logistic(value: Float64Array) -> Float64Array:
    return 1 / (1 + np.exp(-value))


def coverage(world: World, repetitions: int) -> tuple[float, float, float]:
    """How often the mean's interval and the gain's hold the truth, and the mean width of the gain's."""
    random, truth = np.random.default_rng(1), world.truth()
    of_mean, of_gain, width = 0, 0, 0.0
    for _ in range(repetitions):
        validated, test = world.sweep(random)
        best = 1 + int(np.argmax([scored.scores.mean() for scored in validated[1:]]))
        mean, gain = interval(test[0]), interval(test[best], test[0])
        of_mean += mean.low <= truth[0] <= mean.high
        of_gain += gain.low <= truth[best] - truth[0] <= gain.high
        width += gain.high - gain.low
    return of_mean / repetitions, of_gain / repetitions, width / repetitions


CRACKFOREST = World(
    gain=0.19,
    photographs=14,
    seed_sd=0.155,
    photograph_sd=0.77,
    tile_sd=0.0,
    liking_sd=0.03,
    rest_sd=0.33,
    union_sd=0.4,
)
WORLDS = {
    "all the same": World(gain=0.0),
    "the best is 0.03 better": World(gain=0.15),
    "three seeds": World(gain=0.1, seeds=3),
    "ten seeds": World(gain=0.1, seeds=10),
    "17 photographs": World(gain=0.1, photographs=17),
    "15 photographs, 4 tiles each": World(gain=0.1, photographs=15, tiles=4),
    "seeds that differ much": World(gain=0.0, seed_sd=0.2),
    "as CrackForest was measured": CRACKFOREST,
    "seeds that hardly differ": World(gain=0.15, seed_sd=0.02),
    "5 folds of 118 photographs, one seed": World(gain=0.1, photographs=118, seeds=1, folds=5),
    "5 folds of 118 photographs, two seeds": World(gain=0.1, photographs=118, seeds=2, folds=5),
    "10 folds of 40 photographs, one seed": World(gain=0.1, photographs=40, seeds=1, folds=10),
    "5 folds, seeds that differ much": World(gain=0.0, photographs=118, seeds=1, folds=5, seed_sd=0.2),
    "5 folds, as CrackForest was measured": replace(CRACKFOREST, photographs=118, seeds=1, folds=5),
}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interval_coverage")
    parser.add_argument("--repetitions", type=int, default=500)
    parser.add_argument("--like", type=user_path, help="only sweeps with the noise of this folder of retrain-best")
    parser.add_argument("--json", type=user_path)
    options = parser.parse_args(argv)
    table = Table("sweeps", "of the default's mean", "of the chosen one's gain", "width of the gain's", box=None)
    found: dict[str, tuple[float, float, float]] = {}
    worlds = {str(options.like): measured(options.like)} if options.like else WORLDS
    for name, world in worlds.items():
        found[name] = coverage(world, options.repetitions)
        mean, gain, width = found[name]
        table.add_row(name, f"{mean:.1%}", f"{gain:.1%}", f"{width:.4f}")
    Console(width=120).print(table)
    if options.like:
        print(worlds[str(options.like)])
    if options.json:
        options.json.write_text(json.dumps(found))


if __name__ == "__main__":
    sys.exit(run_command(main))
