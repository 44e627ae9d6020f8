"""Opening photographs to predict."""

from pathlib import Path

import numpy as np
import pytest
from geotiffs import write_geotiff
from PIL import Image

from src.maps import raster
from src.predicting import photographs
from src.predicting.photographs import open_photograph

PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_a_photograph_is_an_array_and_one_with_a_georeference_a_file(tmp_path: Path):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    for path, is_file in ((tmp_path / "a.png", False), (write_geotiff(tmp_path / "b.tif", PHOTO), True)):
        with open_photograph(path, None) as photograph:
            assert photograph.is_file == (photograph.place is not None) == is_file
            np.testing.assert_array_equal(photograph.image[0:40], PHOTO)
            assert (photograph.seen(slice(0, 5)) is not None) == is_file


def test_a_large_photograph_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    monkeypatch.setattr(raster, "MAX_PIXELS", 100)
    with open_photograph(tmp_path / "a.png", None) as photograph:
        assert photograph.is_file
        assert photograph.place is None


def test_without_rasterio_a_georeference_is_lost_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(photographs, "find_spec", lambda name: None)
    with open_photograph(write_geotiff(tmp_path / "b.tif", PHOTO), None) as photograph:
        assert not photograph.is_file
    assert "pip install rasterio" in capsys.readouterr().out
