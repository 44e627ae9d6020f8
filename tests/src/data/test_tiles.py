"""Tiles over photographs of any size."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.data.files import Float32Array, UInt8Array
from src.data.tiles import Predict, Size, predict_rows, stretched, weighted_starts


def predict_tiled(image: UInt8Array, predict: Predict, tile: Size, overlap: float) -> Float32Array:
    return np.concatenate(list(predict_rows(image, predict, tile, overlap)))


def brightness(tile: UInt8Array) -> Float32Array:
    """A network that looks at nothing but the pixel itself."""
    return tile[..., 0].astype(np.float32) / np.float32(255)


@given(tile=st.integers(1, 64), more=st.integers(0, 300), overlap=st.floats(0, 0.9))
def test_tiles_cover_a_side_and_their_weights_add_up_to_one(tile: int, more: int, overlap: float):
    total = np.zeros(tile + more)
    starts = list(weighted_starts(tile + more, tile, overlap))
    for start, weights in starts:
        assert 0 <= start <= more
        assert (weights > 0).all()
        total[start : start + tile] += weights
    np.testing.assert_allclose(total, 1, atol=1e-5)
    assert len({start for start, _ in starts}) == len(starts)


@pytest.mark.parametrize("shape", [(32, 48), (33, 97), (5, 100), (100, 7), (1, 1), (200, 200)], ids=str)
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.9])
def test_what_does_not_look_around_is_the_same_in_tiles(shape: tuple[int, int], overlap: float):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    np.testing.assert_allclose(predict_tiled(image, brightness, (32, 48), overlap), brightness(image), atol=1e-5)


def test_every_tile_has_the_size_that_the_network_was_trained_at():
    seen = list[tuple[int, ...]]()

    def look(tile: UInt8Array) -> Float32Array:
        seen.append(tile.shape)
        return brightness(tile)

    predict_tiled(np.zeros((50, 20, 3), np.uint8), look, (32, 32), 0.25)
    assert seen == [(1, 32, 32, 3)] * 2


def test_where_tiles_overlap_one_fades_into_the_other():
    answers = iter([0.0, 1.0])

    def constant(tiles: UInt8Array) -> Float32Array:
        return np.stack([np.full(tile.shape[:2], next(answers), np.float32) for tile in tiles])

    (row,) = predict_tiled(np.zeros((1, 30, 3), np.uint8), constant, (1, 20), 0.5)
    assert (row[:10] == 0).all()
    assert (row[20:] == 1).all()
    assert (np.diff(row[9:21]) > 0).all()


def test_a_photograph_smaller_than_a_tile_is_mirrored_and_cut_back():
    seen = list[UInt8Array]()

    def look(tiles: UInt8Array) -> Float32Array:
        seen.extend(tiles)
        return brightness(tiles)

    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert predict_tiled(image, look, (4, 4), 0.25).shape == (2, 2)
    (tile,) = seen
    np.testing.assert_array_equal(tile[2], tile[0])


@pytest.mark.parametrize("shape", [(32, 48), (90, 31), (100, 100)], ids=str)
def test_rows_come_from_top_to_bottom_before_the_whole_photograph_was_seen(shape: tuple[int, int]):
    seen = list[int]()

    def look(tiles: UInt8Array) -> Float32Array:
        seen.append(len(tiles))
        return brightness(tiles)

    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    columns, heights = -(-(max(shape[1], 32) - 32) // 24) + 1, list[int]()
    for number, band in enumerate(predict_rows(image, look, (32, 32), 0.25), start=1):
        assert len(seen) == number * columns
        heights.append(len(band))
        assert band.shape[1] == shape[1]
    assert sum(heights) == shape[0]
    assert max(heights) <= 32


@given(
    seen=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    cuts=st.lists(st.integers(0, 40), max_size=5),
)
def test_a_map_stretched_band_by_band_is_the_map_stretched_at_once(
    seen: tuple[int, int], size: tuple[int, int], cuts: list[int]
):
    whole = np.random.default_rng(0).random(seen, dtype=np.float32)
    bands = [band for band in np.split(whole, sorted(min(cut, seen[0]) for cut in cuts)) if len(band)]
    expected = cv2.resize(whole, size[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(np.concatenate(list(stretched(bands, seen, size))), expected, atol=1e-5)
