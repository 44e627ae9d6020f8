"""Writes masks as label files: labelme's JSON beside each photograph, or one COCO file for all."""

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from src.atomic import link_or_copy, replace_text
from src.data.files import UInt8Array
from src.datasets.outlines import Part, parts_of, polygon_of, run_lengths

LABELME = "5.5.0"
"""The version of labelme whose format is written."""
LABEL = "crack"


class LabelFiles(ABC):
    """A folder with photographs and their labels, for one program."""

    def __init__(self, folder: Path, tolerance: float) -> None:
        """``tolerance``: pixels by which a polygon may be off, see ``polygon_of``."""
        self.folder, self.tolerance = folder, tolerance

    @abstractmethod
    def add(self, photograph: Path, mask: UInt8Array) -> int:
        """A photograph, and its mask (H, W), crack where it is not 0; returns the number of shapes."""

    @abstractmethod
    def close(self) -> None:
        """Write what can be written only at the end."""


class Labelme(LabelFiles):
    def add(self, photograph: Path, mask: UInt8Array) -> int:
        link_or_copy(photograph, self.folder / photograph.name)
        shapes = [
            {
                "label": LABEL,
                "points": polygon_of(part, self.tolerance).astype(float).tolist(),
                "group_id": None,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
            }
            for part in parts_of(mask)
        ]
        about = {"version": LABELME, "flags": {}, "shapes": shapes, "imagePath": photograph.name, "imageData": None}
        about |= {"imageHeight": mask.shape[0], "imageWidth": mask.shape[1]}
        replace_text(self.folder / f"{photograph.stem}.json", json.dumps(about))
        return len(shapes)

    def close(self) -> None:
        """Nothing: each photograph has a file of its own."""


class Coco(LabelFiles):
    """Parts with holes are run lengths, which have no tolerance: COCO's polygons have no holes."""

    def __init__(self, folder: Path, tolerance: float) -> None:
        super().__init__(folder, tolerance)
        (folder / "images").mkdir()
        self.images, self.annotations = list[dict[str, Any]](), list[dict[str, Any]]()

    def add(self, photograph: Path, mask: UInt8Array) -> int:
        link_or_copy(photograph, self.folder / "images" / photograph.name)
        height, width = mask.shape
        number = len(self.images) + 1
        self.images.append({"id": number, "file_name": photograph.name, "width": width, "height": height})
        parts = parts_of(mask)
        for part in parts:
            about = {"id": len(self.annotations) + 1, "image_id": number, "category_id": 1}
            self.annotations.append(about | self._shape(part, mask.shape))
        return len(parts)

    def _shape(self, part: Part, shape: tuple[int, ...]) -> dict[str, Any]:
        drawn = np.zeros(shape, np.uint8)
        cv2.fillPoly(drawn, [part.outline.astype(np.int32)], 1)
        for hole in part.holes:
            inner = np.zeros_like(drawn)
            cv2.fillPoly(inner, [hole.astype(np.int32)], 1)
            cv2.polylines(inner, [hole.astype(np.int32)], True, 0)  # the line of a hole is crack
            drawn &= 1 - inner
        (left, top), (right, bottom) = part.outline.min(axis=0).tolist(), part.outline.max(axis=0).tolist()
        box = [left, top, right - left + 1, bottom - top + 1]
        about: dict[str, Any] = {"area": int(drawn.sum()), "bbox": box, "iscrowd": int(bool(part.holes))}
        if part.holes:
            return about | {"segmentation": {"size": list(shape), "counts": run_lengths(drawn)}}
        return about | {"segmentation": [polygon_of(part, self.tolerance).ravel().tolist()]}

    def close(self) -> None:
        categories = [{"id": 1, "name": LABEL, "supercategory": ""}]
        content = {"images": self.images, "annotations": self.annotations, "categories": categories}
        replace_text(self.folder / "annotations.json", json.dumps(content))


FORMATS: dict[str, type[LabelFiles]] = {"labelme": Labelme, "coco": Coco}
