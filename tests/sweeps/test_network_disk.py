"""Which disks several machines may share."""

import os
from pathlib import Path

import pytest

from sweeps.network_disk import file_system, is_network_disk


@pytest.mark.parametrize(
    ("kind", "shared"),
    [
        ("nfs4", True),
        ("nfs", True),
        ("lustre", True),
        ("fuse.sshfs", True),
        ("cifs", True),
        ("ext4", False),
        ("overlay", False),
    ],
)
def test_the_table_of_mounts_says_what_kind_of_disk_a_folder_is_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, shared: bool
):
    device = tmp_path.stat().st_dev
    table = tmp_path / "mountinfo"
    table.write_text(
        "22 1 0:999 / /other rw shared:1 - ext4 /dev/sda1 rw\n"
        f"23 22 {os.major(device)}:{os.minor(device)} / /home rw,relatime shared:2 master:1 - {kind} server:/home rw\n"
    )
    monkeypatch.setattr("sweeps.network_disk.MOUNTS", table)
    assert file_system(tmp_path) == kind
    assert is_network_disk(tmp_path) == shared


def test_the_memory_of_this_machine_is_no_network_disk():
    assert file_system(Path("/proc")) == "proc"
    assert not is_network_disk(Path("/proc"))


def test_a_disk_that_the_table_does_not_list_is_taken_for_one_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    table = tmp_path / "mountinfo"
    table.write_text("")
    monkeypatch.setattr("sweeps.network_disk.MOUNTS", table)
    assert not is_network_disk(tmp_path)
