"""Pixels and places."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geotiffs import EAST, METRES, NORTH, UTM, write_geotiff
from rasterio.crs import CRS
from rasterio.transform import Affine
from rasterio.warp import transform

from src.errors import UserError
from src.maps.georeference import Georeference
from src.maps.raster import open_dataset

MASK = np.zeros((30, 50), np.uint8)


def test_a_pixel_is_where_it_was_put_to_a_fraction_of_a_millimetre(tmp_path: Path):
    with open_dataset(write_geotiff(tmp_path / "a.tif", MASK, turned=30)) as dataset:
        place = Georeference.of(dataset)
    assert place is not None
    points = np.array([[0.0, 0.0], [50.0, 0.0], [12.5, 30.0]])
    found: Any = transform("EPSG:4326", UTM, *zip(*place.degrees(points), strict=True))
    east, north = found[0], found[1]
    for (x, y), e, n in zip(points, east, north, strict=True):
        expected = Affine.translation(EAST, NORTH) * Affine.rotation(30) * Affine.scale(METRES, -METRES) * (x, y)
        assert np.hypot(e - expected[0], n - expected[1]) < 5e-4


def test_the_scale_is_that_of_the_map_in_metres_or_feet(tmp_path: Path):
    for crs, expected in ((UTM, 4.0), ("EPSG:2263", 4 * 0.3048006096), ("EPSG:4326", None)):
        with open_dataset(write_geotiff(tmp_path / "a.tif", MASK, crs, turned=20)) as dataset:
            place = Georeference.of(dataset)
        assert place is not None
        assert place.mm_per_pixel == (pytest.approx(expected) if expected else None), crs


def test_pixels_that_are_not_square_are_refused():
    place = Georeference(CRS.from_string(UTM), Affine.scale(0.004, -0.005))
    with pytest.raises(UserError, match="square"):
        _ = place.mm_per_pixel


def test_a_file_without_a_georeference_has_none(tmp_path: Path):
    with open_dataset(write_geotiff(tmp_path / "a.tif", MASK, None)) as dataset:
        assert Georeference.of(dataset) is None
