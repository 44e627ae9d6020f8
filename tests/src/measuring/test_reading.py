"""Masks that are read whole and in windows, and their scale."""

from pathlib import Path

import numpy as np
import pytest
from geotiffs import METRES, write_geotiff
from PIL import Image

from benchmarks.drawn_cracks import draw_cracks
from src.errors import UserError
from src.maps import raster
from src.measuring import reading
from src.measuring.reading import Reader
from src.measuring.sources import Source

(DRAWN,) = (one for one in draw_cracks(6, (20,)) if one.kind == "branched")
MASK = DRAWN.mask * np.uint8(255)
PHOTO = np.repeat(255 - MASK[..., None] // 2, 3, axis=2)


def read(*sources: Source, scale: float | None = None, georeferenced: bool = False) -> list[tuple[float, float | None]]:
    """Length in pixels, and the scale, of each."""
    reader = Reader(sources, scale, georeferenced)
    found = [reader.read(source, 0)[0] for source in sources]
    return [(sum(crack.length for crack in one.cracks), one.units.mm_per_pixel) for one in found]


def test_a_mask_in_windows_is_measured_as_one_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Image.fromarray(MASK).save(tmp_path / "a.png")
    Image.fromarray(PHOTO).save(tmp_path / "p.png")
    ((whole, none),) = read(Source(tmp_path / "a.png", tmp_path / "p.png"))
    assert none is None
    monkeypatch.setattr(raster, "MAX_PIXELS", 100)
    for photograph in (None, tmp_path / "p.png"):
        source = Source(tmp_path / "a.png", photograph)
        found, picture = Reader([source], None, False).read(source, 0)
        assert sum(crack.length for crack in found.cracks) == whole
        assert picture.shape == PHOTO.shape
        assert (picture[MASK > 0].mean() < picture[MASK == 0].mean()) or photograph is None


def test_a_georeference_gives_the_scale_unless_the_user_does(tmp_path: Path):
    placed = Source(write_geotiff(tmp_path / "a.tif", MASK), None)
    Image.fromarray(MASK).save(tmp_path / "b.png")
    plain = Source(tmp_path / "b.png", None)
    assert [scale for _, scale in read(placed)] == [pytest.approx(1000 * METRES, rel=1e-3)]
    assert [scale for _, scale in read(placed, scale=2)] == [2]
    assert [scale for _, scale in read(placed, plain)] == [None, None]


def test_lines_on_the_map_need_a_georeference_of_every_mask(tmp_path: Path):
    Image.fromarray(MASK).save(tmp_path / "b.png")
    bare = Source(write_geotiff(tmp_path / "c.tif", MASK, None), None)
    for source in (Source(tmp_path / "b.png", None), bare):
        with pytest.raises(UserError, match=f"--geojson: {source.mask}"):
            read(source, georeferenced=True)


def test_without_rasterio_a_small_georeferenced_mask_is_an_ordinary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    placed = Source(write_geotiff(tmp_path / "a.tif", MASK), None)
    ((length, _),) = read(placed)
    monkeypatch.setattr(reading, "find_spec", lambda name: None)
    assert read(placed) == [(length, None)]


def test_a_photograph_of_another_size_is_refused_in_windows_too(tmp_path: Path):
    placed = write_geotiff(tmp_path / "a.tif", MASK)
    other = write_geotiff(tmp_path / "p.tif", PHOTO[:-1])
    with pytest.raises(UserError, match=r"p\.tif is \d+x\d+ pixels and its mask .*a\.tif"):
        read(Source(placed, other))
