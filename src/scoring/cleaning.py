"""Removes what is probably not crack from a mask: faint parts, and parts of few pixels.

Hysteresis (Canny 1986): a pixel is crack if its probability is at least ``low`` and it belongs to a part that somewhere
reaches ``high``. Then parts of less than ``smallest`` pixels are removed. The three numbers are chosen on validation.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from src.data.files import STRIP, Float32Array, UInt8Array
from src.scoring.components import Components

LOWER = (1.0, 0.85, 0.7, 0.55, 0.4, 0.25)
"""``low`` as shares of the threshold."""
HIGHER = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
"""``high`` as shares of the way from the threshold to 1."""
SIZES = (0, 4, 8, 16, 32, 64, 128, 256, 512)
"""``smallest`` in pixels of the network's images."""
GAIN = 1e-3
"""IoU by which cleaned masks must be better for anything to be removed."""
SURE = 2.0
"""Standard errors by which the gain must differ from 0."""
CRACK = 2
"""The level of a pixel that reaches ``high``; 1 is one that reaches ``low`` alone."""
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cleaning:
    """How masks are cleaned; ``low == high`` and ``smallest == 0`` is a threshold alone."""

    low: float
    high: float
    smallest: float
    """Pixels at the scale of the network's images."""
    gain: float = 0.0
    """IoU on validation less that of the threshold alone, where each image has the numbers chosen on the others."""

    @classmethod
    def read(cls, stored: object) -> "Cleaning | None":
        """What a checkpoint holds; None without it, or if it is damaged."""
        try:
            found = cls(**stored) if isinstance(stored, dict) else None
            sound = found is not None and 0 <= found.low <= found.high <= 1 and found.smallest >= 0
            return found if sound else None
        except TypeError:
            return None

    def as_plain(self) -> dict[str, Any]:
        return asdict(self)

    def levels(self, probs: Float32Array) -> UInt8Array:
        """The level of each pixel."""
        return (probs >= self.low).astype(np.uint8) + (probs >= self.high)

    def __str__(self) -> str:
        numbers = f"low {self.low:.3f}, high {self.high:.3f}, smallest {self.smallest:g} pixels"
        return f"{numbers}, {self.gain:+.4f} IoU on validation"


class Levels(Protocol):
    """Levels (H, W) uint8 whose rows can be read: an array, or a file."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice, /) -> UInt8Array: ...


def strips(shape: tuple[int, ...]) -> Iterator[slice]:
    """Rows of at most ``STRIP`` pixels that cover a map."""
    rows = max(1, STRIP // shape[1])
    return (slice(top, min(top + rows, shape[0])) for top in range(0, shape[0], rows))


def cleaned_rows(levels: Levels, smallest: float) -> Iterator[UInt8Array]:
    """The mask in {0, 1} of levels, strip by strip; ``smallest`` in pixels of this mask.

    Levels are read twice: a part is known only when all of it has been seen.
    """
    parts = Components(levels.shape)
    for rows in strips(levels.shape):
        strip = levels[rows]
        parts.add((strip > 0).view(np.uint8), (rows.start, 0), strip, (strip == CRACK).view(np.uint8))
    final, (areas, strong), _ = parts.joined()
    is_kept = np.append((areas >= smallest) & (strong > 0), False)[final]
    again = Components(levels.shape)
    for rows in strips(levels.shape):
        numbers = again.add((levels[rows] > 0).view(np.uint8), (rows.start, 0))
        yield is_kept[numbers].view(np.uint8)


def clean(levels: UInt8Array, smallest: float) -> None:
    """Turn levels (H, W) into their mask, in place."""
    for rows, mask in zip(strips(levels.shape), cleaned_rows(levels, smallest), strict=True):
        levels[rows] = mask


def choose_cleaning(images: Iterable[tuple[Float32Array, UInt8Array]], threshold: float) -> Cleaning:
    """The best numbers on images: probabilities (H, W) and masks (H, W) in {0, 1}.

    Of numbers that are equally good, those that remove the least. A few images can be cleaned better by chance, so
    nothing is removed unless the gain is clear: more than ``SURE`` of its standard errors over the images (jackknife),
    and still there where each image is cleaned by the numbers that are the best for all others.
    """
    lows = [threshold * share for share in LOWER]
    highs = np.array([threshold + (1 - threshold) * share for share in HIGHER])
    right, wrong, cracks = list[Int64Array](), list[Int64Array](), list[int]()
    for probs, actual in images:
        found = [list(counted(probs, actual, low, highs)) for low in lows]
        right.append(np.stack([one for one, _ in found]))
        wrong.append(np.stack([one for _, one in found]))
        cracks.append(int(actual.sum()))
    alone = Cleaning(threshold, threshold, 0)
    if len(cracks) < 2:
        return alone
    gains = Gains(np.stack(right), np.stack(wrong), np.array(cracks))
    best = gains.best()
    if gains.of(best) <= SURE * gains.error_of(best) or gains.held_out() < GAIN:
        return alone
    low, high, size = best
    return Cleaning(lows[low], float(highs[high]), SIZES[size], gains.held_out())


class Gains:
    """IoU over images with some numbers, less that of the threshold alone.

    ``right`` and ``wrong`` are (images, lows, highs, sizes) pixels that are rightly and wrongly crack.
    """

    def __init__(self, right: Int64Array, wrong: Int64Array, cracks: Int64Array) -> None:
        self.right, self.wrong, self.cracks = right, wrong, cracks
        self.all = right.sum(axis=0), wrong.sum(axis=0), int(cracks.sum())

    def best(self, without: int | None = None) -> tuple[int, ...]:
        """The index of the best numbers, on all images or on all but one. The first of equals removes the least."""
        scores = iou(*self._sums(without))
        return tuple(int(one) for one in np.unravel_index(int(np.argmax(scores)), scores.shape))

    def of(self, numbers: tuple[int, ...], without: int | None = None) -> float:
        """The gain of numbers."""
        scores = iou(*self._sums(without))
        return float(scores[numbers] - scores[0, 0, 0])

    def error_of(self, numbers: tuple[int, ...]) -> float:
        """The standard error of the gain over the images."""
        count = len(self.cracks)
        left = np.array([self.of(numbers, without) for without in range(count)])
        return float(np.sqrt((count - 1) / count * np.square(left - left.mean()).sum()))

    def held_out(self) -> float:
        """The gain where each image has the numbers that are the best for all others."""
        chosen = [(index, *self.best(index)) for index in range(len(self.cracks))]
        right, wrong = (np.array([counts[one] for one in chosen]).sum() for counts in (self.right, self.wrong))
        plain = iou(*self.all)[0, 0, 0]
        return float(iou(right, wrong, self.all[2]) - plain)

    def _sums(self, without: int | None) -> tuple[Int64Array, Int64Array, int]:
        right, wrong, cracks = self.all
        if without is None:
            return right, wrong, cracks
        return right - self.right[without], wrong - self.wrong[without], cracks - int(self.cracks[without])


def iou(right: Int64Array, wrong: Int64Array, cracks: int) -> npt.NDArray[np.float64]:
    """Of counts of pixels; 1 without any crack."""
    return np.where(cracks + wrong > 0, right / np.maximum(cracks + wrong, 1), 1.0)


def counted(
    probs: Float32Array, actual: UInt8Array, low: float, highs: npt.NDArray[np.float64]
) -> Iterator[Int64Array]:
    """(highs, SIZES) pixels that are rightly, then wrongly crack, of the parts above ``low`` that remain."""
    count, labels = cv2.connectedComponents((probs >= low).astype(np.uint8), connectivity=8)
    numbers = np.asarray(labels, np.int64)
    areas = np.bincount(numbers.ravel(), minlength=count)
    hits = np.bincount(numbers[actual > 0], minlength=count)
    top = np.zeros(count)
    np.maximum.at(top, numbers.ravel(), probs.ravel())
    remains = (top[:, None, None] >= highs[:, None]) & (areas[:, None, None] >= np.array(SIZES))
    remains[0] = False  # what is below ``low``
    for pixels in (hits, areas - hits):
        yield np.einsum("i,ijk->jk", pixels, remains)
