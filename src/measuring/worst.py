"""The images of a split by their IoU: a picture of the worst and of those in the middle."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from src.data.files import UInt8Array
from src.measuring.errors import Errors, find_errors
from src.scoring.evaluate import ScoredImage
from src.scoring.pictures import GAP, labelled_panel, panel

SHOWN = 6
"""Images of each kind in the picture."""


@dataclass(frozen=True)
class Judged:
    """An image of a split, with what is wrong in its prediction."""

    stem: str
    iou: float
    errors: Errors
    panel: bytes
    """Measured, mask and overlay side by side, small, as JPEG."""


def judge(scored: ScoredImage) -> Judged:
    """Look at one image; its photograph is not changed."""
    predicted, actual = scored.predicted, scored.actual
    united = int((predicted | actual).sum())
    buffer = BytesIO()
    Image.fromarray(panel([(scored.image, predicted, actual)])).save(buffer, "JPEG", quality=92)
    iou = int((predicted & actual).sum()) / united if united else 1.0
    return Judged(scored.stem, iou, find_errors(predicted, actual), buffer.getvalue())


def worst_first(images: Sequence[Judged]) -> list[Judged]:
    return sorted(images, key=lambda image: (image.iou, image.stem))


def picture_of(images: Sequence[Judged]) -> UInt8Array:
    """The worst and the median images of a split, side by side, from ``worst_first``."""
    middle = max(SHOWN, len(images) // 2 - SHOWN // 2)
    parts = (("worst", images[:SHOWN]), ("median", images[middle : middle + SHOWN]))
    columns = [column(name, some) for name, some in parts if some]
    height = max(one.shape[0] for one in columns)
    padded = [np.pad(one, ((0, height - one.shape[0]), (0, 0), (0, 0)), constant_values=255) for one in columns]
    return np.concatenate(padded, axis=1)


def column(name: str, images: Sequence[Judged]) -> UInt8Array:
    """Images below each other, each with its IoU and its name."""
    rows = [
        labelled_panel(f"{name}: IoU {image.iou:.2f}, {image.stem}", np.asarray(Image.open(BytesIO(image.panel))))
        for image in images
    ]
    width = max(row.shape[1] for row in rows) + GAP
    return np.concatenate(
        [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows], axis=0
    )
