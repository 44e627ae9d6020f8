"""Folders that make room."""

import os
import re
from pathlib import Path

import pytest
from checkout import ROOT

from src.errors import UserError
from src.folders import in_full, move_aside, refuse_irregular, user_path, visible_files


def test_every_path_of_a_command_line_may_begin_with_a_tilde(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert [str(user_path(text)) for text in ("~/a b", "a/~/b")] == ["/home/me/a b", "a/~/b"]
    rooms = ("src", "trainable", "sweeps", "analysis", "benchmarks")
    places = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    assert not [
        path for path in places if re.search(r"type=(pathlib\.)?Path\b|Path\((options|args)\.", path.read_text())
    ]


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


def test_all_files_below_are_listed_but_hidden_ones_and_those_of_systems(tmp_path: Path):
    for name in ("b.jpg", "a/c.jpg", ".hidden/d.jpg", "__MACOSX/a/._c.jpg", "a/@eaDir/c.jpg", "a/.c.jpg", "a/x/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [str(path.relative_to(tmp_path)) for path in visible_files(tmp_path)] == ["a/c.jpg", "a/x/e", "b.jpg"]


def test_links_to_folders_are_followed_once_and_never_upwards(tmp_path: Path):
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "a.jpg").touch()
    home = tmp_path / "home"
    home.mkdir()
    (home / "disk").symlink_to(tmp_path / "elsewhere")
    for name, to in {"up": tmp_path, "root": Path("/"), "self": home}.items():
        (home / name).symlink_to(to)
    (tmp_path / "elsewhere" / "deep" / "loop").symlink_to(tmp_path / "elsewhere")
    assert visible_files(home) == [home / "disk" / "a.jpg"]


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        visible_files(tmp_path / "none")


def test_a_relative_path_that_is_not_there_is_told_with_the_folder_that_was_looked_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert in_full(Path("outputs/sweeps")) == f"outputs/sweeps ({tmp_path}/outputs/sweeps)"
    assert in_full(tmp_path / "a") == str(tmp_path / "a")
    with pytest.raises(UserError) as caught:
        refuse_irregular(Path("none"))
    assert str(tmp_path / "none") in str(caught.value)
