"""How far a folder is."""

import pytest

from src.predicting.progress import Progress, speed


def test_without_a_terminal_there_are_lines_alone(capsys: pytest.CaptureFixture[str]):
    with Progress(2) as progress:
        for name in ("[a].png", "b.png"):
            progress.begin(10)
            progress.advance(10)
            progress.end(f"{name}  1.00% crack")
    assert capsys.readouterr().out.splitlines() == ["[a].png  1.00% crack", "b.png  1.00% crack"]


def test_speed_is_said_in_the_larger_number():
    assert speed(10, 4) == "2.5 photographs a second"
    assert speed(4, 10) == "2.5 s a photograph"
    assert speed(0, 10) == ""
