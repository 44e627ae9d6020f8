"""Attempt numbers of the processes that a trial has had."""

from pathlib import Path

import pytest

from trainable.attempts import Superseded, require_latest, take_over


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
