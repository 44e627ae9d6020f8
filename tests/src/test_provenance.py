"""What is kept beside every number."""

import shutil
import subprocess
from importlib.metadata import version

import pytest
from checkout import ROOT

from src import provenance as module
from src.provenance import provenance


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_it_names_the_commit_and_the_versions():
    about = provenance()
    head = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert about["commit"] == (head.stdout.strip() or None)
    assert about["packages"]["optuna"] == version("optuna")


def test_without_git_the_commit_is_unknown_and_nothing_fails(monkeypatch: pytest.MonkeyPatch):
    def no_git(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(module.subprocess, "run", no_git)
    about = provenance()
    assert about["commit"] is None
    assert about["dirty"] is False
