"""Whether it is safe to use a file: what another account put beside it, and network drives.

SQLite trusts a ``-wal`` or ``-journal`` whoever made it, and writes its content into the database.
An empty file with the database's name is a new database, whoever can write into it. Both must
belong to somebody who could change the database anyway (:func:`.files.is_foreign`). SQLite's WAL
needs the memory and locks of one machine.
"""

import os
import re
import stat
from pathlib import Path
from typing import Final

from ..model.errors import DatabaseFaultError, Fault
from ..model.files import is_foreign

BESIDE: Final = ("-wal", "-shm", "-journal")  # what SQLite itself keeps beside a database


def refuse_planted_files(database: Path) -> None:
    """Raise DatabaseUnusableError if a file that SQLite would read with a database is another's.

    They may also belong to the database's owner, to whom root's SQLite gives them; and to anybody
    if a group can write the database: its members leave such files, with what they bought.
    """
    real = database.resolve()
    for suffix in BESIDE:
        path = real.with_name(real.name + suffix)
        try:
            found, kept = path.lstat(), real.stat()
        except OSError:
            continue  # it is not there, or what opens it says why it can't
        shared = kept.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if not shared and found.st_uid != kept.st_uid and is_foreign(path, found):
            raise DatabaseFaultError(database, Fault.FOREIGN_FILE, str(found.st_uid), path)


def refuse_planted_start(database: Path, number: int) -> None:
    """Raise DatabaseUnusableError if another account can write into a new database's empty file."""
    found = os.fstat(number)
    if is_foreign(database, found):
        raise DatabaseFaultError(database, Fault.FOREIGN_START, str(found.st_uid))


MOUNTS: Final = Path("/proc/self/mountinfo")
"""Linux's own table (proc_pid_mountinfo(5)); if it is missing, nothing is checked."""

NETWORK: Final = frozenset({
    "9p", "afs", "ceph", "cifs", "coda", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
    "orangefs", "pvfs2", "smb2", "smb3", "smbfs", "fuse.ceph-fuse", "fuse.cephfs",
    "fuse.curlftpfs", "fuse.davfs", "fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs",
    "fuse.goofys", "fuse.google-drive-ocamlfuse", "fuse.juicefs", "fuse.nfs", "fuse.onedrive",
    "fuse.rclone", "fuse.s3fs", "fuse.seaweedfs", "fuse.smbnetfs", "fuse.sshfs", "davfs",
    "beegfs",
})  # fmt: skip
"""Types behind which another machine may be; what is in no list counts as a disk of this one."""

_OCTAL: Final = re.compile(r"\\([0-7]{3})")


def file_system(path: str, mountinfo: str) -> str | None:
    """Return the type of the file system that an absolute path is on; None if it is unknown.

    The longest mount point that holds the path counts, and of several at one point the last. Lines
    of ``mountinfo`` (``/proc/self/mountinfo``) that can't be parsed are skipped.
    """
    longest, found = -1, None
    for line in mountinfo.splitlines():
        before, mark, after = line.partition(" - ")
        fields = before.split(" ")
        if not mark or len(fields) < 5 or not after:  # noqa: PLR2004 - the fifth is the mount point
            continue
        point = _OCTAL.sub(lambda code: chr(int(code[1], 8)), fields[4])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= longest:
            longest, found = len(point), after.split(" ")[0]
    return found


def network_drive(database: Path) -> str | None:
    """Return the type of the network file system that a database is on; None: a local one."""
    if _is_share(database.resolve().drive):
        return "a Windows share"
    try:
        mountinfo = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    found = file_system(str(database.resolve()), mountinfo)
    return found if found in NETWORK else None


def _is_share(drive: str) -> bool:
    r"""Check whether a drive of Windows is ``\\SERVER\SHARE``; elsewhere it is empty."""
    plain = drive.removeprefix("\\\\?\\")
    return plain.startswith("\\\\") or plain.upper().startswith("UNC\\")


def refuse_network_drive(database: Path) -> None:
    """Raise DatabaseUnusableError if a database to be written is on a network drive."""
    if (found := network_drive(database)) is not None:
        raise DatabaseFaultError(database, Fault.NETWORK_DRIVE, found)
