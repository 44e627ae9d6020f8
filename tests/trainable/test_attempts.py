"""Attempt numbers of the processes that a trial has had."""

from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from trainable.attempts import LOCK_FILE, Superseded, lock_folder, require_latest, take_over


def test_the_latest_attempt_has_the_folder(tmp_path: Path):
    require_latest(tmp_path, 1)  # a folder of an older version has no attempts
    take_over(tmp_path, 1)
    take_over(tmp_path, 1)  # the same process begins the trial again
    require_latest(tmp_path, 1)
    take_over(tmp_path, 3)
    require_latest(tmp_path, 3)


def test_an_earlier_attempt_may_neither_write_nor_take_over(tmp_path: Path):
    take_over(tmp_path, 3)
    for refused in (require_latest, take_over):
        with pytest.raises(Superseded, match=r"attempt 2 .*attempt 3 \(process \d+ on "):
            refused(tmp_path, 2)
    require_latest(tmp_path, 3)


def test_a_folder_has_one_process_unless_that_keeps_it_too_long(tmp_path: Path):
    first = lock_folder(tmp_path)
    second = lock_folder(tmp_path, seconds=0.1)  # the first one hangs, with its machine
    assert first.is_locked
    third = lock_folder(tmp_path, seconds=0.1)
    second.release()
    third.release()
    fourth = lock_folder(tmp_path, seconds=0.1)
    other = FileLock(tmp_path / LOCK_FILE, timeout=0.1)
    with pytest.raises(Timeout):
        other.acquire()
    assert fourth.is_locked
