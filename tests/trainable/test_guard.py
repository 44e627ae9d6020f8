"""What keeps one bad trial from spoiling the others. The watchdog in a process of its own is in test_trial.py."""

import gc
import mmap
from pathlib import Path

import pytest

from trainable import guard
from trainable.guard import OutOfHostMemory, Watchdog, guard_memory, machine_memory, own_memory

GIB = 2**30


@pytest.mark.parametrize(
    ("free", "own", "trials", "raises"),
    [
        (1, 60, 1, True),  # of 100 GiB: almost full, and it is this trial
        (1, 30, 1, False),  # almost full, but the rest is somebody else's
        (1, 40, 2, True),
        (1, 20, 2, False),
        (50, 90, 1, False),  # there is room
    ],
)
def test_the_trial_with_more_than_its_share_goes_when_memory_is_almost_gone(
    free: int, own: int, trials: int, raises: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(guard, "machine_memory", lambda: (100 * GIB, free * GIB))
    monkeypatch.setattr(guard, "own_memory", lambda: own * GIB)
    if not raises:
        guard_memory(trials)
        return
    with pytest.raises(OutOfHostMemory, match=f"1024 .*102400 MiB.*{own * 1024} MiB"):
        guard_memory(trials)


def test_the_machines_memory_and_our_own_are_measured():
    total, free = machine_memory()
    assert 0 < free < total
    gc.collect()  # what other tests have left must not go just now
    before = own_memory()
    # pages of its own: Python may have resident ones left that nobody uses
    with mmap.mmap(-1, 256 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        held.write(b"x" * len(held))
        assert own_memory() - before > 200 * 2**20


def test_a_control_group_with_less_memory_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "memory.max").write_text(f"{1 * GIB}\n")
    (tmp_path / "memory.current").write_text(f"{GIB // 2}\n")
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {GIB // 8}\nactive_file 0\n")
    monkeypatch.setattr(guard, "CGROUP", tmp_path)
    total, free = machine_memory()
    assert (total, free) == (GIB, GIB // 2 + GIB // 8)
    (tmp_path / "memory.max").write_text("max\n")
    assert machine_memory()[0] > 0


def test_a_watchdog_that_rests_leaves_nothing(tmp_path: Path):
    watchdog = Watchdog(60.0, tmp_path / "stacks.txt")
    watchdog.pause()
    watchdog.feed()
    assert (tmp_path / "stacks.txt").is_file()
    watchdog.pause()
    assert not (tmp_path / "stacks.txt").exists()


def test_stacks_of_a_process_before_are_kept(tmp_path: Path):
    (tmp_path / "stacks.txt").write_text("Timeout (0:30:00)!")
    watchdog = Watchdog(60.0, tmp_path / "stacks.txt")
    watchdog.feed()
    watchdog.pause()
    assert (tmp_path / "stacks.txt").read_text() == "Timeout (0:30:00)!"
