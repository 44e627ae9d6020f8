"""Processor cores that this process may use."""

import os


def available_cores() -> int:
    """``taskset`` and batch systems make them fewer than the machine has."""
    return len(os.sched_getaffinity(0))
