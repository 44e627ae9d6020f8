"""The photographs of which a network is least sure: they are the ones to label next."""

from heapq import heappush, heappushpop

import cv2
import numpy as np

from src.data.files import UInt8Array
from src.scoring.pictures import PANEL_SIDE, contact_sheet

SHOWN = 12
"""Photographs in the picture."""


class LeastSure:
    """Keeps small pictures of the least sure photographs."""

    def __init__(self) -> None:
        self._kept: list[tuple[float, int, str, UInt8Array, UInt8Array]] = []
        self._count = 0

    def add(self, name: str, sure: float, image: UInt8Array, mask: UInt8Array) -> None:
        """A photograph (H, W, 3) and its mask (H, W), crack where it is not 0."""
        factor = min(1.0, 2 * PANEL_SIDE / max(image.shape[:2]))
        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
        small, found = (cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in (image, mask))
        self._count += 1  # of equally sure ones, the earlier
        item = (-sure, -self._count, name, small.astype(np.uint8), (found > 0).astype(np.uint8))
        if len(self._kept) < SHOWN:
            heappush(self._kept, item)
        else:
            heappushpop(self._kept, item)

    @property
    def names(self) -> list[str]:
        """The least sure first."""
        return [name for _, _, name, _, _ in sorted(self._kept, reverse=True)]

    def picture(self) -> UInt8Array:
        """A contact sheet, the least sure first, cracks outlined, with names and sureness."""
        ordered = sorted(self._kept, key=lambda one: one[:2], reverse=True)
        return contact_sheet(
            [(f"sure {-sure:.2f}: {name}", image, mask) for sure, _, name, image, mask in ordered], columns=4
        )
