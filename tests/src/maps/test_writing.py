"""Maps written row by row."""

import errno
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from geotiffs import write_geotiff
from PIL import Image
from rasterio.errors import RasterioIOError

from src.data.files import count_more_pages
from src.errors import UserError
from src.maps.georeference import Georeference
from src.maps.raster import open_dataset
from src.maps.writing import BLOCK, new_picture, new_tiff

VALUES = np.random.default_rng(0).integers(0, 256, (2 * BLOCK + 100, 300), dtype=np.uint8)


def test_rows_in_any_portions_make_the_map_with_its_georeference(tmp_path: Path):
    with open_dataset(write_geotiff(tmp_path / "photo.tif", VALUES[:10], turned=10)) as dataset:
        place = Georeference.of(dataset)
    for portions in ([len(VALUES)], [1] * len(VALUES), [BLOCK - 1, 2, BLOCK, len(VALUES) - 2 * BLOCK - 1]):
        with new_tiff(tmp_path / "a.tif", VALUES.shape, place) as writer:
            top = 0
            for count in portions:
                writer.write(VALUES[top : top + count])
                top += count
        with open_dataset(tmp_path / "a.tif") as dataset:
            np.testing.assert_array_equal(dataset.read(1), VALUES)
            assert Georeference.of(dataset) == place
            assert dataset.profile["tiled"]


def test_what_is_not_seen_is_marked_in_the_file(tmp_path: Path):
    seen = (VALUES > 100).astype(np.uint8)
    with new_tiff(tmp_path / "a.tif", VALUES.shape, None) as writer:
        for top in range(0, len(VALUES), 70):
            writer.write(VALUES[top : top + 70], seen[top : top + 70])
    with open_dataset(tmp_path / "a.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), VALUES)
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, seen > 0)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.tif")), VALUES)
    assert count_more_pages(tmp_path / "a.tif") == 0


def test_a_picture_is_written_at_the_end(tmp_path: Path):
    with new_picture(tmp_path / "a.png", VALUES.shape) as writer:
        writer.write(VALUES[:200])
        writer.write(VALUES[200:])
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), VALUES)


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_after_an_error_nothing_is_left(name: str, tmp_path: Path):
    def fail() -> None:
        make = (
            new_tiff(tmp_path / name, VALUES.shape, None) if name == "a.tif" else new_picture(tmp_path / name, (9, 9))
        )
        with make as writer:
            writer.write(VALUES[:5, : 300 if name == "a.tif" else 9])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("free", "code"), [(0, errno.ENOSPC), (2**30, errno.EIO)])
def test_a_disk_that_cannot_be_written_is_an_error_of_the_system(
    free: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object, **__: object) -> None:
        raise RasterioIOError("Write failed")

    monkeypatch.setattr("src.maps.writing.disk_usage", lambda _: SimpleNamespace(free=free))
    monkeypatch.setattr("rasterio.io.DatasetWriter.write", fail)
    with pytest.raises(OSError, match=r"a\.tif") as refused, new_tiff(tmp_path / "a.tif", VALUES.shape, None) as writer:
        writer.write(VALUES)
    assert refused.value.errno == code
    assert not list(tmp_path.iterdir())


def test_a_mask_of_what_is_seen_that_was_cut_off_is_an_error_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("rasterio.io.DatasetWriter.write_mask", lambda *_, **__: None)  # as on a full disk
    with (
        pytest.raises(OSError, match=r"a\.tif"),
        new_tiff(tmp_path / "a.tif", VALUES.shape, None) as writer,
    ):
        writer.write(VALUES, np.zeros_like(VALUES))
    assert not list(tmp_path.iterdir())


def test_an_error_of_what_is_read_meanwhile_is_its_own(tmp_path: Path):
    with pytest.raises(UserError, match="photograph"), new_tiff(tmp_path / "a.tif", VALUES.shape, None):
        raise UserError("the photograph is damaged")
    assert not list(tmp_path.iterdir())
