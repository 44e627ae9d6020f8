"""What the beginning of an image file says."""

from pathlib import Path

import numpy as np
import pytest
from geotiffs import write_geotiff
from PIL import Image

from src.maps import header
from src.maps.header import read_header

PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
WORLD = "0.004\n0\n0\n-0.004\n691000\n5335000\n"


def test_a_header_says_whether_a_file_is_large_and_whether_it_has_a_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    placed = write_geotiff(tmp_path / "placed.tif", PHOTO)
    Image.fromarray(PHOTO).save(tmp_path / "plain.tif")
    (tmp_path / "none.png").write_text("text")
    headers = {name: read_header(tmp_path / name) for name in ("placed.tif", "plain.tif", "none.png")}
    assert {name: (one.is_large, one.has_position) for name, one in headers.items()} == {
        "placed.tif": (False, True),
        "plain.tif": (False, False),
        "none.png": (False, False),
    }
    monkeypatch.setattr(header, "MAX_PIXELS", 2399)
    assert read_header(placed).is_large


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("a.tif", "a.tfw"),
        ("a.tiff", "a.tfw"),
        ("a.jpg", "a.jgw"),
        ("a.png", "a.pngw"),
        ("a.png", "a.wld"),
        ("A.TIF", "A.TFW"),
    ],
)
def test_a_world_file_gives_a_position(name: str, beside: str, tmp_path: Path):
    Image.fromarray(PHOTO).save(tmp_path / name)
    assert not read_header(tmp_path / name).has_position
    (tmp_path / beside).write_text(WORLD)
    assert read_header(tmp_path / name).has_position


def test_statistics_that_another_program_keeps_are_no_position(tmp_path: Path):
    Image.fromarray(PHOTO).save(tmp_path / "a.jpg")
    beside = tmp_path / "a.jpg.aux.xml"
    beside.write_text("<PAMDataset><PAMRasterBand/></PAMDataset>")
    assert not read_header(tmp_path / "a.jpg").has_position
    beside.write_text("<PAMDataset><GeoTransform>1, 2, 0, 3, 0, -2</GeoTransform></PAMDataset>")
    assert read_header(tmp_path / "a.jpg").has_position
