"""Opening photographs to predict."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from geotiffs import write_geotiff
from PIL import Image

from src.maps import header
from src.predicting.photographs import open_photograph

PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_a_photograph_is_an_array_and_one_with_a_georeference_a_file(tmp_path: Path):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    for path, is_file in ((tmp_path / "a.png", False), (write_geotiff(tmp_path / "b.tif", PHOTO), True)):
        with open_photograph(path, None) as photograph:
            assert photograph.is_file == (photograph.place is not None) == is_file
            np.testing.assert_array_equal(photograph.image[0:40], PHOTO)


def test_a_large_photograph_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    monkeypatch.setattr(header, "MAX_PIXELS", 100)
    with open_photograph(tmp_path / "a.png", None) as photograph:
        assert photograph.is_file
        assert photograph.place is None


def test_without_rasterio_a_georeference_is_lost_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(header, "find_spec", lambda name: None)
    with open_photograph(write_geotiff(tmp_path / "b.tif", PHOTO), None) as photograph:
        assert not photograph.is_file
    assert "pip install rasterio" in capsys.readouterr().out


def test_a_world_file_without_a_map_is_lost_and_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    Image.fromarray(PHOTO).save(tmp_path / "a.jpg")
    (tmp_path / "a.jgw").write_text("0.004\n0\n0\n-0.004\n691000\n5335000\n")
    with open_photograph(tmp_path / "a.jpg", None) as photograph:
        assert not photograph.is_file
    said = capsys.readouterr().out
    command = next(part for part in said.split("`") if part.startswith("rio "))
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(command.replace("CODE", "32632"), shell=True, cwd=tmp_path, check=True, env=environment)
    with open_photograph(tmp_path / "a.jpg", None) as photograph:
        assert photograph.place is not None
        assert photograph.place.mm_per_pixel == pytest.approx(4, rel=1e-3)
    assert capsys.readouterr().out == ""
