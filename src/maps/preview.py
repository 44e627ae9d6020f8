"""Small pictures of large photographs, made while these are read row by row."""

import numpy as np

from src.data.files import UInt8Array

LARGEST = 4096
"""Pixels of the longer side."""


class Preview:
    """Every n-th pixel of a photograph and, if there is a mask, crack where any of n times n pixels is crack."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.step = -(-max(shape[:2]) // LARGEST)
        size = [-(-side // self.step) for side in shape[:2]]
        self.image = np.zeros((*size, 3), np.uint8)
        self.mask = np.zeros(size, np.uint8)
        self.top = 0

    def add(self, image: UInt8Array, mask: UInt8Array | None = None) -> None:
        """Further rows (n, W, 3) and (n, W) in {0, 1}."""
        step = self.step
        shown = np.arange(-self.top % step, len(image), step)
        self.image[(shown + self.top) // step] = image[shown, ::step]
        if mask is not None:
            self._add_mask(mask)
        self.top += len(image)

    def _add_mask(self, mask: UInt8Array) -> None:
        step = self.step
        places = (np.arange(len(mask)) + self.top) // step
        wide = np.pad(mask, ((0, 0), (0, -mask.shape[1] % step))).reshape(len(mask), -1, step).max(axis=2)
        np.maximum.at(self.mask, places, wide)
