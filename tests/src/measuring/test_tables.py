"""The rows of a measurement."""

from pathlib import Path

import numpy as np
import pytest

from src.measuring.cracks import measure
from src.measuring.places import Place
from src.measuring.severity import Severity
from src.measuring.tables import Measured, crack_rows, photograph_row, profile_rows, severest_first
from src.measuring.units import Units

SEVERITY = Severity.model_validate(
    {"source": "a", "unit": "px", "width": "mean", "bands": [{"name": "fine", "up_to": 4}, {"name": "very wide"}]}
)

UNITS = Units()


def photograph(*widths: int, length: int = 100, units: Units = UNITS) -> Measured:
    """Parallel cracks along the rows."""
    mask = np.zeros((200, 200), np.uint8)
    for index, width in enumerate(widths):
        mask[20 + 40 * index : 20 + 40 * index + width, 50 : 50 + length] = 1
    return Measured("a.jpg", Path("a.png"), 200, 200, measure(mask), units=units, place=Place(1.5, 2.5))


def test_the_row_of_a_photograph_adds_up_the_rows_of_its_cracks():
    measured = photograph(3, 8, units=Units(2))
    rows = list(crack_rows(measured, SEVERITY))
    row = photograph_row(measured, SEVERITY)
    assert [one["crack"] for one in rows] == [1, 2]
    assert row["cracks"] == 2
    assert row["length_px"] == pytest.approx(sum(float(str(one["length_px"])) for one in rows), abs=0.01)
    assert row["length_mm"] == pytest.approx(2 * float(str(row["length_px"])), abs=0.01)
    assert row["area_mm2"] == 4 * 1100
    assert row["share"] == 1100 / 40000
    assert row["crack_width_mean_px"] == pytest.approx(5.5, abs=0.1)
    assert row["spacing_px"] == pytest.approx(40000 / 200, rel=0.01)
    assert row["density_m_per_m2"] == pytest.approx(0.4 / 0.16, rel=0.01)
    assert sorted(str(one["severity"]) for one in rows) == ["fine", "very wide"]
    assert row["severity"] == "very wide"
    assert row["length_fine_px"] == pytest.approx(100, abs=1)
    assert row["length_very_wide_px"] == pytest.approx(100, abs=1)
    assert (row["latitude"], row["longitude"]) == (1.5, 2.5)


def test_a_photograph_without_crack_has_no_means():
    row = photograph_row(photograph(), SEVERITY)
    assert (row["cracks"], row["length_px"], row["share"]) == (0, 0, 0)
    for name in ("longest_px", "crack_width_mean_px", "spacing_px", "direction_degrees", "severity"):
        assert row[name] is None, name
    assert row.keys() == photograph_row(photograph(3), SEVERITY).keys()


def test_the_profile_follows_a_crack():
    rows = list(profile_rows(photograph(6, units=Units(0.5))))
    assert rows[-1]["along_px"] == pytest.approx(100, abs=1)
    assert rows[-1]["along_mm"] == pytest.approx(50, abs=1)
    assert {one["width_px"] for one in rows} == {6}


def test_the_most_severe_photograph_is_first():
    given = [photograph(), photograph(3, 3, 3), photograph(8, length=40), photograph(8), photograph(3)]
    rows = [photograph_row(one, SEVERITY) for one in given]
    assert severest_first(rows, SEVERITY) == [3, 2, 1, 4, 0]
    without = [photograph_row(one, None) for one in given]
    assert severest_first(without, None) == [1, 3, 2, 4, 0]
