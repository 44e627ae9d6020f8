"""Cracks that people drew as polygons, in COCO's and labelme's JSON, as masks."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from src.data.files import UInt8Array
from src.errors import UserError
from src.folders import refuse_irregular

DAMAGE = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What comes of a file that holds other things than its format says."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Outlines:
    """What was drawn on one photograph: polygons of (x, y) in its pixels."""

    width: int
    height: int
    polygons: list[Points] = field(default_factory=list[Points])

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1:
            raise ValueError(f"no photograph has {self.width}x{self.height} pixels")

    def add(self, points: Points) -> None:
        """One more polygon. A corner that is nowhere, or further outside than the photograph is large, is an error."""
        side = max(self.width, self.height)
        for x, y in points:
            if not (-side <= x <= 2 * side and -side <= y <= 2 * side):
                raise ValueError(f"({x}, {y}) is no place in a photograph of {self.width}x{self.height} pixels")
        self.polygons.append(points)

    def mask(self) -> UInt8Array:
        """(H, W) uint8 in {0, 1}: 1 inside of any polygon."""
        drawn = np.zeros((self.height, self.width), np.uint8)
        for points in self.polygons:
            corners = np.array(points, dtype=np.float64).round().astype(np.int32)
            cv2.fillPoly(drawn, [corners], 1)  # one at a time: together, overlaps would cancel
        return drawn


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if it holds something else. What is no JSON is a ``UserError``."""
    refuse_irregular(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"Cannot read {path}: {error}.") from error
    return cast(dict[str, Any], found) if isinstance(found, dict) else {}


def is_coco(path: Path) -> bool:
    return path.suffix.lower() == ".json" and {"images", "annotations"} <= read_json(path).keys()


def read_coco(path: Path, labels: Collection[str]) -> dict[str, Outlines]:
    """File name to what was drawn on it; of the categories ``labels``, or of all. A photograph may have none.

    Run-length encodings, other labels than the file has, and what COCO does not allow are a ``UserError``.
    """
    about = read_json(path)
    try:
        names = {int(one["id"]): str(one["name"]) for one in about.get("categories", [])}
        refuse_unknown(path, labels, names.values())
        images = {int(one["id"]): one for one in about["images"]}
        found = {key: Outlines(int(one["width"]), int(one["height"])) for key, one in images.items()}
        for one in about["annotations"]:
            if labels and names.get(int(one["category_id"])) not in labels:
                continue
            if not isinstance(one["segmentation"], list):
                raise UserError(f"{path}: annotation {one.get('id')} is run-length encoded; export it as polygons.")
            if not one["segmentation"]:
                raise UserError(f"{path}: annotation {one.get('id')} is a box without a polygon.")
            for flat in one["segmentation"]:
                found[int(one["image_id"])].add(pairs(flat))
        return {str(one["file_name"]): found[key] for key, one in images.items()}
    except DAMAGE as error:
        raise UserError(f"{path} is not as COCO has it: {error!r}.") from error


def pairs(flat: Sequence[float]) -> Points:
    """x, y, x, y, ... as points."""
    return list(zip((float(x) for x in flat[::2]), (float(y) for y in flat[1::2]), strict=True))


def read_labelme(path: Path, labels: Collection[str]) -> Outlines:
    """What was drawn on one photograph: polygons and rectangles, of ``labels`` or of all.

    Lines have no width, and are a ``UserError`` like all that labelme does not write.
    """
    about = read_json(path)
    try:
        shapes = about["shapes"]
        found = Outlines(int(about["imageWidth"]), int(about["imageHeight"]))
        for shape in shapes:
            if labels and str(shape["label"]) not in labels:
                continue
            points = [(float(x), float(y)) for x, y in shape["points"]]
            kind = shape.get("shape_type", "polygon")
            if kind == "rectangle" and len(points) == 2:
                (left, top), (right, bottom) = points
                points = [(left, top), (right, top), (right, bottom), (left, bottom)]
            elif kind not in ("polygon", "rectangle"):
                raise UserError(f"{path}: a {kind} has no area; draw polygons or rectangles.")
            found.add(points)
        return found
    except DAMAGE as error:
        raise UserError(f"{path} is not as labelme has it: {error!r}.") from error


def labels_of(path: Path) -> set[str]:
    """The labels that a labelme file has."""
    try:
        return {str(shape["label"]) for shape in read_json(path)["shapes"]}
    except DAMAGE as error:
        raise UserError(f"{path} is not as labelme has it: {error!r}.") from error


def refuse_unknown(path: Path, labels: Collection[str], known: Collection[str]) -> None:
    if unknown := sorted(set(labels) - set(known)):
        raise UserError(f"--label {unknown[0]}: {path} has no such label, but {', '.join(sorted(known)) or 'none'}.")
