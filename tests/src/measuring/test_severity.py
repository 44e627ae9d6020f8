"""Severity bands."""

from pathlib import Path

import numpy as np
import pytest

from src.errors import UserError
from src.measuring.cracks import Crack, measure
from src.measuring.severity import FOLDER, load_severity
from src.measuring.units import Units

TWO = "source: mine\nunit: {unit}\nwidth: mean\nbands:\n  - {{name: thin, up_to: 4}}\n  - {{name: wide}}\n"


def crack(width: int) -> Crack:
    mask = np.zeros((40, 140), np.uint8)
    mask[5 : 5 + width, 10:130] = 1
    return measure(mask)[0]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_names_its_source(path: Path):
    severity = load_severity(path.stem)
    assert len(severity.source) > 20
    assert len(severity.bands) == 3
    assert severity.rank(crack(1), Units(0.01)) == 0
    assert severity.rank(crack(8), Units(1000)) == 2


def test_a_file_of_the_user_decides_in_its_own_unit(tmp_path: Path):
    for unit, scale, expected in (("px", None, [0, 1]), ("px", 0.1, [0, 1]), ("mm", 0.1, [0, 0]), ("mm", 2.0, [1, 1])):
        path = tmp_path / f"{unit}.yaml"
        path.write_text(TWO.format(unit=unit))
        severity = load_severity(str(path))
        assert [severity.rank(crack(width), Units(scale)) for width in (3, 8)] == expected, (unit, scale)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "mapping"),
        ("source: a\nunit: inch\nwidth: mean\nbands: [{name: a}]", "unit=inch"),
        ("source: a\nunit: mm\nwidth: mean\nbands: [{name: a, up_to: 3}]", "up_to"),
        ("source: a\nunit: mm\nwidth: mean\nbands: [{name: a, up_to: 3}, {name: b, up_to: 2}, {name: c}]", "grow"),
        ("source: a\nunit: mm\nwidth: mean\nbands: [{name: a, up_to: 3}, {name: a}]", "names"),
        ("source: a\nunit: mm\nwidth: mean\nbands: [{name: a}, {name: b}]", "up_to"),
        ("unit: mm\nwidth: mean\nbands: [{name: a}]", "source"),
    ],
)
def test_bands_that_are_none_are_refused_by_the_file(text: str, said: str, tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as refused:
        load_severity(str(path))
    assert str(path) in str(refused.value)
    assert said in str(refused.value)


def test_an_unknown_name_lists_the_examples():
    with pytest.raises(UserError, match=r"'astm'.*astm_d6433.*eurocode_2.*ltpp"):
        load_severity("astm")
