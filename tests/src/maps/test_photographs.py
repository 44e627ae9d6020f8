"""Opening photographs to predict."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from geotiffs import UTM, write_geotiff
from PIL import Image

from src.maps import header
from src.maps.photographs import brightest_seen, open_photograph

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


def test_what_is_transparent_is_not_seen(tmp_path: Path):
    alpha = np.full((40, 60, 1), 255, np.uint8)
    alpha[:, :20] = 0
    values = np.concatenate([PHOTO, alpha], axis=2)
    Image.fromarray(values).save(tmp_path / "a.png")
    write_geotiff(tmp_path / "b.tif", values, None, photometric="RGB", alpha="yes")
    write_geotiff(tmp_path / "c.tif", np.where(alpha > 0, PHOTO, 0).astype(np.uint8), None, nodata=0)
    for name in ("a.png", "b.tif", "c.tif"):
        with open_photograph(tmp_path / name, None) as photograph:
            assert photograph.seen is not None
            np.testing.assert_array_equal(photograph.seen[3:30], alpha[3:30, :, 0] > 0)
            assert photograph.is_file == (name != "a.png")
    Image.fromarray(np.concatenate([PHOTO, np.full_like(alpha, 255)], axis=2)).save(tmp_path / "d.png")
    with open_photograph(tmp_path / "d.png", None) as photograph:
        assert photograph.seen is None


def test_how_bright_a_photograph_is_does_not_depend_on_what_lies_outside_of_it(tmp_path: Path):
    deep = PHOTO.astype(np.uint16) * 16
    deep[:20, :20] = 65535
    for crs in (None, UTM):
        assert brightest_seen(write_geotiff(tmp_path / "a.tif", deep, crs, nodata=65535)) == deep[20:].max()
    assert brightest_seen(write_geotiff(tmp_path / "b.tif", deep)) == 65535
    bands = np.concatenate([deep, deep], axis=2)
    assert brightest_seen(write_geotiff(tmp_path / "c.tif", bands[20:])) == deep[20:].max()
    assert brightest_seen(write_geotiff(tmp_path / "d.tif", PHOTO)) is None
    (tmp_path / "e.tif").write_text("no picture")
    assert brightest_seen(tmp_path / "e.tif") is None
