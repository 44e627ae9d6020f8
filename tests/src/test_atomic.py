"""Files and folders that are replaced in one step."""

import os
import subprocess
from pathlib import Path

import pytest

from src.atomic import new_folder, partial_beside, replace_text, replaced_file


def dead_process() -> str:
    """The number of a process that is gone."""
    return subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()


def of_process(path: Path, pid: str) -> Path:
    """What ``partial_beside`` gives another process."""
    return path.with_name(partial_beside(path).name.replace(f".{os.getpid()}.", f".{pid}."))


def test_a_file_has_the_old_content_until_the_new_one_is_whole(tmp_path: Path):
    path = tmp_path / "a.txt"
    replace_text(path, "old")
    with replaced_file(path) as partial:
        partial.write_text("half")
        assert path.read_text() == "old"
        partial.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "a.txt"
    replace_text(path, "old")
    with pytest.raises(TypeError), replaced_file(path) as partial:
        partial.write_bytes("half")  # pyright: ignore[reportArgumentType]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_when_it_is_full_and_replaces_none_that_holds_something(tmp_path: Path):
    folder = tmp_path / "deep" / "out"
    with new_folder(folder) as partial:
        (partial / "a").touch()
        assert not folder.exists()
    assert [path.name for path in folder.iterdir()] == ["a"]
    with pytest.raises(OSError, match="out"), new_folder(folder) as partial:
        (partial / "b").touch()
    assert [path.name for path in folder.iterdir()] == ["a"]
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("name", ["[out]", "b.png"])
def test_what_is_being_written_is_nobody_elses_and_of_the_dead_it_is_removed(tmp_path: Path, name: str):
    path, alive, dead = tmp_path / name, str(os.getppid()), dead_process()
    kept = [of_process(path, alive), of_process(tmp_path / "other", dead)]
    for folder in (*kept, of_process(path, dead)):
        folder.mkdir()
    assert partial_beside(path).suffix in (path.suffix, ".partial")
    assert sorted(tmp_path.iterdir()) == sorted(kept)


@pytest.mark.parametrize("name", ["x" * 255, "Größe é", "a\udcff", ".hidden", "a.tar.gz"])
def test_a_file_of_any_name_can_be_replaced(tmp_path: Path, name: str):
    replace_text(tmp_path / name, "new")
    assert (tmp_path / name).read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 1
