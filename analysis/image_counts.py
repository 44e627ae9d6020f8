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
from src.scoring.metrics import BINS, HALF, Int64Array, iou, scores_at, threshold_counts

METRICS = ("val/iou_best", "val/iou", "val/iou_image", "val/f1")
"""What two sets of trainings can be compared by: those that a search can maximise."""
KEPT = Path("results", "test_histogram.npz")
"""In a training's folder."""


@dataclass(frozen=True)
class ImageCounts:
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
        """(images, 2): what one of ``METRICS`` divides; ``val/iou_best`` at the threshold that validation chose.

        The others are at 0.5, as on validation.
        """
        assert metric in METRICS, metric
        counts = threshold_counts(self.histogram)
        number = self.number if metric == "val/iou_best" else HALF
        tp, fp, fn = (getattr(counts, name)[:, number].astype(np.float64) for name in ("tp", "fp", "fn"))
        if metric == "val/iou_image":
            return np.stack([iou(counts)[:, number], np.ones(len(tp))], axis=1)
        twice = 2 if metric == "val/f1" else 1
        return np.stack([twice * tp, twice * tp + fp + fn], axis=1)

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


def load_image_counts(folder: Path, configuration: str) -> dict[int, ImageCounts]:
    """By seed, what the trainings of a configuration have scored, of a folder that ``retrain-best`` has written."""
    with (folder / "runs.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["configuration"] == configuration]
    found = {int(row["seed"]): ImageCounts.load(folder / row["folder"]) for row in rows}
    return {seed: counted for seed, counted in found.items() if counted is not None}
