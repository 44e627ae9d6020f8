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

AXES = 'AXIS["e",east],AXIS["n",north]'
MASK = np.zeros((30, 50), np.uint8)


def test_a_pixel_is_where_it_was_put_to_a_fraction_of_a_millimetre(tmp_path: Path):
    with open_dataset(write_geotiff(tmp_path / "a.tif", MASK, turned=30)) as dataset:
        place = Georeference.of(dataset)
    assert place is not None
    points = np.array([[0.0, 0.0], [50.0, 0.0], [12.5, 30.0]])
    found: Any = transform("EPSG:4326", UTM, *zip(*place.degrees(points), strict=True))
    east, north = found[0], found[1]
    for (x, y), e, n in zip(points, east, north, strict=True):
        expected = Affine.translation(EAST, NORTH) @ Affine.rotation(30) @ Affine.scale(METRES, -METRES) @ (x, y)
        assert np.hypot(e - expected[0], n - expected[1]) < 5e-4


@pytest.mark.parametrize("turned", [0.0, 20.0])
def test_the_scale_is_that_of_the_ground_on_every_map(turned: float, tmp_path: Path):
    with open_dataset(write_geotiff(tmp_path / "a.tif", MASK, turned=turned)) as dataset:
        place = Georeference.of(dataset)
    assert place is not None
    assert place.mm_per_pixel == pytest.approx(4, rel=2e-4)  # of this map, 191 km from its middle
    (longitude, latitude), _ = place.degrees(np.array([[25.0, 15.0], [0.0, 0.0]]))
    found: Any = transform("EPSG:4326", "EPSG:3857", [longitude], [latitude])
    web = Affine.translation(found[0][0], found[1][0]) @ Affine.scale(0.006, -0.006)
    ground = 6 * np.cos(np.radians(latitude))  # web maps are larger by 1 / cos(latitude), a little less to the north
    assert Georeference(CRS.from_epsg(3857), web, (25, 15)).mm_per_pixel == pytest.approx(ground, rel=5e-3)


def test_pixels_that_are_not_square_are_refused():
    place = Georeference(CRS.from_string(UTM), Affine.translation(EAST, NORTH) @ Affine.scale(0.004, -0.005), (9, 9))
    with pytest.raises(UserError, match="no square"):
        _ = place.mm_per_pixel


def test_what_is_outside_of_a_projection_is_refused():
    place = Georeference(CRS.from_string(UTM), Affine.translation(1e9, 1e9) @ Affine.scale(1, -1), (9, 9))
    with pytest.raises(UserError, match="degrees"):
        place.degrees(np.array([[0.0, 0.0]]))


def test_a_file_without_a_georeference_has_none(tmp_path: Path):
    with open_dataset(write_geotiff(tmp_path / "a.tif", MASK, None)) as dataset:
        assert Georeference.of(dataset) is None


@pytest.mark.parametrize(("unit", "metres"), [('"metre",1', 1.0), ('"foot",0.3048', 0.3048)])
def test_the_scale_on_the_grid_of_a_site_is_in_its_unit(unit: str, metres: float):
    for text in (
        f'LOCAL_CS["site",UNIT[{unit}]]',
        f'ENGCRS["site",EDATUM["d"],CS[Cartesian,2],{AXES},LENGTHUNIT[{unit}]]',
    ):
        place = Georeference(CRS.from_wkt(text), Affine.rotation(20) @ Affine.scale(0.002, -0.002), (9, 9))
        assert place.mm_per_pixel == pytest.approx(2 * metres)
        with pytest.raises(UserError, match="degrees"):
            place.degrees(np.array([[0.0, 0.0]]))


def test_a_grid_of_an_unknown_unit_has_no_scale():
    place = Georeference(CRS.from_wkt('LOCAL_CS["unnamed",UNIT["unknown",1]]'), Affine.scale(0.002, -0.002), (9, 9))
    with pytest.raises(UserError, match="degrees"):
        _ = place.mm_per_pixel
