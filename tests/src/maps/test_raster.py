"""Photographs and masks read window by window."""

from pathlib import Path

import numpy as np
import pytest
from geotiffs import write_geotiff
from PIL import Image

from src.errors import UserError
from src.maps.header import read_header
from src.maps.raster import Band, Raster, Seen, look_at, open_dataset

PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_rows_are_those_of_the_photograph(name: str, tmp_path: Path):
    Image.fromarray(PHOTO).save(tmp_path / name)
    with open_dataset(tmp_path / name) as dataset:
        image = Raster(dataset, None)
        assert image.shape == PHOTO.shape
        for rows in (slice(0, 5), slice(30, 60), slice(None)):
            np.testing.assert_array_equal(image[rows], PHOTO[rows])


def test_a_grey_photograph_is_read_in_three_channels(tmp_path: Path):
    with open_dataset(write_geotiff(tmp_path / "a.tif", PHOTO[..., 0])) as dataset:
        np.testing.assert_array_equal(Raster(dataset, None)[0:40], np.repeat(PHOTO[..., :1], 3, axis=2))


def test_of_16_bits_the_upper_8_that_are_used_are_kept(tmp_path: Path):
    deep = PHOTO.astype(np.uint16) * 16 + 5
    with open_dataset(write_geotiff(tmp_path / "a.tif", deep)) as dataset:
        np.testing.assert_array_equal(Raster(dataset, 12)[0:40], PHOTO)
        np.testing.assert_array_equal(Raster(dataset, None)[0:40], PHOTO)
        with pytest.raises(UserError, match=r"data\.bits=10"):
            Raster(dataset, 10)[0:40]


def test_what_lies_outside_of_a_mosaic_is_not_seen(tmp_path: Path):
    alpha = np.full((40, 60, 1), 255, np.uint8)
    alpha[:10] = 0
    path = write_geotiff(tmp_path / "a.tif", np.concatenate([PHOTO, alpha], axis=2), photometric="RGB", alpha="yes")
    with open_dataset(path) as dataset:
        np.testing.assert_array_equal(Raster(dataset, None).seen[5:15], alpha[5:15, :, 0] > 0)
    with open_dataset(write_geotiff(tmp_path / "b.tif", PHOTO)) as dataset:
        assert not Raster(dataset, None).seen


@pytest.mark.parametrize("window", [np.s_[:, :], np.s_[30:75, 5:130], np.s_[60:62, :]])
def test_a_thin_part_with_the_value_of_nothing_is_a_dark_crack(window: tuple[slice, slice], tmp_path: Path):
    image = np.full((100, 150, 3), 90, np.uint8)
    image[:, :40] = 0  # outside
    image[60:64, 40:] = 0  # a crack
    with open_dataset(write_geotiff(tmp_path / "a.tif", image, nodata=0)) as dataset:
        seen = Raster(dataset, None).seen
        expected = np.ones((100, 150), np.uint8)
        expected[:, :40] = 0
        np.testing.assert_array_equal(seen[window], expected[window])
        assert not Seen(dataset)[60:64, 60:70].any()


def test_a_tiff_without_a_position_may_have_gaps(tmp_path: Path):
    hidden = np.full((40, 60), 7, np.uint8)
    plain = write_geotiff(tmp_path / "a.tif", hidden, None)
    marked = write_geotiff(tmp_path / "b.tif", hidden, None, nodata=7)
    assert not look_at(plain, read_header(plain)).flags
    assert look_at(marked, read_header(marked)).flags == {"nodata"}
    placed = write_geotiff(tmp_path / "c.tif", hidden)
    assert look_at(placed, read_header(placed)).place


def test_what_stands_for_nothing_in_a_mosaic_may_have_more_bits_than_its_photographs(tmp_path: Path):
    deep = PHOTO.astype(np.uint16) * 16
    deep[:10] = 65535
    with open_dataset(write_geotiff(tmp_path / "a.tif", deep, nodata=65535)) as dataset:
        found = Raster(dataset, 12)[0:40]
        np.testing.assert_array_equal(found[10:], PHOTO[10:])
        assert not found[:10].any()


def test_a_map_has_one_band_and_may_have_an_alpha_channel(tmp_path: Path):
    alpha = np.stack([PHOTO[..., 0], np.full((40, 60), 255, np.uint8)], axis=2)
    with open_dataset(write_geotiff(tmp_path / "a.tif", alpha, alpha="yes")) as dataset:
        np.testing.assert_array_equal(Band(dataset)[3:20, 30:100], PHOTO[3:20, 30:100, 0])
        np.testing.assert_array_equal(Band(dataset)[5:7], PHOTO[5:7, :, 0])
    with (
        open_dataset(write_geotiff(tmp_path / "c.tif", PHOTO)) as dataset,
        pytest.raises(UserError, match=r"c\.tif is not a mask: it has 3 bands"),
    ):
        Band(dataset)


def test_a_damaged_file_and_numbers_that_are_no_grey_levels_are_refused_by_name(tmp_path: Path):
    path = write_geotiff(tmp_path / "a.tif", PHOTO)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UserError, match=r"a\.tif"), open_dataset(path) as dataset:
        Raster(dataset, None)[0:40]
    with (
        open_dataset(write_geotiff(tmp_path / "b.tif", PHOTO.astype(np.float32))) as dataset,  # type: ignore[arg-type]
        pytest.raises(UserError, match=r"b\.tif: its pixels are float32"),
    ):
        Raster(dataset, None)
    with pytest.raises(UserError, match=r"nowhere\.tif"), open_dataset(tmp_path / "nowhere.tif"):
        pass


def test_without_rasterio_a_large_file_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "rasterio", None)
    with pytest.raises(UserError, match=r"a\.tif: .*pip install rasterio"), open_dataset(tmp_path / "a.tif"):
        pass
