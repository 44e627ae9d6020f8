"""What Ray needs of a machine."""

import os
from pathlib import Path

import pytest

from src.errors import UserError
from sweeps.ray_requirements import LONGEST, SOCKET, require_ray_environment


def test_this_machine_has_what_ray_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    require_ray_environment()


def test_without_a_home_folder_it_is_said_how_to_name_one(monkeypatch: pytest.MonkeyPatch):
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(UserError, match="HOME=FOLDER"):
        require_ray_environment()


@pytest.mark.parametrize("made", [False, True])
def test_a_home_folder_that_cannot_be_written_into_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made: bool
):
    home = tmp_path / "nobody"
    if made:
        home.mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not made and access(path, mode))  # root may write anywhere
    monkeypatch.setenv("HOME", str(home))
    with pytest.raises(UserError, match=f"{home} "):
        require_ray_environment()


@pytest.mark.parametrize("name", ["TMPDIR", "RAY_TMPDIR"])
def test_a_folder_too_deep_for_sockets_is_named_with_the_most_that_is_legal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
):
    most = LONGEST - len(SOCKET)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv(name, "/" + "x" * (most - 1))
    require_ray_environment()
    monkeypatch.setenv(name, "/" + "x" * most)
    with pytest.raises(UserError, match=f"{name}=/x+: .*{most} bytes"):
        require_ray_environment()


def test_rays_own_folder_counts_before_the_one_for_all_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", "/" + "x" * 200)
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    require_ray_environment()
