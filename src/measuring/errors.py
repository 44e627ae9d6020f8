"""Sorts the errors of a predicted mask: pixels at edges, cracks that are missed, and cracks that are none.

An edge is where prediction and truth are a little apart, as two annotators are. What is further away is missed or
false, and is also counted as length of centre lines and as whole cracks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import reduce
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from src.data.files import UInt8Array
from src.measuring.centre_line import FloatArray
from src.measuring.cracks import Crack, measure

NEAR = 2.0
"""Pixels that an edge may be apart, at least."""
NEAR_SHARE = 0.002
"""The same as a share of the longer side, if that is more."""
WIDTHS = (2.0, 4.0, 8.0, 16.0)
"""Limits between the classes of width, in pixels."""
HALF = 0.5
"""Share of a crack's length from which all of it is missed, or false."""


@dataclass(frozen=True)
class Errors:
    """Counts of one image, or of several."""

    edge_pixels: int
    missed_pixels: int
    false_pixels: int
    cracks: int
    """In the truth."""
    missed_cracks: int
    predicted_cracks: int
    false_cracks: int
    length: float
    """Pixels of centre lines in the truth."""
    missed_length: float
    predicted_length: float
    false_length: float
    length_by_width: FloatArray
    """(classes,) of the truth, by the width at each place."""
    missed_by_width: FloatArray

    def plus(self, other: "Errors") -> "Errors":
        return Errors(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def row(self) -> dict[str, int | float]:
        """The columns of an image's table."""
        names = [one.name for one in fields(self) if not one.name.endswith("by_width")]
        return {name: round(getattr(self, name), 1) for name in names}

    def sentence(self) -> str:
        """The shares of the wrong pixels, and what is missed and false in the end."""
        wrong = max(1, self.edge_pixels + self.missed_pixels + self.false_pixels)
        shares = (
            f"{count / wrong:.0%} {name}"
            for name, count in (
                ("at edges", self.edge_pixels),
                ("of missed cracks", self.missed_pixels),
                ("of false cracks", self.false_pixels),
            )
        )
        missed = f"{self.missed_length / max(self.length, 1e-9):.0%} of the length of cracks is missed"
        false = f"{self.false_length / max(self.predicted_length, 1e-9):.0%} of the predicted length is false"
        whole = f"{self.missed_cracks} of {self.cracks} cracks are missed"
        none = f"{self.false_cracks} of {self.predicted_cracks} predicted ones are false"
        return f"wrong pixels: {', '.join(shares)}; {missed}, {false}; {whole}, {none}"

    def width_rows(self) -> list[list[object]]:
        """Class of width in pixels, length, missed length and its share."""
        limits = ("0", *(f"{limit:g}" for limit in WIDTHS), "")
        names = [f"{one} to {other}" if other else f"over {one}" for one, other in pairwise(limits)]
        rows = zip(names, self.length_by_width.tolist(), self.missed_by_width.tolist(), strict=True)
        return [[name, round(one, 1), round(miss, 1), round(miss / one, 4) if one else ""] for name, one, miss in rows]


def sum_of(errors: Sequence[Errors]) -> Errors:
    return reduce(Errors.plus, errors)


@dataclass(frozen=True)
class Away:
    """How far from another mask the cracks of a mask are."""

    pixels: int
    """Of those that are crack in this mask alone, the ones that are far."""
    shares: list[float]
    """Of each crack's length that is far."""
    widths: FloatArray
    """(N,) pixels, at each point of all lines."""
    lengths: FloatArray
    """(N,) pixels."""
    is_far: npt.NDArray[np.bool_]
    """(N,)."""

    @classmethod
    def of(cls, cracks: Sequence[Crack], own: UInt8Array, other: UInt8Array, near: float) -> "Away":
        """``near``: pixels that are not yet far."""
        distance = distance_to(other)
        parts = [along(crack, distance) for crack in cracks]
        widths, lengths, away = (np.concatenate([np.zeros(0), *(part[index] for part in parts)]) for index in range(3))
        shares = [float(its[where > near].sum() / max(float(its.sum()), 1e-9)) for _, its, where in parts]
        return cls(int(((own > other) & (distance > near)).sum()), shares, widths, lengths, away > near)


def find_errors(predicted: UInt8Array, actual: UInt8Array) -> Errors:
    """Compare masks (H, W) in {0, 1}."""
    near = max(NEAR, NEAR_SHARE * max(actual.shape))
    truth, found = measure(actual), measure(predicted)
    missed, false = Away.of(truth, actual, predicted, near), Away.of(found, predicted, actual, near)
    place, is_missed = np.searchsorted(WIDTHS, missed.widths), missed.is_far
    return Errors(
        edge_pixels=int((predicted != actual).sum()) - missed.pixels - false.pixels,
        missed_pixels=missed.pixels,
        false_pixels=false.pixels,
        cracks=len(truth),
        missed_cracks=sum(share > HALF for share in missed.shares),
        predicted_cracks=len(found),
        false_cracks=sum(share > HALF for share in false.shares),
        length=float(missed.lengths.sum()),
        missed_length=float(missed.lengths[is_missed].sum()),
        predicted_length=sum(crack.length for crack in found),
        false_length=sum(share * crack.length for share, crack in zip(false.shares, found, strict=True)),
        length_by_width=np.bincount(place, missed.lengths, len(WIDTHS) + 1).astype(float),
        missed_by_width=np.bincount(place[is_missed], missed.lengths[is_missed], len(WIDTHS) + 1).astype(float),
    )


def distance_to(mask: UInt8Array) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    """(H, W) pixels to the nearest pixel of the mask; infinite without any."""
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    return cv2.distanceTransform((mask == 0).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE).astype(np.float32)


def along(crack: Crack, distance: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> tuple[FloatArray, ...]:
    """Width, length and distance at each point of a crack's lines."""
    widths = np.concatenate([line.widths for line in crack.lines])
    lengths = np.concatenate([np.gradient(line.along) for line in crack.lines])
    lengths *= crack.length / max(float(lengths.sum()), 1e-9)
    places = np.concatenate([line.points for line in crack.lines])
    columns, rows = (
        np.clip(places[:, axis], 0, side - 1).astype(int) for axis, side in enumerate(distance.shape[::-1])
    )
    return widths, lengths, distance[rows, columns].astype(np.float64)
