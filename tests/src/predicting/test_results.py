"""What a prediction writes."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from geotiffs import write_geotiff
from networks import Redness, network_of
from PIL import Image

from src.data.masks import read_mask
from src.maps import header
from src.maps.georeference import Georeference
from src.maps.raster import open_dataset
from src.predicting.results import Wanted, predict_files
from src.scoring.cleaning import Cleaning
from src.scoring.inference import Network

PLAIN = Wanted(0.5, "none", 0.25, None, True)


def red(height: int, width: int) -> "np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]":
    """A photograph with a red crack and a red speck."""
    image = np.random.default_rng(0).integers(60, 90, (height, width, 3), dtype=np.uint8)
    image[height // 2 : height // 2 + 3, 3:-3, 0] = 255
    image[4:6, 4:6, 0] = 255
    return image


@pytest.fixture
def network(tiny: list[str], tmp_path: Path) -> Network:
    (tmp_path / "red.pth").write_bytes(b"weights")
    return replace(network_of(Redness(), tiny), checkpoint=tmp_path / "red.pth")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_a_row_a_photograph_and_the_maps_hold_the_probabilities(network: Network, tmp_path: Path):
    for name in ("a", "b"):
        Image.fromarray(red(40, 60)).save(tmp_path / f"{name}.png")
    predict_files(network, [tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "out", PLAIN)
    found = rows(tmp_path / "out" / "predictions.csv")
    assert [Path(row["photograph"]) for row in found] == [tmp_path / "a.png", tmp_path / "b.png"]
    for row in found:
        mask = read_mask(tmp_path / "out" / row["mask"])
        assert float(row["share"]) == pytest.approx(mask.mean(), abs=1e-6)
        assert 0 < float(row["sure"]) <= 1
        assert row["threshold"] == "0.5"
        assert row["network"].startswith(f"{tmp_path / 'red.pth'} ")
        probs = np.asarray(Image.open(tmp_path / "out" / "probabilities" / "a.png"))
        np.testing.assert_array_equal(mask > 0, probs >= 127.5)
    assert (tmp_path / "out" / "least_sure.png").is_file()


def test_a_geotiff_gets_the_mask_of_the_same_photograph_with_its_georeference(network: Network, tmp_path: Path):
    Image.fromarray(red(90, 70)).save(tmp_path / "a.png")
    path = write_geotiff(tmp_path / "b.tif", red(90, 70), turned=15)
    for scale in ((1.0, 1.0), (0.5, 0.5)):
        predict_files(replace(network, scale=scale), [tmp_path / "a.png", path], tmp_path / "out", PLAIN)
        with open_dataset(path) as photograph, open_dataset(tmp_path / "out" / "masks" / "b.tif") as mask:
            assert Georeference.of(mask) == Georeference.of(photograph)
            expected = read_mask(tmp_path / "out" / "masks" / "a.png")
            assert ((mask.read(1) > 0) != (expected > 0)).mean() < 0.005  # resized row by row, to a grey level
            assert expected.any()


def test_a_photograph_that_is_too_large_is_read_in_windows(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    Image.fromarray(red(90, 70)).save(tmp_path / "a.png")
    predict_files(network, [tmp_path / "a.png"], tmp_path / "whole", PLAIN)
    monkeypatch.setattr(header, "MAX_PIXELS", 100)
    predict_files(network, [tmp_path / "a.png"], tmp_path / "windows", PLAIN)
    for kind in ("masks", "probabilities"):
        with open_dataset(tmp_path / "windows" / kind / "a.tif") as dataset:
            whole = np.asarray(Image.open(tmp_path / "whole" / kind / "a.png"))
            np.testing.assert_array_equal(dataset.read(1), whole)
    assert (tmp_path / "windows" / "overlays" / "a.png").is_file()


def test_outside_of_a_mosaic_there_is_no_crack(network: Network, tmp_path: Path):
    image = red(64, 64)
    alpha = np.full((64, 64, 1), 255, np.uint8)
    alpha[:, :32] = 0
    path = write_geotiff(tmp_path / "a.tif", np.concatenate([image, alpha], axis=2), photometric="RGB", alpha="yes")
    predict_files(network, [path], tmp_path / "out", PLAIN)
    with open_dataset(tmp_path / "out" / "masks" / "a.tif") as dataset:
        mask = dataset.read(1)
    assert not mask[:, :32].any()
    assert mask[:, 32:].any()
    (row,) = rows(tmp_path / "out" / "predictions.csv")
    assert float(row["share"]) == pytest.approx((mask > 0).sum() / (64 * 32), abs=1e-6)


def test_cleaning_removes_the_speck_at_the_scale_of_the_network(network: Network, tmp_path: Path):
    Image.fromarray(red(64, 64)).save(tmp_path / "a.png")
    path = write_geotiff(tmp_path / "b.tif", red(64, 64))
    cleaned = replace(PLAIN, cleaning=Cleaning(0.5, 0.5, 20))
    predict_files(network, [tmp_path / "a.png", path], tmp_path / "out", cleaned)
    mask = read_mask(tmp_path / "out" / "masks" / "a.png")
    assert not mask[:10].any()
    assert mask.any()
    with open_dataset(tmp_path / "out" / "masks" / "b.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1) > 0, mask > 0)
