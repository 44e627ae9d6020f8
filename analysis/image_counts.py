"""Per-image histograms of trainings on the test split, stored so that every metric can be computed later."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from analysis.intervals import Float64Array, Scored
from src.atomic import replaced_file
from src.data.pairs import manifest_groups
from src.scoring.metrics import BINS, Int64Array, rankable_parts, scores_at

KEPT = Path("results", "test_histogram.npz")
"""The path of the file in a training's folder."""


@dataclass(frozen=True)
class ImageCounts:
    """The predictions of one training on the test images, as a histogram per image."""

    histogram: Int64Array
    """(images, 2, 256), see ``src.scoring.metrics``."""
    number: int
    """The index of the threshold that was chosen on validation."""
    images: tuple[str, ...]
    groups: tuple[str, ...]
    """The photograph or scene of each image."""

    @property
    def threshold(self) -> float:
        return self.number / BINS

    @property
    def scores(self) -> dict[str, float]:
        """IoU and F1 over the split."""
        found = scores_at(self.histogram, self.number)
        return {name: found[name] for name in ("iou", "f1")}

    @property
    def crack_pixels(self) -> list[int]:
        """Crack pixels in each image's mask. With the names they identify a test split and its resolution."""
        return self.histogram[:, 1].sum(axis=1).tolist()

    def parts(self, metric: str) -> Float64Array:
        """(images, 2): numerator and denominator of a metric of ``RANKABLE``, at the threshold of its rule."""
        return rankable_parts(metric, self.histogram, self.number)

    def save(self, run: Path) -> None:
        """Write the file into a training's folder, atomically."""
        kept = run / KEPT
        images, groups = np.array(self.images), np.array(self.groups)
        with replaced_file(kept) as partial:
            np.savez_compressed(partial, histogram=self.histogram, number=self.number, images=images, groups=groups)

    @classmethod
    def load(cls, run: Path) -> Self | None:
        """Read the file in a training's folder; None if the training was not scored yet."""
        if not (run / KEPT).is_file():
            return None
        with np.load(run / KEPT) as arrays:
            images, groups = (tuple(str(name) for name in arrays[key]) for key in ("images", "groups"))
            return cls(arrays["histogram"], int(arrays["number"]), images, groups)


def groups_of(root: Path, stems: Sequence[str]) -> tuple[str, ...]:
    """The photograph or scene of each test image, from the manifest; without a manifest, the image's own name."""
    groups = manifest_groups(root)
    return tuple(groups.get(f"test/{stem}", stem) for stem in stems)


@dataclass(frozen=True)
class SeedCounts:
    """The predictions with one seed: of one training or, with folds, of one on each fold."""

    trainings: tuple[ImageCounts, ...]
    by_fold: bool

    @property
    def images(self) -> tuple[str, ...]:
        return tuple(name for one in self.trainings for name in one.images)

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each image; with folds, its fold, because all images of a fold have the same network."""
        if not self.by_fold:
            return self.trainings[0].groups
        return tuple(str(number + 1) for number, one in enumerate(self.trainings) for _ in one.images)

    @property
    def crack_pixels(self) -> list[int]:
        """See ``ImageCounts.crack_pixels``."""
        return [count for one in self.trainings for count in one.crack_pixels]

    def parts(self, metric: str) -> Float64Array:
        """(images, 2), see ``ImageCounts.parts``; each training has its own threshold."""
        return np.concatenate([one.parts(metric) for one in self.trainings])


def scored(seeds: Sequence[SeedCounts], metric: str) -> Scored:
    """The test results of a configuration."""
    return Scored(np.stack([one.parts(metric) for one in seeds]), seeds[0].groups, seeds[0].by_fold)


def load_image_counts(folder: Path, configuration: str) -> dict[int, SeedCounts]:
    """Read the image counts of a configuration's trainings by seed, from a folder that ``retrain-best`` has written.

    Seeds that lack a training are left out.
    """
    with (folder / "runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    folds = sorted({row.get("fold") or "" for row in rows}, key=lambda fold: (len(fold), fold))
    own = {(int(row["seed"]), row.get("fold") or ""): row for row in rows if row["configuration"] == configuration}
    by_seed: dict[int, SeedCounts] = {}
    for seed in dict.fromkeys(seed for seed, _ in own):
        counts = [ImageCounts.load(folder / own[seed, fold]["folder"]) for fold in folds if (seed, fold) in own]
        found = [one for one in counts if one is not None]
        if len(found) == len(folds):
            by_seed[seed] = SeedCounts(tuple(found), by_fold=folds != [""])
    return by_seed
