"""Label files are read back as the masks that they were written from."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.data.files import UInt8Array
from src.datasets.coco import read_coco
from src.datasets.drawings import ShapeRules
from src.datasets.label_files import FORMATS
from src.datasets.labelme import read_labelme

RING: UInt8Array = np.zeros((40, 60), np.uint8)
RING[5:30, 5:40] = 1
RING[12:20, 12:30] = 0
RING[35:37, 3:50] = 1


def photograph(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(folder / "a.jpg")
    return folder / "a.jpg"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_mask_with_a_hole_is_read_back(kind: str, tmp_path: Path):
    (tmp_path / "out").mkdir()
    files = FORMATS[kind](tmp_path / "out", 0.5)
    assert files.add(photograph(tmp_path / "in"), RING) == 2
    files.close()
    if kind == "labelme":
        drawing = read_labelme(tmp_path / "out" / "a.json", ShapeRules(("crack",)))
        assert (tmp_path / "out" / "a.jpg").is_file()
    else:
        ((name, drawing),) = read_coco(tmp_path / "out" / "annotations.json", ShapeRules(("crack",)))
        assert (tmp_path / "out" / "images" / name).is_file()
    np.testing.assert_array_equal(drawing.mask(), RING)
    assert drawing.labels == {"crack"}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_photograph_without_crack_has_an_empty_drawing(kind: str, tmp_path: Path):
    (tmp_path / "out").mkdir()
    files = FORMATS[kind](tmp_path / "out", 0.5)
    assert files.add(photograph(tmp_path / "in"), RING * np.uint8(0)) == 0
    files.close()
    path = tmp_path / "out" / ("a.json" if kind == "labelme" else "annotations.json")
    drawing = read_labelme(path, ShapeRules()) if kind == "labelme" else read_coco(path, ShapeRules())[0][1]
    assert not drawing.mask().any()
