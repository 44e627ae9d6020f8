"""Reads labelme's JSON: the shapes of one photograph, in a file beside it."""

import base64
import io
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from src.data.files import UInt8Array
from src.datasets.drawings import DAMAGE, Drawing, Point, ShapeRules, describe_damage, read_json
from src.errors import UserError

POLYGONS = ("polygon", "rectangle", "rotation", "oriented_rectangle")
LINES = ("line", "linestrip")


def is_labelme(path: Path) -> bool:
    return "shapes" in read_json(path)


def read_labelme(path: Path, rules: ShapeRules) -> Drawing:
    """Read the drawing of one photograph. Shapes without area and invalid files are a ``UserError``."""
    about = read_json(path)
    try:
        found = Drawing(path, int(about["imageWidth"]), int(about["imageHeight"]))
        for shape in about["shapes"]:
            label = str(shape["label"])
            found.labels.add(label)
            if rules.counts(label):
                add_shape(found, shape, rules.line_width)
        return found
    except DAMAGE as error:
        raise UserError(f"{path} is not a valid labelme file: {describe_damage(error)}.") from error


def add_shape(found: Drawing, shape: Mapping[str, Any], line_width: int | None) -> None:
    kind = shape.get("shape_type") or "polygon"
    points = [(float(x), float(y)) for x, y in shape["points"]]
    if kind in POLYGONS:
        found.add_polygon(corners_of(points) if kind == "rectangle" and len(points) == 2 else points)
    elif kind in LINES and line_width:
        found.add_line(points, line_width)
    elif kind == "circle":
        centre, edge = points
        found.add_circle(centre, edge)
    elif kind == "mask":
        add_mask(found, points, str(shape["mask"]))
    else:
        cure = "give the width of lines with --line-width PIXELS" if kind in LINES else "draw its outline, or delete it"
        raise UserError(
            f"{found.file}: a {kind} labelled {shape['label']} has no area: {cure}; or choose others with --label."
        )


def corners_of(points: Sequence[Point]) -> list[Point]:
    """The four corners of a rectangle, from two opposite ones."""
    (left, top), (right, bottom) = points
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def add_mask(found: Drawing, points: Sequence[Point], text: str) -> None:
    """Add a PNG in base64 that covers the box between two points, including both."""
    (left, top), (right, bottom) = (tuple(map(int, point)) for point in points)
    content = base64.b64decode(text, validate=True)
    size = right - left + 1, bottom - top + 1
    with png(found.file, content) as image:
        if image.size != size:
            raise ValueError(f"a mask has {image.width}x{image.height} pixels, its box has {size[0]}x{size[1]}")
    if min(left, top) < 0 or right >= found.width or bottom >= found.height:
        raise ValueError(f"the box of a mask, {left}, {top} to {right}, {bottom}, is outside of the photograph")
    found.add_pixels(partial(pixels_of, found.file, content), left, top)


def pixels_of(path: Path, content: bytes) -> UInt8Array:
    with png(path, content) as image:
        return np.array(image.convert("L"))


@contextmanager
def png(path: Path, content: bytes) -> Generator[Image.Image]:
    """Open the PNG in a labelme file; a damaged one is a ``UserError``."""
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            yield image
    except ValueError:
        raise
    except Exception as error:  # decoders of damaged files raise anything
        raise UserError(f"{path}: the PNG of a mask is damaged ({error}).") from error
