"""Levels in an array and in a file come to the same mask."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from geotiffs import write_geotiff
from PIL import Image

from src.data.files import UInt8Array
from src.data.masks import read_mask
from src.maps.photographs import open_photograph
from src.maps.raster import open_dataset
from src.predicting.sinks import InFile, new_sink
from src.scoring.cleaning import Levels, cleaned_rows

PHOTO = np.random.default_rng(0).integers(0, 256, (300, 60, 3), dtype=np.uint8)
LEVELS = np.random.default_rng(1).integers(0, 3, (300, 60), dtype=np.uint8)


def test_an_array_and_a_file_get_the_same_mask(tmp_path: Path):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    found = list[tuple[object, int]]()
    for path, name in ((tmp_path / "a.png", "a.png"), (write_geotiff(tmp_path / "b.tif", PHOTO), "b.tif")):
        with open_photograph(path, None) as photograph, new_sink(photograph, tmp_path / "out" / name) as sink:
            (tmp_path / "out").mkdir(exist_ok=True)
            for top in range(0, 300, 70):
                sink.write(LEVELS[top : top + 70])
            (image, mask), crack = sink.finish(lambda levels: cleaned_rows(levels, 4))
            np.testing.assert_array_equal(image, PHOTO)
            found.append(((mask > 0).tolist(), crack))
    assert found[0] == found[1]
    with open_dataset(tmp_path / "out" / "b.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1) > 0, read_mask(tmp_path / "out" / "a.png") > 0)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.tif"]


def test_after_an_error_nothing_is_left(tmp_path: Path):
    def fail() -> None:
        with (
            open_photograph(write_geotiff(tmp_path / "b.tif", PHOTO), None) as photograph,
            new_sink(photograph, tmp_path / "m.tif") as sink,
        ):
            sink.write(LEVELS[:100])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["b.tif"]


def test_levels_that_the_disk_has_cut_are_an_error_of_the_disk_and_not_of_the_photograph(tmp_path: Path):
    (tmp_path / "out").mkdir()
    with (
        open_photograph(write_geotiff(tmp_path / "b.tif", PHOTO), None) as photograph,
        new_sink(photograph, tmp_path / "out" / "m.tif") as sink,
    ):
        sink.write(LEVELS)

        def cut_off(levels: Levels) -> Iterator[UInt8Array]:
            assert isinstance(sink, InFile)
            sink.between.write_bytes(sink.between.read_bytes()[:2000])
            return cleaned_rows(levels, 4)

        with pytest.raises(OSError, match=r"Input/output|No space"):
            sink.finish(cut_off)


def test_what_is_not_seen_of_a_mosaic_is_marked_in_its_mask(tmp_path: Path):
    alpha = np.full((300, 60, 1), 255, np.uint8)
    alpha[:50] = 0
    path = write_geotiff(tmp_path / "a.tif", np.concatenate([PHOTO, alpha], axis=2), photometric="RGB", alpha="yes")
    with open_photograph(path, None) as photograph, new_sink(photograph, tmp_path / "m.tif") as sink:
        sink.write(LEVELS)
        sink.finish(lambda levels: cleaned_rows(levels, 4))
    with open_dataset(tmp_path / "m.tif") as dataset:
        np.testing.assert_array_equal(dataset.dataset_mask(), alpha[..., 0])
