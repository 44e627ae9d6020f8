"""Pictures of measured cracks."""

from pathlib import Path

import numpy as np
import pytest

from src.data.files import UInt8Array
from src.measuring.cracks import measure
from src.measuring.drawings import COLOURS, LARGEST, PLAIN, SMALLEST, band_colour, draw_cracks, overlap
from src.measuring.severity import load_severity
from src.measuring.tables import Measured
from src.measuring.units import Units

UNITS = Units()


def photograph(height: int, width: int, rows: dict[int, int], units: Units = UNITS) -> Measured:
    """Cracks of some widths along some rows."""
    mask = np.zeros((height, width), np.uint8)
    for row, thickness in rows.items():
        mask[row : row + thickness, width // 10 : width * 9 // 10] = 1
    return Measured("a.jpg", Path("a.png"), height, width, measure(mask), units=units)


def has(picture: UInt8Array, colour: tuple[int, int, int]) -> bool:
    """Whether some pixel has about this colour: edges of lines are mixed with the ground."""
    return bool((np.abs(picture.astype(int) - colour).sum(axis=2) < 90).any())


def test_lines_lie_on_their_cracks_and_the_photograph_stays_as_it_was():
    background = np.full((900, 1000, 3), 90, np.uint8)
    before = background.copy()
    picture = draw_cracks(background, photograph(900, 1000, {400: 9}), None)
    np.testing.assert_array_equal(background, before)
    assert has(picture, PLAIN)
    rows, columns = np.nonzero((picture != 90).any(axis=2))
    assert set(rows[columns < 200]) <= set(range(402, 408))


def test_small_pictures_are_enlarged_and_large_ones_shrunk():
    for size in (100, 6000):
        drawn = draw_cracks(np.zeros((size // 2, size, 3), np.uint8), photograph(size // 2, size, {20: 3}), None)
        assert max(drawn.shape) == (SMALLEST if size < SMALLEST else LARGEST)


def test_bands_have_colours_of_their_own():
    severity = load_severity("ltpp")
    background = np.full((900, 1000, 3), 90, np.uint8)
    picture = draw_cracks(background, photograph(900, 1000, {200: 5, 400: 13, 600: 31}, Units(1)), severity)
    for rank in range(3):
        assert has(picture, band_colour(rank, 3)), rank
    assert len({band_colour(rank, 3) for rank in range(3)}) == 3
    assert band_colour(9, 10) in COLOURS


def test_numbers_cover_no_other_number():
    crowded = photograph(900, 1000, {row: 2 for row in range(20, 880, 12)})
    picture = draw_cracks(np.full((900, 1000, 3), 90, np.uint8), crowded, None)
    assert has(picture, (255, 255, 255))
    assert overlap((0, 0, 2, 2), (1, 1, 3, 3))
    assert not overlap((0, 0, 2, 2), (2, 0, 3, 3))


def test_a_number_stands_where_it_hides_no_line_if_there_is_such_a_place():
    two = photograph(900, 1000, {400: 3, 380: 3})  # above one crack is the other
    picture = draw_cracks(np.full((900, 1000, 3), 90, np.uint8), two, None)
    alone = draw_cracks(np.full((900, 1000, 3), 90, np.uint8), photograph(900, 1000, {400: 3}), None)
    coloured = [int((one.min(axis=2) != one.max(axis=2)).sum()) for one in (picture, alone)]
    assert coloured[0] == pytest.approx(2 * coloured[1], rel=0.01)
