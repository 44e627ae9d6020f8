"""Finds out whether a folder is on a disk that several machines may share. The kernel's table of mounts says it."""

import os
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = (
    *("9p", "afs", "beegfs", "ceph", "cifs", "fuse", "gfs2", "glusterfs", "gpfs", "lustre", "nfs", "ocfs2", "panfs"),
    *("pvfs2", "smb", "vboxsf", "virtiofs", "wekafs"),
)
"""How the types of such file systems begin. With ``fuse`` some local ones are counted too, which only costs time."""


def is_network_disk(folder: Path) -> bool:
    """Whether the disk of an existing folder belongs to a network file system."""
    return file_system(folder).startswith(NETWORK)


def file_system(folder: Path) -> str:
    """The type of a folder's file system, such as ``ext4`` or ``nfs4``; empty if the table does not list its disk."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in MOUNTS.read_text().splitlines():  # proc(5): number parent major:minor root point options ... - type
        mount, _, about = line.partition(" - ")
        if mount.split()[2] == number:
            return about.split()[0]
    return ""
