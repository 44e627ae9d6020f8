"""Writes masks as label files: labelme's JSON beside each photograph, or one COCO file for all."""

import json
import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from src.atomic import replace_text
from src.data.files import UInt8Array
from src.datasets.outlines import parts_of, polygon_of, run_lengths

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
        shutil.copyfile(photograph, self.folder / photograph.name)
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
    """Masks of parts as run lengths: COCO's polygons have no holes, and count pixels by their corners."""

    def __init__(self, folder: Path, tolerance: float) -> None:
        super().__init__(folder, tolerance)
        (folder / "images").mkdir()
        self.images, self.annotations = list[dict[str, Any]](), list[dict[str, Any]]()

    def add(self, photograph: Path, mask: UInt8Array) -> int:
        shutil.copyfile(photograph, self.folder / "images" / photograph.name)
        height, width = mask.shape
        number = len(self.images) + 1
        self.images.append({"id": number, "file_name": photograph.name, "width": width, "height": height})
        count, labels, stats, _ = cv2.connectedComponentsWithStats((mask > 0).astype(np.uint8), connectivity=8)
        for part in range(1, count):
            about = {"id": len(self.annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": 1}
            left, top, wide, high, area = (int(one) for one in stats[part])
            runs = {"size": [height, width], "counts": run_lengths((np.asarray(labels) == part).astype(np.uint8))}
            about |= {"area": area, "bbox": [left, top, wide, high], "segmentation": runs}
            self.annotations.append(about)
        return count - 1

    def close(self) -> None:
        categories = [{"id": 1, "name": LABEL, "supercategory": ""}]
        content = {"images": self.images, "annotations": self.annotations, "categories": categories}
        replace_text(self.folder / "annotations.json", json.dumps(content))


FORMATS: dict[str, type[LabelFiles]] = {"labelme": Labelme, "coco": Coco}
