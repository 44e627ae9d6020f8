"""A trial's lines, however its process ended."""

from pathlib import Path

import pytest

from src.lines import append_line, read_lines, replace_lines

LINES = [{"epoch": epoch, "params": {"lr": 0.1}} for epoch in (1, 2, 3)]


def test_what_was_added_is_read(tmp_path: Path):
    assert read_lines(tmp_path / "result.json") == []
    for line in LINES:
        append_line(tmp_path / "result.json", line)
    assert read_lines(tmp_path / "result.json") == LINES


@pytest.mark.parametrize("cut", [1, 2, 10])
def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path, cut: int):
    path = tmp_path / "result.json"
    replace_lines(path, LINES)
    path.write_text(path.read_text().rstrip("\n")[:-cut])  # cut by 1, it still ends with a bracket
    assert read_lines(path) == LINES[:2]
    replace_lines(path, LINES[:2])
    append_line(path, LINES[2])
    assert read_lines(path) == LINES
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
