"""Resizes a photograph row by row, where it does not fit into memory."""

import cv2
import numpy as np
import numpy.typing as npt

from src.data.files import Float32Array, UInt8Array
from src.data.tiles import Rows

Int64Array = npt.NDArray[np.int64]


class Scaled:
    """Rows of a photograph (H, W, 3) resized to ``size``: by area if it becomes smaller, else bilinearly.

    Equal to OpenCV's ``resize`` of the whole within a grey level.
    """

    def __init__(self, image: Rows, size: tuple[int, int]) -> None:
        self.image = image
        self.shape = (*size, 3)
        self.ratio = image.shape[0] / size[0]

    def __getitem__(self, rows: slice) -> UInt8Array:
        begin, end, _ = rows.indices(self.shape[0])
        height, width = self.image.shape[:2]
        first = max(0, int(begin * self.ratio) - 2)
        last = min(height, int(np.ceil(end * self.ratio)) + 2)
        block = self.image[first:last]
        by_area = self.shape[0] * self.shape[1] < height * width
        narrow = cv2.resize(
            block, (self.shape[1], len(block)), interpolation=cv2.INTER_AREA if by_area else cv2.INTER_LINEAR
        )
        weights = self._weights(np.arange(begin, end), np.arange(first, last), by_area)
        mixed = weights @ narrow.reshape(len(block), -1).astype(np.float32)
        return mixed.round().clip(0, 255).astype(np.uint8).reshape(end - begin, self.shape[1], 3)

    def _weights(self, new: Int64Array, old: Int64Array, by_area: bool) -> Float32Array:
        """(new rows, old rows): how much of each old row is in a new one."""
        if by_area:
            overlap = np.minimum((new[:, None] + 1) * self.ratio, old + 1) - np.maximum(new[:, None] * self.ratio, old)
        else:
            places = np.clip((new[:, None] + 0.5) * self.ratio - 0.5, 0, self.image.shape[0] - 1)
            overlap = 1 - np.abs(places - old)
        found = np.clip(overlap, 0, None)
        return (found / found.sum(axis=1, keepdims=True)).astype(np.float32)
