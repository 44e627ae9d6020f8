"""Masks that are read whole and in windows, and their scale."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from geotiffs import METRES, write_geotiff
from PIL import Image
from rasterio.transform import Affine

from benchmarks.drawn_cracks import draw_cracks
from src.data.masks import UserRule
from src.errors import UserError
from src.maps import header
from src.measuring.masks import FoundMask
from src.measuring.reading import Reader
from src.measuring.tables import photograph_row

(DRAWN,) = (one for one in draw_cracks(6, (20,)) if one.kind == "branched")
MASK = DRAWN.mask * np.uint8(255)
PHOTO = np.repeat(255 - MASK[..., None] // 2, 3, axis=2)


def read(
    *sources: FoundMask, scale: float | None = None, georeferenced: bool = False
) -> list[tuple[float, float | None]]:
    """Length in pixels, and the scale, of each."""
    reader = Reader(sources, scale, georeferenced)
    found = [reader.read(source, 0)[0] for source in sources]
    return [(sum(crack.length for crack in one.cracks), one.units.mm_per_pixel) for one in found]


def test_a_mask_in_windows_is_measured_as_one_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Image.fromarray(MASK).save(tmp_path / "a.png")
    Image.fromarray(PHOTO).save(tmp_path / "p.png")
    ((whole, none),) = read(FoundMask(tmp_path / "a.png", tmp_path / "p.png"))
    assert none is None
    monkeypatch.setattr(header, "MAX_PIXELS", 100)
    for photograph in (None, tmp_path / "p.png"):
        source = FoundMask(tmp_path / "a.png", photograph)
        found, picture = Reader([source]).read(source, 0)
        assert sum(crack.length for crack in found.cracks) == whole
        assert picture.shape == PHOTO.shape
        assert (picture[MASK > 0].mean() < picture[MASK == 0].mean()) or photograph is None


def test_a_georeference_gives_the_scale_unless_the_user_does(tmp_path: Path):
    placed = FoundMask(write_geotiff(tmp_path / "a.tif", MASK), None)
    Image.fromarray(MASK).save(tmp_path / "b.png")
    plain = FoundMask(tmp_path / "b.png", None)
    assert [scale for _, scale in read(placed)] == [pytest.approx(1000 * METRES, rel=1e-3)]
    assert [scale for _, scale in read(placed, scale=2)] == [2]
    assert [scale for _, scale in read(placed, plain)] == [None, None]


def test_lines_on_the_map_need_a_georeference_of_every_mask(tmp_path: Path):
    Image.fromarray(MASK).save(tmp_path / "b.png")
    bare = FoundMask(write_geotiff(tmp_path / "c.tif", MASK, None), None)
    for source in (FoundMask(tmp_path / "b.png", None), bare):
        with pytest.raises(UserError, match=f"--geojson: {source.path}"):
            read(source, georeferenced=True)


def test_without_rasterio_a_small_georeferenced_mask_is_an_ordinary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    placed = FoundMask(write_geotiff(tmp_path / "a.tif", MASK), None)
    ((length, _),) = read(placed)
    monkeypatch.setattr(header, "find_spec", lambda name: None)
    assert read(placed) == [(length, None)]


def test_a_photograph_of_another_size_is_refused_in_windows_too(tmp_path: Path):
    placed = write_geotiff(tmp_path / "a.tif", MASK)
    other = write_geotiff(tmp_path / "p.tif", PHOTO[:-1])
    with pytest.raises(UserError, match=r"p\.tif is \d+x\d+ pixels and its mask .*a\.tif"):
        read(FoundMask(placed, other))


def test_what_is_outside_of_a_mosaic_is_no_pavement(tmp_path: Path):
    seen = np.ones(MASK.shape, bool)
    seen[:, : MASK.shape[1] // 3] = False
    alpha = np.concatenate([PHOTO, seen[..., None] * np.uint8(255)], axis=2)
    mosaic = write_geotiff(tmp_path / "p.tif", alpha, photometric="RGB", alpha="yes")
    marked = write_geotiff(tmp_path / "a.tif", np.where(seen, MASK, 7).astype(np.uint8), nodata=7)
    plain = write_geotiff(tmp_path / "b.tif", np.where(seen, MASK, 0).astype(np.uint8))
    for mask in (FoundMask(marked, None), FoundMask(plain, mosaic)):
        found, _ = Reader([mask]).read(mask, 0)
        row = photograph_row(found, None)
        assert row["seen_px"] == seen.sum()
        assert row["share"] == pytest.approx((MASK[seen] > 0).mean(), abs=1e-6)
        assert any(crack.at_border for crack in found.cracks) == bool(MASK[:, MASK.shape[1] // 3].any())


def test_a_mask_whose_photograph_is_damaged_is_measured_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    Image.fromarray(MASK).save(tmp_path / "a.png")
    Image.fromarray(PHOTO).save(tmp_path / "a.jpg")
    cut = write_geotiff(tmp_path / "p.tif", PHOTO)
    for path in (tmp_path / "a.jpg", cut):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    expected = read(FoundMask(tmp_path / "a.png", None))
    assert read(FoundMask(tmp_path / "a.png", tmp_path / "a.jpg")) == expected
    assert "a.jpg" in capsys.readouterr().out
    ((length, _),) = read(FoundMask(write_geotiff(tmp_path / "b.tif", MASK), cut))
    assert length == expected[0][0]
    assert "p.tif" in capsys.readouterr().out


def test_the_user_says_what_is_crack_in_windows_and_in_memory(tmp_path: Path):
    for level, rule in ((0, UserRule(((0, 0, 0),))), (200, UserRule(above=150))):
        values = np.where(MASK > 0, level, 128).astype(np.uint8)
        Image.fromarray(values).save(tmp_path / "a.png")
        found = [
            sum(crack.length for crack in Reader([mask], user_rule=rule).read(mask, 0)[0].cracks)
            for mask in (
                FoundMask(tmp_path / "a.png", None),
                FoundMask(write_geotiff(tmp_path / "b.tif", values), None),
            )
        ]
        Image.fromarray(MASK).save(tmp_path / "a.png")
        assert found == [read(FoundMask(tmp_path / "a.png", None))[0][0]] * 2


def test_crack_beyond_its_mosaic_is_not_measured(tmp_path: Path):
    seen = np.ones(MASK.shape, bool)
    seen[:, : MASK.shape[1] // 3] = False
    alpha = np.concatenate([PHOTO, seen[..., None] * np.uint8(255)], axis=2)
    Image.fromarray(MASK).save(tmp_path / "m.png")
    Image.fromarray(alpha).save(tmp_path / "p.png")
    for photograph in (tmp_path / "p.png", write_geotiff(tmp_path / "p.tif", alpha, photometric="RGB", alpha="yes")):
        mask = FoundMask(tmp_path / "m.png", photograph)
        found, _ = Reader([mask]).read(mask, 0)
        assert sum(crack.area for crack in found.cracks) == (MASK[seen] > 0).sum()
        assert found.pixels == seen.sum()


def test_a_map_without_a_scale_is_said_and_all_is_in_pixels(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    placed = FoundMask(write_geotiff(tmp_path / "a.tif", MASK), None)
    flat = FoundMask(write_geotiff(tmp_path / "b.tif", MASK), None)
    with rasterio.open(flat.path, "r+") as file:
        file.transform = file.transform @ Affine.scale(1, 2)
    assert [scale for _, scale in read(placed, flat)] == [None, None]
    assert "b.tif: no scale" in capsys.readouterr().out


def test_a_grid_of_a_site_has_a_scale_and_no_place_on_the_earth(tmp_path: Path):
    site = FoundMask(write_geotiff(tmp_path / "a.tif", MASK, 'LOCAL_CS["site",UNIT["metre",1]]'), None)
    assert [scale for _, scale in read(site)] == [pytest.approx(1000 * METRES)]
    with pytest.raises(UserError, match=r"--geojson: .*a\.tif"):
        read(site, georeferenced=True)
