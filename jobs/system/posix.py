"""The part for Linux, macOS and other POSIX systems."""

import contextlib
import fcntl
import os
import resource
import select
import shlex
import signal
import stat
import sys
import time
from pathlib import Path
from typing import Any, Final

assert sys.platform != "win32"  # noqa: S101 - for mypy, which checks the rest for POSIX alone

DETACHED: Final[dict[str, Any]] = {"start_new_session": True}
"""Arguments of Popen for a process that outlives this one, and no Ctrl-C of ours reaches."""

OWN_GROUP: Final[dict[str, Any]] = {"process_group": 0}
"""Arguments of Popen for a process that we end ourselves: a Ctrl-C is for us."""

BROWSERS_SEE_HOME: Final = sys.platform == "linux"
"""Whether browsers may see neither the folder for temporary files nor hidden ones, as snaps do."""

OPEN_FILES_STAY: Final = False
"""Whether a file that is open can be neither renamed, replaced nor deleted."""

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def _open(path: Path, flags: int, mode: int, *, follow: bool) -> int:
    # not blocking: it may be, or have become, a pipe that nobody has at its other end
    flags |= os.O_CLOEXEC | os.O_NONBLOCK
    return os.open(path, flags if follow else flags | os.O_NOFOLLOW, mode)


def open_to_read(path: Path, *, follow: bool = False) -> int:
    """Open a file; raise OSError for a link unless it is to be followed."""
    return _open(path, os.O_RDONLY, 0, follow=follow)


def open_to_change(path: Path, *, mode: int | None = None, follow: bool = False) -> int:
    """Open a file to read and write; with a mode it is made if it is missing."""
    made = 0 if mode is None else os.O_CREAT
    return _open(path, os.O_RDWR | made, mode or 0, follow=follow)


def open_to_append(path: Path, mode: int, *, follow: bool = False) -> int:
    """Open a file to write at its end; it is made if it is missing."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    if follow:  # such as /dev/stderr, which is waited for
        return os.open(path, flags | os.O_CLOEXEC, mode)
    return _open(path, flags, mode, follow=False)


def create(path: Path, mode: int = 0o600) -> int:
    """Make a new file and open it to read and write; raise FileExistsError if the name is taken."""
    return _open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode, follow=False)


def read_at(handle: int, count: int, place: int) -> bytes:
    """Read up to so many bytes at a place; several threads may do so at once."""
    return os.pread(handle, count, place)


def write_at(handle: int, data: bytes, place: int) -> None:
    """Write all bytes at a place."""
    view = memoryview(data)
    while view:  # the system may take a part
        written = os.pwrite(handle, view, place)
        view, place = view[written:], place + written


def truncate(handle: int, size: int) -> None:
    """Cut an open file."""
    os.ftruncate(handle, size)


def sync(handle: int) -> None:
    """Force an open file to disk."""
    if sys.platform == "darwin":  # its fsync leaves the bytes in the drive's memory
        with contextlib.suppress(OSError):  # a disk that knows no such order
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
            return
    os.fsync(handle)


def sync_file(path: Path) -> None:
    """Force a closed file to disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Force the names in a folder to disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def try_lock(handle: int) -> bool:
    """Lock an open file; False if another handle has it locked. The lock ends with the handle.

    Raises:
        OSError: this file system has no locks.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def rename_locked(handle: int, path: Path, target: Path) -> None:
    """Rename a locked file, replacing what has the name, and close the handle."""
    try:
        path.replace(target)  # under the lock: nobody else continues this file meanwhile
    finally:
        os.close(handle)


def delete_locked(handle: int, path: Path) -> None:
    """Delete a locked file, and close the handle."""
    try:
        path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def replace(path: Path, target: Path) -> None:
    """Rename a closed file, replacing what has the name."""
    path.replace(target)


def rename_new(path: Path, target: Path) -> None:
    """Link or rename a file; raise FileExistsError if that is taken."""
    try:
        os.link(path, target)
    except FileExistsError:
        raise
    except OSError:  # exFAT and some folders of Android have no hard links
        # one process at a time, as renaming replaces
        handle = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.path.lexists(target):
                raise FileExistsError(str(target)) from None
            path.rename(target)
        finally:
            os.close(handle)


def keep_mode(handle: int, mode: int) -> None:
    """Set the permissions of an open file to those of another one."""
    os.fchmod(handle, mode & 0o7777)


def account() -> int:
    """Return the number of the account that this process acts for."""
    return os.geteuid()


def is_private(found: os.stat_result) -> bool:
    """Check whether a file is this account's, and nobody else's to read or write."""
    return found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077


def is_readable_by_others(mode: int) -> bool:
    """Check whether a file's mode lets other accounts read it."""
    return stat.S_ISREG(mode) and bool(mode & (stat.S_IRGRP | stat.S_IROTH))


def is_alive(pid: int) -> bool | None:
    """Check whether a process of this machine runs; None: the system does not tell."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def since_boot() -> str | None:
    """Return ``BOOTID:SECONDS`` since the machine started, which nobody can set; None: not told."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            boot_id = BOOT_ID.read_text(encoding="ascii").strip()
            return f"{boot_id}:{time.clock_gettime(time.CLOCK_BOOTTIME):.3f}"
    return None


def end_with_input() -> None:
    """Let the system end us when the input is closed, even inside a library that never returns.

    The parent writes nothing more, so a signal of the input means that the parent is gone.
    """
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([0], [], [], 0)[0]:  # it went before
        os._exit(1)


def bound_process(seconds: int, memory: int) -> None:
    """Limit what this process may take: processor time, and bytes of memory from now on."""

    def limit(kind: int, wanted: int, room: int = 0) -> None:
        hard = resource.getrlimit(kind)[1]
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        above = most + room if hard == resource.RLIM_INFINITY else min(most + room, hard)
        with contextlib.suppress(OSError, ValueError):  # some systems have a limit in name only
            resource.setrlimit(kind, (most, above))

    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_FSIZE, 0)  # it has nothing to write
    limit(resource.RLIMIT_CPU, seconds, 2)  # by SIGXCPU, which says why; SIGKILL comes later
    with contextlib.suppress(OSError), open("/proc/self/statm", "rb") as file:  # noqa: PTH123
        taken = int(file.read().split()[0]) * resource.getpagesize()
        limit(resource.RLIMIT_AS, taken + memory)


def was_timed_out(code: int) -> bool:
    """Check by its exit code whether a process used up the time of :func:`bound_process`."""
    return code == -signal.SIGXCPU


def was_killed(code: int) -> bool:
    """Check by its exit code whether a process ended as it does without memory."""
    return code in (-signal.SIGABRT, -signal.SIGKILL)  # Rust aborts without memory


def wait_until_writable(handle: int) -> None:
    """Wait for room in a pipe or terminal that another program made non-blocking."""
    select.select([], [handle], [])


def quote(text: str) -> str:
    """Write an argument as a shell takes it."""
    return shlex.quote(text)
