"""Finds the connected parts of a mask of any size, tile by tile."""

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from src.data.files import UInt8Array

Int64Array = npt.NDArray[np.int64]


class Components:
    """The parts of a mask whose pixels touch, also diagonally.

    Tiles are added row by row; parts are joined where they touch across the border of two tiles.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.count = 1
        self.above, self.below = np.zeros(shape[1], np.int64), np.zeros(shape[1], np.int64)
        self.beside = np.zeros(0, np.int64)
        self.top = 0
        self.pairs = [np.zeros((0, 2), np.int64)]
        self.counts: list[Int64Array] = []
        self.outer = [np.zeros(0, np.int64)]

    def add(self, mask: UInt8Array, corner: tuple[int, int], *counted: UInt8Array) -> Int64Array:
        """Number the parts of a tile (H, W) at (row, column) ``corner``, from 1, and count the pixels of masks in them.

        Returns (H, W) the numbers; 0 is outside of all parts. ``joined`` says which of them are one part.
        """
        count, found = cv2.connectedComponents(mask, connectivity=8)
        labels = np.where(found > 0, found.astype(np.int64) + self.count - 1, 0)
        if counted:
            self.counts.append(np.stack([np.bincount(found[one > 0], minlength=count)[1:] for one in counted]))
        self.count += count - 1
        top, left = corner
        right = left + mask.shape[1]
        if top != self.top:
            self.above, self.below, self.top = self.below, np.zeros(self.shape[1], np.int64), top
        if left:
            self._touch(labels[:, 0], np.pad(self.beside, 1))
        self._touch(labels[0], np.pad(self.above, 1)[left : right + 2])
        self.beside, self.below[left:right] = labels[:, -1], labels[-1]
        height, width = self.shape
        edges = [(top, labels[0]), (top + len(mask) - height, labels[-1])]
        edges += [(left, labels[:, 0]), (right - width, labels[:, -1])]
        self.outer.extend(np.unique(line) for distance, line in edges if distance == 0)
        return labels

    def at_border(self, numbers: Int64Array) -> None:
        """Note that the parts with these numbers also touch the border of what is seen."""
        self.outer.append(np.unique(numbers))

    def _touch(self, line: Int64Array, other: Int64Array) -> None:
        """Note which parts of a tile's outermost line touch those of the line before it, which is longer by 1 each."""
        for shift in range(3):
            pairs = np.stack([line, other[shift : shift + len(line)]], axis=1)
            self.pairs.append(np.unique(pairs[(pairs > 0).all(axis=1)], axis=0))

    def joined(self) -> tuple[Int64Array, Int64Array, npt.NDArray[np.bool_]]:
        """The final number, from 0, of each number given so far; the counts, and whether at the border, of each part.

        Counts are (masks, parts). The first entry of the numbers, of what is outside of all parts, is -1.
        """
        pairs = np.concatenate(self.pairs)
        links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), (self.count, self.count))
        _, found = connected_components(links, directed=False)
        final = found.astype(np.int64) - 1  # number 0 is alone and comes first
        parts = int(final.max()) + 1
        counts = np.stack([np.bincount(final[1:], one, minlength=parts) for one in np.concatenate(self.counts, axis=1)])
        at_border = np.zeros(parts, bool)
        outer = np.concatenate(self.outer)
        at_border[final[outer[outer > 0]]] = True
        return final, counts.astype(np.int64), at_border
