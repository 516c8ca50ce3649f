"""Lines as Linux writes them in /proc/self/mountinfo, and what they say of a path."""

from pathlib import Path

import pytest
from support.refused import refused

from jobs.database import owners
from jobs.database.owners import NETWORK, file_system, network_drive, refuse_network_drive
from jobs.model.errors import DatabaseUnusableError

LAPTOP = """\
22 28 0:20 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw
28 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro
31 28 0:26 / /run rw,nosuid,nodev shared:16 - tmpfs tmpfs rw,size=8052196k
98 28 259:3 / /people rw,relatime shared:51 - btrfs /dev/nvme0n1p3 rw,compress=zstd:3
310 98 0:52 / /people/ann/nas rw,relatime shared:170 - nfs4 nas.local:/volume1 rw,vers=4.2,hard
311 98 0:53 / /people/ann/team\\040files rw,relatime shared:171 - cifs //srv/team rw,vers=3.1.1
312 98 0:54 / /people/ann/r&d\\134old rw,relatime - fuse.sshfs ann@build:/srv rw,user_id=1000
313 98 0:55 / /people/ann/bücher rw,relatime - fuse.rclone drive: rw,user_id=1000
314 310 0:56 / /people/ann/nas/scratch rw,relatime - xfs /dev/sdb1 rw
"""
CONTAINER = """\
1203 912 0:61 / / rw,relatime master:430 - overlay overlay rw,lowerdir=/var/lib/docker/l/AB
1310 1203 0:71 / /data rw,relatime master:12 propagate_from:2 - 9p share rw,trans=virtio
1311 1203 259:2 /srv/nights /nights rw,relatime - ext4 /dev/nvme0n1p2 rw
"""
STACKED = """\
28 1 259:2 / / rw - ext4 /dev/sda1 rw
40 28 0:50 / /mnt rw - nfs nas:/a rw
41 40 8:17 / /mnt rw - ext4 /dev/sdb1 rw
"""


@pytest.mark.parametrize(
    ("mountinfo", "path", "found"),
    [
        (LAPTOP, "/batchsora.db", "ext4"),
        (LAPTOP, "/people/ann/batchsora.db", "btrfs"),
        (LAPTOP, "/people/ann/nas/batchsora.db", "nfs4"),
        (LAPTOP, "/people/ann/nas", "nfs4"),
        (LAPTOP, "/people/ann/nas2/batchsora.db", "btrfs"),
        (LAPTOP, "/people/ann/nas/scratch/batchsora.db", "xfs"),
        (LAPTOP, "/people/ann/team files/a/batchsora.db", "cifs"),
        (LAPTOP, "/people/ann/team/batchsora.db", "btrfs"),
        (LAPTOP, "/people/ann/r&d\\old/batchsora.db", "fuse.sshfs"),
        (LAPTOP, "/people/ann/bücher/batchsora.db", "fuse.rclone"),
        (LAPTOP, "/run/batchsora.db", "tmpfs"),
        (CONTAINER, "/job/batchsora.db", "overlay"),
        (CONTAINER, "/data/batchsora.db", "9p"),
        (CONTAINER, "/nights/batchsora.db", "ext4"),
        (STACKED, "/mnt/batchsora.db", "ext4"),
        ("", "/batchsora.db", None),
        ("nonsense\n1 2 3 - \n - nfs x rw\n", "/batchsora.db", None),
    ],
)
def test_the_longest_mount_point_decides(mountinfo: str, path: str, found: str | None) -> None:
    """Whole folder names only, octal escapes undone, the last of several at one point."""
    assert file_system(path, mountinfo) == found


NETWORKS = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs",
            "fuse.rclone", "fuse.s3fs", "fuse.davfs", "fuse.juicefs")  # fmt: skip
LOCAL = ("ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "vfat", "ntfs3", "fuseblk",
         "fuse.ntfs-3g", "virtiofs", "fuse.encfs", "bcachefs", "something-new")  # fmt: skip


@pytest.mark.parametrize("kind", NETWORKS + LOCAL)
def test_network_drives_are_refused_and_all_else_is_fine(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run there could have a second one beside it on another machine; the remedy is named."""
    table = tmp_path / "mountinfo"
    table.write_text(f"28 1 0:1 / / rw - {kind} somewhere rw\n")
    monkeypatch.setattr(owners, "MOUNTS", table)
    database = tmp_path / "batchsora.db"
    if kind in NETWORKS:
        assert kind in NETWORK
        with refused(DatabaseUnusableError, match=r"local disk and name it with --db"):
            refuse_network_drive(database)
    else:
        refuse_network_drive(database)


def test_a_link_to_a_network_drive_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file lies counts, not how it is named."""
    far, table = tmp_path / "far", tmp_path / "mountinfo"
    far.mkdir()
    table.write_text(f"28 1 0:1 / / rw - ext4 a rw\n29 28 0:2 / {far} rw - nfs4 b:/ rw\n")
    monkeypatch.setattr(owners, "MOUNTS", table)
    link = tmp_path / "batchsora.db"
    link.symlink_to(far / "batchsora.db")
    assert network_drive(link) == "nfs4"
    assert network_drive(tmp_path / "other.db") is None


def test_without_proc_nothing_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.setattr(owners, "MOUNTS", tmp_path / "none")
    refuse_network_drive(tmp_path / "batchsora.db")
