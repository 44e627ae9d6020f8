"""``make install``: what stands in the way is one sentence."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from checkout import ROOT

import install


@pytest.mark.parametrize(
    ("version", "said"), [((3, 10), "is 3.10"), ((3, 15), "is 3.15"), ((3, 11), ""), ((3, 14), "")]
)
def test_another_python_is_named(version: tuple[int, int], said: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**40))
    found = install.why_not()
    assert said in found
    assert bool(found) == bool(said)


def test_a_small_disk_is_named_unless_the_packages_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**30))
    assert "1.1 GB free" in install.why_not()
    (tmp_path / ".venv").mkdir()
    assert install.why_not() == ""


def test_a_python_without_environments_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    assert "python3-venv" in install.why_not()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n Hash mismatch",
            "requirements.lock",
        ),
        ("WARNING: x\nERROR: Failed building wheel for y\n", "Failed building wheel for y"),
        ("ERROR: No matching distribution found for torch==2.15.0", "Is there a network"),
        ("", "it said nothing"),
    ],
)
def test_what_pip_says_is_one_sentence(text: str, said: str):
    found = install.why_failed(text)
    assert said in found
    assert "\n" not in found


def test_without_a_network_that_is_the_sentence(tmp_path: Path):
    for name in ("install.py", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    nowhere = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1"}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")} | nowhere
    words = [sys.executable, "install.py"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("error: The packages cannot be reached")
    assert done.stderr.count("\n") == 1


def test_an_environment_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".venv").write_text("a file")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**40))
    run: Callable[[], int] = install.main
    assert run() == 2
    assert "Cannot make .venv" in capsys.readouterr().err
