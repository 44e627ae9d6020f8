"""The page of a measurement."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from src.measuring.cracks import measure
from src.measuring.page import answer, bands, summed, write_page
from src.measuring.places import Place
from src.measuring.severity import load_severity
from src.measuring.tables import Measured, Row, photograph_row
from src.measuring.units import Units


def row(name: str, width: int, units: Units, place: Place | None = None) -> Row:
    mask = np.zeros((100, 200), np.uint8)
    mask[40 : 40 + width, 50:150] = 1
    photograph = Measured(name, Path(name), 100, 200, measure(mask), units=units, place=place or Place())
    return photograph_row(photograph, load_severity("ltpp") if units.mm_per_pixel else None)


def page(folder: Path, rows: list[Row], units: Units) -> str:
    (folder / "overlays").mkdir()
    for one in rows:
        Image.new("RGB", (200, 100)).save(folder / "overlays" / f"{Path(str(one['mask'])).stem}.png")
    write_page(folder, rows, load_severity("ltpp") if units.mm_per_pixel else None)
    return (folder / "report.html").read_text()


def test_the_page_shows_the_most_severe_photograph_first_with_its_picture(tmp_path: Path):
    units = Units(1)
    text = page(tmp_path, [row("fine.jpg", 3, units), row("wide<b>.jpg", 25, units, Place(48.1, 11.5))], units)
    assert text.index("wide&lt;b&gt;.jpg") < text.index("fine.jpg")
    assert text.count("data:image/jpeg") == 2
    assert "wide<b>" not in text
    assert "48.1, 11.5" in text
    assert "FHWA-HRT-13-092" in text


def test_without_a_scale_the_page_says_that_all_is_in_pixels(tmp_path: Path):
    text = page(tmp_path, [row("a.jpg", 3, Units())], Units())
    assert "--mm-per-pixel" in text
    assert "mm<" not in text
    assert "latitude" not in text


def test_the_answer_adds_up_all_photographs():
    units = Units(2)
    rows = [row("a.jpg", 4, units), row("b.jpg", 4, units), row("c.jpg", 0, units)]
    first, second = answer(rows)
    assert re.fullmatch(
        r"2 cracks in 2 of 3 photographs, 40\d mm in all, on average [78]\.\d mm wide: 1\.33% of .*", first
    )
    assert re.match(r"1\.6\d m of crack a square metre", second)
    assert answer([row("c.jpg", 0, units)]) == ["No crack in 1 photographs."]


def test_the_lengths_of_the_bands_are_the_length_of_all_cracks():
    units = Units(1)
    found = bands([row("a.jpg", 3, units), row("b.jpg", 25, units)], load_severity("ltpp"))
    assert [one["share"] for one in found] == ["50%", "0%", "50%"]
    assert [one["photographs"] for one in found] == ["1", "0", "1"]
    assert [one["range"] for one in found] == ["up to 6 mm", "6 to 19 mm", "more than 19 mm"]


def test_photographs_of_different_scales_are_added_up_in_millimetres(tmp_path: Path):
    rows = [row("a.jpg", 4, Units(1)), row("b.jpg", 4, Units(3))]
    first, second = answer(rows)
    assert re.search(r" 40\d mm in all, on average (9|10)\.\d mm wide", first)
    assert second.endswith("at 1 to 3 mm a pixel.")
    assert [one["length"] for one in bands(rows, load_severity("ltpp"))][1] == summed([rows[1]], "length")
    assert summed(rows, "length").startswith("40")
