"""Do readers of damaged files refuse them or read them, and does the count of crashes count right?"""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from queue import SimpleQueue

import pytest
from checkout import ROOT

from src.errors import UserError
from tests.robustness import fuzzing


def test_damaged_files_are_counted_and_what_crashes_a_reader_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fragile(path: Path) -> None:
        if b"A" not in path.read_bytes():
            raise UserError(f"Cannot read {path}.")
        raise ZeroDivisionError

    monkeypatch.setattr(fuzzing, "BURST", 60)
    monkeypatch.setattr(fuzzing, "seeds", lambda: [(".txt", b"A", fragile)])
    counts: SimpleQueue[Counter[str]] = SimpleQueue()
    fuzzing.burst(0, tmp_path, counts)
    found = counts.get()
    crashes = [count for text, count in found.items() if "ZeroDivisionError" in text]
    assert sum(crashes) + found["refused"] == found.total() == 60
    assert 0 < sum(crashes) < 60
    assert len(list(tmp_path.glob("crash0-*.txt"))) == sum(crashes)


def test_good_files_of_every_kind_are_read_before_they_are_damaged(tmp_path: Path):
    for suffix, content, read in fuzzing.seeds():
        path = tmp_path / f"good{suffix}"
        path.write_bytes(content)
        if read is not fuzzing.read_drawn:  # photographs are no masks
            read(path)


@pytest.mark.slow
def test_no_damaged_file_crashes_its_reader():
    command = [sys.executable, "-m", "tests.robustness.fuzzing", "--minutes", "0.5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout
