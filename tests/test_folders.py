"""Folders that make room."""

import os
from pathlib import Path

import pytest

from src.errors import UserError
from src.folders import move_aside, refuse_irregular


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
