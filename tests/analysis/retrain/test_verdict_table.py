"""The table of a verdict."""

from dataclasses import replace

import pytest
from rich.console import Console

from analysis.intervals import Interval
from analysis.retrain.verdict_table import HEADS, cells, markdown, render_tables, score_interval
from analysis.verdict import ConfigResult, SearchScore, Verdict, interval_text

TEST = Interval(mean=0.6, seeds=5, sd=0.01, groups=20, images_sd=0.0)
GAIN = Interval(mean=0.05, seeds=5, sd=0.01, groups=20, images_sd=0.0)
EPOCHS = 6
GOOD = ConfigResult("t0003-good", SearchScore(0.71, EPOCHS), 0.7, TEST, GAIN, 2.0, "")
DEFAULT = ConfigResult("t0000-here", SearchScore(None), 0.65, TEST, None, 2.5, "")


def test_a_line_has_a_cell_a_heading_and_says_how_lucky_the_search_was():
    found = dict(zip(HEADS[:7], cells(GOOD, "t0000-here", EPOCHS), strict=False))
    assert found == {
        "trial": "t0003-good",
        "seeds": "5",
        "search": "0.7100",
        "validation": "0.7000",
        "optimism": "+0.0100",
        "test": "0.6000",
        "sd": "0.0100",
    }
    assert len(cells(GOOD, "", EPOCHS)) == len(cells(DEFAULT, "", EPOCHS)) == len(HEADS)
    assert cells(GOOD, "", EPOCHS)[7:] == ["[0.5876, 0.6124]", "+0.0500", "[+0.0376, +0.0624]", "2.0"]


def test_the_default_is_called_that_and_has_no_gain_over_itself():
    found = cells(DEFAULT, "t0000-here", EPOCHS)
    assert found[0] == "t0000-here (default)"
    assert found[8:10] == ["", ""]
    assert (found[2], found[4]) == ("-", "-")


@pytest.mark.parametrize(("epochs", "shown"), [(3, "0.7100 (3)"), (9, "0.7100 (9)"), (0, "0.7100")])
def test_luck_is_told_only_of_trainings_of_equal_length(epochs: int, shown: str):
    line = replace(GOOD, search=SearchScore(0.71, epochs))
    found = dict(zip(HEADS[:7], cells(line, "", EPOCHS), strict=False))
    assert (found["search"], found["optimism"]) == (shown, "-")


def test_an_interval_ends_where_scores_and_their_differences_end():
    wide = Interval(mean=0.0268, seeds=2, sd=0.5, groups=20, images_sd=0.0)
    assert wide.low < -1
    assert score_interval(wide) == "[0.0000, 1.0000]"
    assert interval_text(wide) == "[-1.0000, +1.0000]"


@pytest.mark.parametrize("width", [120, 80])
def test_the_table_fits_a_terminal_with_every_interval_on_one_line(width: int):
    console = Console(width=width)
    with console.capture() as capture:
        for table in render_tables(Verdict([GOOD, DEFAULT], "t0003-good", []), "t0000-here", EPOCHS, width):
            console.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    assert max(len(line) for line in lines) <= width
    assert sum("[0.5876, 0.6124]" in line for line in lines) == 2
    assert sum("[+0.0376, +0.0624]" in line for line in lines) == 1
    if width == 120:
        assert len(lines) == 4
        assert lines[1].split() == " ".join(HEADS).replace("s per ", "").split()


def test_the_table_of_the_page_has_a_line_a_configuration():
    assert markdown([["a", "b"], ["---", "---"]]) == "| a | b |\n| --- | --- |"
