"""Small disks for tests: each in a mount namespace of its own, which vanishes with its keeper."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MAKE = 'mount -t tmpfs -o "size=$1" tmpfs "$2" && echo ready && exec cat'


class NoDiskError(Exception):
    """This machine does not let us mount; the text says why."""


class Disk:
    """A mounted tmpfs that only this object's commands see.

    Attributes:
        folder: where it is mounted, for commands that begin with ``prefix``.
        seen_as: the same place for this process.
        prefix: what starts a command that sees the disk.
    """

    def __init__(self, folder: Path, keeper: int) -> None:
        self.folder = folder
        self.seen_as = Path(f"/proc/{keeper}/root{folder}")
        user = () if os.getuid() == 0 else ("--user", "--preserve-credentials")
        self.prefix = ("nsenter", "--target", str(keeper), *user, "--mount")

    def remount(self, options: str) -> None:
        """Change it: ``size=64m``, ``ro``, ``rw``."""
        # with type and source said: in a user namespace mount has nowhere to look them up
        change = ("mount", "-t", "tmpfs", "-o", f"remount,{options}", "tmpfs", str(self.folder))
        subprocess.run([*self.prefix, *change], check=True, capture_output=True)

    def fill(self, leave: int) -> Path:
        """Put a file there that leaves so many bytes free; removing it frees them again."""
        filler = self.seen_as / "somebody-elses-film"
        with filler.open("wb") as file:
            free = os.statvfs(self.seen_as)
            file.write(b"\0" * max(0, free.f_bavail * free.f_frsize - leave))
        return filler


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Disk]:
    """Mount a disk at an existing folder, as root or in a user namespace.

    Raises:
        NoDiskError: neither is allowed here.
    """
    tools = {name: shutil.which(name) for name in ("unshare", "nsenter", "mount")}
    if None in tools.values():
        raise NoDiskError(f"of util-linux there is only {tools}")
    user = () if os.getuid() == 0 else ("--user", "--map-root-user")
    keeper = subprocess.Popen(
        [str(tools["unshare"]), *user, "--mount", "--propagation", "private",
         "sh", "-c", _MAKE, "sh", size, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with keeper:
        assert keeper.stdout is not None
        assert keeper.stderr is not None
        try:
            if keeper.stdout.readline() != "ready\n":
                why = keeper.stderr.read().strip() or "mount was refused"
                raise NoDiskError(f"a disk can't be mounted here: {why}")
            yield Disk(folder, keeper.pid)
        finally:
            keeper.kill()
