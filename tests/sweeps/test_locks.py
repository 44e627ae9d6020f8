"""Locks of files, as the kernel has them."""

import fcntl
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from sweeps.locks import is_taken, take


def hold(path: Path, connection: Any) -> None:
    with path.open("a+") as file:
        assert take(file)
        file.write("anything")
        file.flush()
        connection.send("taken")
        connection.recv()


def test_a_lock_is_taken_until_its_holder_dies_whatever_stands_in_the_file(tmp_path: Path):
    path = tmp_path / "lock"
    assert not is_taken(path)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=hold, args=(path, theirs))
    process.start()
    ours.recv()
    assert is_taken(path)
    with path.open("a+") as file:
        assert not take(file)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert path.read_text() == "anything"
    assert not is_taken(path)


def test_one_that_only_looks_does_not_keep_a_lock_from_being_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "lock"
    path.touch()
    looking = path.open()
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr("time.sleep", lambda _: looking.close())  # it has looked
    with path.open("a+") as file:
        assert take(file)
