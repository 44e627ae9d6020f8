"""Photographs, masks and drawings that tests of data sets write, as the tools of the field write them."""

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from src.data.files import UInt8Array

WIDTH, HEIGHT = 12, 10
SQUARE = [2, 3, 6, 3, 6, 8, 2, 8]
"""x from 2 to 6, y from 3 to 8."""
CORNERS = [(float(x), float(y)) for x, y in zip(SQUARE[::2], SQUARE[1::2], strict=True)]
STRIPE = [0, 0, 11, 0, 11, 1, 0, 1]
"""The upper two rows: 24 pixels."""


def square() -> UInt8Array:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[3:9, 2:7] = 1
    return mask


def photo(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def mask(path: Path) -> Path:
    """Of 12 pixels: one row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    drawn[4] = 255
    Image.fromarray(drawn).save(path)
    return path


def build(root: Path, pairs: Sequence[str]) -> Path:
    """Pairs of the paths of a photograph and its mask."""
    for pair in pairs:
        image, drawn = pair.split()
        photo(root / image)
        mask(root / drawn)
    return root


def coco(*names: str, drawn: Any = None, **changes: Any) -> dict[str, Any]:
    """COCO's JSON of photographs with one annotation each, the upper two rows."""
    images = [{"id": n, "file_name": name, "width": WIDTH, "height": HEIGHT} for n, name in enumerate(names)]
    shape = {"category_id": 1, "segmentation": drawn or [STRIPE], "iscrowd": 0}
    annotations = [{"id": n, "image_id": n} | shape for n, _ in enumerate(names)]
    return {"images": images, "categories": [{"id": 1, "name": "crack"}], "annotations": annotations} | changes


def write_json(path: Path, about: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(about))
    return path


def labelme(path: Path, *shapes: dict[str, Any], size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    return write_json(path, {"imageWidth": size[0], "imageHeight": size[1], "shapes": shapes})


def shape(kind: str | None = "polygon", label: str = "crack", points: Any = CORNERS, **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, **more}


def brushed(pixels: UInt8Array, left: int, top: int) -> dict[str, Any]:
    """labelme's shape of a mask (H, W): a PNG of the box that it fills, and the box's first and last pixel."""
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    text = base64.b64encode(stream.getvalue()).decode()
    points = [[left, top], [left + pixels.shape[1] - 1, top + pixels.shape[0] - 1]]
    return shape("mask", points=points, mask=text)
