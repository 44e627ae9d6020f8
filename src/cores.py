"""The number of processor cores that this process may use."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
QUOTA = "cpu.max"
OLD_QUOTA = ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")


def available_cores() -> int:
    """Cores that this process may use: ``taskset``, batch systems, containers and Kubernetes can limit them.

    ``docker run --cpus`` and Kubernetes show all cores, but pause a process for the rest of each period once it has
    used up its time.
    """
    return math.ceil(min(len(os.sched_getaffinity(0)), quota()))


def quota() -> float:
    """Processor time per second that the control group allows, in seconds; infinite without a limit."""
    try:
        if (CGROUP / QUOTA).is_file():
            time, period = (CGROUP / QUOTA).read_text().split()
        else:
            time, period = ((CGROUP / name).read_text().strip() for name in OLD_QUOTA)
        return float(time) / float(period) if float(time) > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):  # "max", or no such limits here
        return math.inf
