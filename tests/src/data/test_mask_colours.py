"""The colours of masks."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from src.data.files import UInt8Array
from src.data.mask_colours import (
    FEW_COLOURS,
    Colour,
    colour_text,
    count_colours,
    in_blocks,
    main_colours,
    nearest_to,
    pixels_of_colour,
)

RED, ORANGE, BLACK = (255, 0, 0), (255, 128, 0), (0, 0, 0)


def lines(*colours: Colour, thick: int = 9) -> UInt8Array:
    """(240, 320, 3), black, with a slanted line of each colour."""
    drawn = np.zeros((240, 320, 3), np.uint8)
    for number, colour in enumerate(colours):
        cv2.line(drawn, (10, 20 + 60 * number), (300, 60 + 60 * number), colour, thick)
    return drawn


def soft(drawn: UInt8Array) -> UInt8Array:
    return cv2.resize(drawn, (160, 120), interpolation=cv2.INTER_AREA).astype(np.uint8)


def jpeg(drawn: UInt8Array, quality: int) -> UInt8Array:
    ok, found = cv2.imencode(".jpg", drawn[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert ok
    decoded = cv2.imdecode(found, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded[..., ::-1].astype(np.uint8)


@given(arrays(np.uint8, (6, 5, 3), elements=st.sampled_from([0, 1, 255])))
def test_every_pixel_is_counted_once(values: UInt8Array):
    counts = count_colours(values)
    assert counts is not None
    assert sum(counts.values()) == 30
    for colour, count in counts.items():
        assert pixels_of_colour(values, colour).sum() == count


def test_many_colours_are_not_counted():
    values = np.arange(FEW_COLOURS + 1, dtype=np.uint16)[None]
    assert count_colours(values) is None
    assert count_colours(values[:, 1:]) is not None


def test_grey_values_of_any_depth_are_colours():
    values = np.array([[0, 1, 1, 1000]])
    assert count_colours(values) == {(0, 0, 0): 1, (1, 1, 1): 2, (1000, 1000, 1000): 1}
    assert pixels_of_colour(values, (1, 1, 1)).tolist() == [[0, 1, 1, 0]]
    assert not pixels_of_colour(values, (1, 0, 0)).any()


def test_a_block_is_four_pixels_of_one_colour():
    grey = np.array([[1, 1, 2], [1, 1, 3], [4, 4, 5]])
    assert in_blocks(grey).astype(int).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert in_blocks(np.repeat(grey[..., None], 3, axis=2)).sum() == 4


def test_edges_are_no_colour_of_their_own():
    assert set(main_colours(soft(lines(RED, ORANGE)), blurred=False)) == {BLACK, RED, ORANGE}
    assert main_colours(jpeg(lines(RED), 80), blurred=True)[0] == pytest.approx(BLACK, abs=3)


@pytest.mark.parametrize("thick", [2, 9])
def test_another_colour_with_soft_edges_is_no_crack_though_it_is_nearer_to_it_than_to_the_ground(thick: int):
    drawn = soft(lines(RED, ORANGE, thick=thick))
    found = nearest_to(drawn, RED, [BLACK], blurred=False)
    np.testing.assert_array_equal(found, nearest_to(soft(lines(RED, thick=thick)), RED, [BLACK], blurred=False))
    assert found.any()


@pytest.mark.parametrize("quality", [60, 75, 95])
def test_of_a_jpeg_the_crack_is_read_and_another_colour_is_not(quality: int):
    drawn = lines(RED, (255, 160, 0), (0, 255, 0))
    found = nearest_to(jpeg(drawn, quality), RED, [BLACK, (255, 160, 0), (0, 255, 0)], blurred=True)
    meant = pixels_of_colour(drawn, RED)
    assert np.count_nonzero(found != meant) < 0.12 * np.count_nonzero(meant)
    assert not found[90:].any()


def test_a_grey_is_shown_as_one_number():
    assert colour_text((7, 7, 7)) == "7"
    assert colour_text(RED) == "255,0,0"
