"""Positions from EXIF data."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from src.measuring.places import Place, place_of


def photograph(path: Path, gps: Mapping[int, object]) -> Path:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path, exif=exif)
    return path


def test_a_position_is_read_with_its_sides(tmp_path: Path):
    gps = {1: "S", 2: (33.0, 51.0, 35.9), 3: "E", 4: (151.0, 12.0, 40.0)}
    found = place_of(photograph(tmp_path / "a.jpg", gps))
    assert found.latitude == pytest.approx(-33.859972, abs=1e-5)
    assert found.longitude == pytest.approx(151.211111, abs=1e-5)


@pytest.mark.parametrize(
    "gps",
    [
        {},
        {1: "N", 2: (33.0, 51.0, 35.9)},
        {1: "N", 2: (133.0, 51.0, 35.9), 3: "E", 4: (151.0, 12.0, 40.0)},
        {1: "N", 2: (33.0,), 3: "E", 4: (151.0, 12.0, 40.0)},
    ],
)
def test_without_a_whole_position_there_is_none(gps: Mapping[int, object], tmp_path: Path):
    assert place_of(photograph(tmp_path / "a.jpg", gps)) == Place()


def test_a_file_that_is_no_photograph_has_no_position(tmp_path: Path):
    (tmp_path / "a.jpg").write_text("text")
    assert place_of(tmp_path / "a.jpg") == Place()
