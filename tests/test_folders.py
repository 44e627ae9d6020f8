"""Folders that make room."""

import os
from pathlib import Path

import pytest

from src.errors import UserError
from src.folders import in_full, move_aside, refuse_irregular


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


def test_a_relative_path_that_is_not_there_is_told_with_the_folder_that_was_looked_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert in_full(Path("outputs/sweeps")) == f"outputs/sweeps ({tmp_path}/outputs/sweeps)"
    assert in_full(tmp_path / "a") == str(tmp_path / "a")
    with pytest.raises(UserError) as caught:
        refuse_irregular(Path("none"))
    assert str(tmp_path / "none") in str(caught.value)
