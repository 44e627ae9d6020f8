"""Folders that make room."""

from pathlib import Path

from src.folders import move_aside


def test_what_is_moved_aside_in_one_second_gets_different_names(tmp_path: Path):
    kept: list[Path] = []
    for content in ("first", "second", "third"):
        (tmp_path / "sweep").mkdir()
        (tmp_path / "sweep" / "file").write_text(content)
        kept.append(move_aside(tmp_path / "sweep"))
    assert [(path / "file").read_text() for path in kept] == ["first", "second", "third"]
    assert not (tmp_path / "sweep").exists()
