"""Processor cores that this process may use."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
QUOTA = "cpu.max"
OLD_QUOTA = ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")


def available_cores() -> int:
    """``taskset`` and batch systems make them fewer than the machine has; so do ``docker run --cpus`` and Kubernetes.

    These leave all cores in sight, and stop a process for the rest of each period in which it has used up its time.
    """
    return math.ceil(min(len(os.sched_getaffinity(0)), quota()))


def quota() -> float:
    """Seconds of processor time that the control group has for every second; infinite without a limit."""
    try:
        if (CGROUP / QUOTA).is_file():
            time, period = (CGROUP / QUOTA).read_text().split()
        else:
            time, period = ((CGROUP / name).read_text().strip() for name in OLD_QUOTA)
        return float(time) / float(period) if float(time) > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):  # "max", or no such limits here
        return math.inf
