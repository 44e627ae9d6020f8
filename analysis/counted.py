"""Per-image counts of trainings on the test split, kept so that every metric can be computed from them."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from analysis.intervals import Float64Array
from src.atomic import replaced_file
from src.data.pairs import manifest_groups
from src.scoring.metrics import BINS, Int64Array, rankable_parts, scores_at

KEPT = Path("results", "test_histogram.npz")
"""In a training's folder."""


@dataclass(frozen=True)
class Counted:
    """One training's test images, counted."""

    histogram: Int64Array
    """(images, 2, 256), see ``src.scoring.metrics``."""
    number: int
    """Of the threshold that validation chose."""
    images: tuple[str, ...]
    groups: tuple[str, ...]
    """The photograph or scene that each image is of."""

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
        """Of each image's mask: with the names the mark of a test split at its resolution."""
        return self.histogram[:, 1].sum(axis=1).tolist()

    def parts(self, metric: str) -> Float64Array:
        """(images, 2): numerator and denominator of a metric of ``RANKABLE``, at the threshold of validation."""
        return rankable_parts(metric, self.histogram, self.number)

    def save(self, run: Path) -> None:
        """Keep it in a training's folder, whole or not at all."""
        kept = run / KEPT
        images, groups = np.array(self.images), np.array(self.groups)
        with replaced_file(kept) as partial:
            np.savez_compressed(partial, histogram=self.histogram, number=self.number, images=images, groups=groups)

    @classmethod
    def load(cls, run: Path) -> Self | None:
        """What a training's folder keeps; None if it was not scored."""
        if not (run / KEPT).is_file():
            return None
        with np.load(run / KEPT) as found:
            images, groups = (tuple(str(name) for name in found[key]) for key in ("images", "groups"))
            return cls(found["histogram"], int(found["number"]), images, groups)


def groups_of(root: Path, stems: Sequence[str]) -> tuple[str, ...]:
    """The photograph or scene that each test image is of, by the manifest; without one, its own name."""
    known = manifest_groups(root)
    return tuple(known.get(f"test/{stem}", stem) for stem in stems)


def counted_runs(folder: Path, configuration: str) -> dict[int, Counted]:
    """By seed, what the trainings of a configuration have scored, of a folder that ``retrain-best`` has written."""
    with (folder / "runs.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["configuration"] == configuration]
    found = {int(row["seed"]): Counted.load(folder / row["folder"]) for row in rows}
    return {seed: counted for seed, counted in found.items() if counted is not None}
