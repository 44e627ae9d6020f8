"""Cracks on the map."""

import json
from pathlib import Path

import numpy as np
import pytest
from geotiffs import METRES, write_geotiff
from rasterio.warp import transform

from benchmarks.drawn_cracks import draw_cracks
from src.maps.georeference import Georeference
from src.maps.raster import open_dataset
from src.measuring.cracks import measure
from src.measuring.geojson import GeoJson
from src.measuring.tables import Measured
from src.measuring.units import Units


@pytest.mark.parametrize("turned", [0.0, 33.0])
def test_lines_lie_where_they_were_drawn_to_half_a_pixel(turned: float, tmp_path: Path):
    for drawn in draw_cracks(5, (10, 100)):
        if drawn.kind not in ("straight", "arc", "wave"):
            continue
        path = write_geotiff(tmp_path / "a.tif", drawn.mask * np.uint8(255), turned=turned)
        with open_dataset(path) as dataset:
            place = Georeference.of(dataset)
            crs, inverse = dataset.crs, ~dataset.transform
        height, width = drawn.mask.shape
        photograph = Measured("a.tif", path, height, width, measure(drawn.mask), georeference=place)
        with GeoJson(tmp_path / "a.geojson") as file:
            file.add(photograph, None)
        (feature,) = json.loads((tmp_path / "a.geojson").read_text())["features"]
        (line,) = feature["geometry"]["coordinates"]
        found = transform("EPSG:4326", crs, *zip(*line, strict=True))
        corners = np.array([inverse @ (east, north) for east, north in zip(found[0], found[1], strict=True)])
        along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
        every = np.arange(0, along[-1], 0.5)
        points = np.stack([np.interp(every, along, axis) for axis in corners.T], axis=1)
        away = [np.hypot(*(drawn.lines[0] - point).T).min() for point in points]
        assert np.mean(away) < 0.3
        assert np.quantile(away, 0.9) < 0.5
        assert max(away) < 2.5  # half the width, at the ends: they are square, and the line may lean to a corner


def test_the_properties_of_a_line_are_its_row_and_an_empty_file_is_one_too(tmp_path: Path):
    with GeoJson(tmp_path / "empty.geojson"):
        pass
    assert json.loads((tmp_path / "empty.geojson").read_text())["features"] == []
    mask = np.zeros((60, 100), np.uint8)
    mask[20:23, 10:90] = mask[40:43, 10:50] = 255
    path = write_geotiff(tmp_path / "a.tif", mask)
    with open_dataset(path) as dataset:
        place = Georeference.of(dataset)
    photograph = Measured("a.tif", path, 60, 100, measure(mask), units=Units(1000 * METRES), georeference=place)
    with GeoJson(tmp_path / "a.geojson") as file:
        file.add(photograph, None)
        file.add(photograph, None)
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert [one["properties"]["crack"] for one in features] == [1, 2, 1, 2]
    assert features[0]["properties"]["length_mm"] == pytest.approx(80 * 4, rel=0.02)
