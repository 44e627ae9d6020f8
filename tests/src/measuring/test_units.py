"""Pixels and millimetres."""

import pytest

from src.errors import UserError
from src.measuring.units import Units


def test_without_a_scale_there_are_pixels_alone():
    units = Units()
    assert units.lengths("length", 12.34567) == {"length_px": 12.346}
    assert units.areas("area", 5) == {"area_px": 5}
    assert (units.length_text(1234.4), units.width_text(3.21)) == ("1,234 px", "3.2 px")


def test_with_a_scale_there_are_both():
    units = Units(0.5)
    assert units.lengths("length", 10) == {"length_px": 10, "length_mm": 5}
    assert units.areas("area", 10) == {"area_px": 10, "area_mm2": 2.5}
    assert units.lengths("length", None) == {"length_px": None, "length_mm": None}
    assert [units.length_text(value) for value in (10, 40, 4000)] == ["5.0 mm", "20 mm", "2.00 m"]
    assert [units.width_text(value) for value in (1, 10)] == ["0.50 mm", "5.0 mm"]


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_none_is_refused(scale: float):
    with pytest.raises(UserError, match=f"--mm-per-pixel={scale}"):
        Units(scale)
