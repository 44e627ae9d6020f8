"""Folders that make room."""

import os
import subprocess
from pathlib import Path

import pytest

from src.errors import UserError
from src.folders import move_aside, partial_beside, refuse_irregular


def test_what_is_moved_aside_in_one_second_gets_different_names(tmp_path: Path):
    kept: list[Path] = []
    for content in ("first", "second", "third"):
        (tmp_path / "sweep").mkdir()
        (tmp_path / "sweep" / "file").write_text(content)
        kept.append(move_aside(tmp_path / "sweep"))
    assert [(path / "file").read_text() for path in kept] == ["first", "second", "third"]
    assert not (tmp_path / "sweep").exists()


def test_what_is_no_file_is_refused_and_a_link_to_a_file_is_one(tmp_path: Path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    refuse_irregular(tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    for name, why in {".": "it is not a file", "pipe": "it is not a file", "none": "No such file"}.items():
        with pytest.raises(UserError, match=why):
            refuse_irregular(tmp_path / name)


def test_what_is_in_the_making_is_nobody_elses_and_of_the_dead_it_is_removed(tmp_path: Path):
    dead = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    for name in (
        f".[out].{dead}.partial",
        f".[out].{os.getppid()}.partial",
        f".other.{dead}.partial",
        ".[out].x.partial",
    ):
        (tmp_path / name).mkdir()
    assert partial_beside(tmp_path / "[out]") == tmp_path / f".[out].{os.getpid()}.partial"
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f".[out].{os.getppid()}.partial", f".other.{dead}.partial", ".[out].x.partial"}


def test_a_name_in_the_making_needs_no_folder_around_it(tmp_path: Path):
    assert partial_beside(tmp_path / "new" / "out").parent == tmp_path / "new"
