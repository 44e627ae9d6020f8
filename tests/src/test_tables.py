"""Tables that fit the terminal."""

from io import StringIO

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from src.tables import fitted, parts

HEADS = ["trial", "best", "95 %", "weight decay", "state"]
ROWS = [["t0000-97aed4 (default)", "0.1", "[-0.0174, +0.0879]", "0.01", "complete"], ["t1", "0.25", "", "1", "failed"]]


def printed(width: int) -> list[str]:
    console = Console(file=StringIO(), width=width)
    for table in fitted(HEADS, ROWS, width, ("trial", "state")):
        console.print(table)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_a_wide_terminal_has_one_table_with_headings_as_narrow_as_their_cells():
    lines = printed(100)
    assert lines[0].split() == ["weight"]
    assert lines[1].split() == ["trial", "best", "95", "%", "decay", "state"]
    assert lines[2] == "t0000-97aed4 (default)   0.1  [-0.0174, +0.0879]    0.01  complete"
    assert len(lines) == 4


def test_a_narrow_one_has_the_rest_below_and_every_cell_whole():
    for width in range(42, 80):
        lines = printed(width)
        assert all(len(line.rstrip()) <= width for line in lines)
        text = "\n".join(lines)
        assert all(cell in text for row in ROWS for cell in row)
        assert text.count("t0000-97aed4 (default)") == text.count("trial")


def test_a_cell_that_is_wider_than_the_terminal_stands_alone_beside_the_first():
    assert parts([5, 90, 3, 4], 20, 1) == [[0, 1], [0, 2, 3]]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(1, 100))
def test_every_column_is_in_one_part_and_each_part_fits(widths: list[int], width: int):
    found = parts(widths, width, 2)
    assert [column for part in found for column in part if column or part is found[0]] == list(range(len(widths)))
    for part in found:
        assert part[0] == 0
        assert len(part) <= 2 or sum(widths[column] for column in part) + 2 * (len(part) - 1) <= width
