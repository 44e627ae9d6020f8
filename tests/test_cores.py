"""Cores that this process may use."""

import os

from src.cores import available_cores


def test_a_process_that_is_bound_to_one_core_has_one():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert available_cores() == len(before)
