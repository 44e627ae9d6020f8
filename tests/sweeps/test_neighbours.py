"""Sweeps that run side by side on one machine."""

import errno
import json
import multiprocessing
import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from src.cards import Card
from sweeps import neighbours
from sweeps.neighbours import Share, announced, registry_folder, running, share_of, sharing
from trainable.resources import Resources

ALL = Resources(trials_at_once=1, cores_per_trial=len(os.sched_getaffinity(0)))
OURS = Share("mine", 1, cores=4, allowed=(0, 1, 2, 3), cards=())


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps of other tests, and of the user, are not for these."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def run(folder: str, connection: Any) -> None:
    neighbours.tempfile.tempdir = folder
    with announced("theirs", ALL):
        connection.send("announced")
        connection.recv()


def test_a_sweep_that_plans_the_same_cores_is_told_of_until_it_dies(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run, args=(str(tmp_path), theirs))
    process.start()
    ours.recv()
    (line,) = sharing("mine", ALL)
    assert re.match(rf"theirs \(process {process.pid}\) .* {ALL.cores_per_trial} of ", line)
    with announced("mine", ALL) as lines:
        assert lines == [line]
        assert {share.name for share in running()} == {"mine", "theirs"}
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert len(list(registry_folder().iterdir())) == 1  # as a kill leaves it
    assert sharing("mine", ALL) == []
    assert list(registry_folder().iterdir()) == []


def test_a_sweep_that_has_ended_leaves_nothing():
    with announced("mine", ALL):
        assert [share.name for share in running()] == ["mine"]
    assert list(registry_folder().iterdir()) == []
    assert registry_folder().stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_none_of_ours_is_passed_over():
    with announced("mine", ALL):
        (path,) = registry_folder().iterdir()
        path.write_text(json.dumps({"name": "of another version"}))
        assert running() == []


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (replace(OURS, cores=4), "4 of the same 4 cores"),
        (replace(OURS, allowed=(4, 5)), ""),
        (replace(OURS, cores=2, allowed=(2, 3, 4, 5)), ""),  # six cores are enough for both
        (replace(OURS, cores=4, allowed=(3, 4, 5, 6)), "4 of the same 1 cores"),
        (replace(OURS, allowed=(4, 5), cards=("1", "2")), ""),
        (replace(OURS, allowed=(4, 5), cards=("0", "1")), "the same card 0"),
        (replace(OURS, cards=("0",)), "4 of the same 4 cores and the same card 0"),
    ],
)
def test_only_what_both_have_planned_is_told(other: Share, what: str):
    assert replace(OURS, cards=("0",)).overlap(other) == what


def test_cards_are_those_that_the_environment_shows(monkeypatch: pytest.MonkeyPatch):
    two = Resources(trials_at_once=2, cores_per_trial=1, cards=(Card("RTX", 8000, 7000),) * 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert share_of("mine", two).cards == ("0", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1,2")
    assert share_of("mine", two).cards == ("3", "1")
    assert share_of("mine", ALL).cards == ()


def test_a_place_that_cannot_be_written_is_said_and_keeps_no_sweep_from_running(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    with announced("mine", ALL) as lines:
        assert len(lines) == 1
        assert "/nowhere/at/all" in lines[0]


def test_a_place_without_locks_is_said_too_and_nothing_is_left_there(monkeypatch: pytest.MonkeyPatch):
    def refuse(file: object) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(neighbours, "take", refuse)
    with announced("mine", ALL) as lines:
        assert len(lines) == 1
        assert "No locks available" in lines[0]
        assert list(registry_folder().iterdir()) == []
