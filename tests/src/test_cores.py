"""Cores that this process may use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from src import cores
from src.cores import available_cores


def test_a_process_that_is_bound_to_one_core_has_one():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert available_cores() == len(before)


def limit(monkeypatch: pytest.MonkeyPatch, folder: Path, files: dict[str, str], there: int = 16) -> int:
    """The cores of a process in a control group with these files, on a machine of so many."""
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    monkeypatch.setattr(cores, "CGROUP", folder)
    monkeypatch.setattr(
        os, "sched_getaffinity", lambda _: set(range(there))
    )  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    return available_cores()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("max 100000", 16), ("9900000 100000", 16)],
)
def test_a_container_has_the_processor_time_that_it_was_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, expected: int
):
    assert limit(monkeypatch, tmp_path, {"cpu.max": text + "\n"}) == expected


@pytest.mark.parametrize(("time", "expected"), [("200000", 2), ("-1", 16), ("nonsense", 16)])
def test_so_it_is_with_control_groups_of_the_first_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, time: str, expected: int
):
    files = {"cpu/cpu.cfs_quota_us": time, "cpu/cpu.cfs_period_us": "100000"}
    assert limit(monkeypatch, tmp_path, files) == expected


@pytest.mark.parametrize("files", [{}, {"cpu.max": ""}, {"cpu.max": "100000 0"}])
def test_without_a_limit_that_can_be_read_all_cores_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: dict[str, str]
):
    assert limit(monkeypatch, tmp_path, files) == 16


def test_the_matrices_of_a_proposal_are_not_spread_over_cores_that_trials_keep_busy():
    script = (
        "import sweeps.run, sweeps.search.gp_model, threadpoolctl; "
        "print({pool['num_threads'] for pool in threadpoolctl.threadpool_info() if pool['internal_api'] == 'openblas'})"
    )
    free = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    found = subprocess.run([sys.executable, "-c", script], env=free, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "{1}"
