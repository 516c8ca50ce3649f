"""The part for Windows, and for tests that hide what POSIX has.

What only Windows has is looked up by name, so that this part can also be checked and run where it
is missing.
"""

import contextlib
import errno
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

_msvcrt: Final[Any] = import_module("msvcrt")

_BINARY: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)

_APART: Final = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) | getattr(
    subprocess, "CREATE_NO_WINDOW", 0
)
DETACHED: Final[dict[str, Any]] = {"creationflags": _APART}
"""Arguments of Popen for a process that outlives this one, and no Ctrl-C of ours reaches."""

OWN_GROUP: Final[dict[str, Any]] = {"creationflags": _APART}
"""Arguments of Popen for a process that we end ourselves: a Ctrl-C is for us."""

BROWSERS_SEE_HOME: Final = False
"""Whether browsers may see neither the folder for temporary files nor hidden ones, as snaps do."""

OPEN_FILES_STAY: Final = True
"""Whether a file that is open can be neither renamed, replaced nor deleted."""

LOCKED: Final = 2**31 - 2
"""The byte that is locked: nobody else can read it, so it lies behind those of any file of ours."""

TRIES: Final = 20
PAUSE: Final = 0.025
"""Seconds between tries to rename: a virus scanner opens what was just written for a moment."""

_places: Final = threading.Lock()
"""A file has one place, which is moved to read and write elsewhere."""


def _open(path: Path, flags: int, mode: int, *, follow: bool) -> int:
    if not follow:
        _refuse_link(path)
    handle = os.open(path, flags | _BINARY, mode)
    try:
        if not follow:  # it may have become one before it was opened
            _refuse_link(path, handle)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _refuse_link(path: Path, handle: int | None = None) -> None:
    """Raise OSError if a name is a link, or no longer that of an open file."""
    is_link = path.is_symlink()
    if is_link or (handle is not None and not os.path.samestat(path.lstat(), os.fstat(handle))):
        # the system's own text for this number is "Unknown error"
        raise OSError(errno.ELOOP, "it is a link, or was replaced by one", str(path))


def open_to_read(path: Path, *, follow: bool = False) -> int:
    """Open a file; raise OSError for a link unless it is to be followed."""
    return _open(path, os.O_RDONLY, 0, follow=follow)


def open_to_change(path: Path, *, mode: int | None = None, follow: bool = False) -> int:
    """Open a file to read and write; with a mode it is made if it is missing."""
    made = 0 if mode is None else os.O_CREAT
    return _open(path, os.O_RDWR | made, mode or 0, follow=follow)


def open_to_append(path: Path, mode: int, *, follow: bool = False) -> int:
    """Open a file to write at its end; it is made if it is missing."""
    return _open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, mode, follow=follow)


def create(path: Path, mode: int = 0o600) -> int:
    """Make a new file and open it to read and write; raise FileExistsError if the name is taken."""
    # a link that leads to nothing is followed by the system, also to make what it leads to
    if path.is_symlink():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    return _open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode, follow=False)


def read_at(handle: int, count: int, place: int) -> bytes:
    """Read up to so many bytes at a place; several threads may do so at once."""
    with _places:
        before = os.lseek(handle, 0, os.SEEK_CUR)
        try:
            os.lseek(handle, place, os.SEEK_SET)
            return os.read(handle, count)
        finally:
            os.lseek(handle, before, os.SEEK_SET)


def write_at(handle: int, data: bytes, place: int) -> None:
    """Write all bytes at a place."""
    view = memoryview(data)
    with _places:
        before = os.lseek(handle, 0, os.SEEK_CUR)
        try:
            os.lseek(handle, place, os.SEEK_SET)
            while view:  # the system may take a part
                view = view[os.write(handle, view) :]
        finally:
            os.lseek(handle, before, os.SEEK_SET)


def truncate(handle: int, size: int) -> None:
    """Cut an open file."""
    os.ftruncate(handle, size)


def sync(handle: int) -> None:
    """Force an open file to disk."""
    os.fsync(handle)


def sync_file(path: Path) -> None:
    """Force a closed file to disk."""
    handle = os.open(path, os.O_RDWR | _BINARY)  # of one that is open to read nothing is forced
    try:
        sync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Do nothing: Windows opens no folder to be forced to disk, and NTFS keeps a log of names."""


def try_lock(handle: int) -> bool:
    """Lock an open file; False if another handle has it locked. The lock ends with the handle.

    Raises:
        OSError: this file system has no locks.
    """
    with _places:
        before = os.lseek(handle, 0, os.SEEK_CUR)
        try:
            os.lseek(handle, LOCKED, os.SEEK_SET)
            _msvcrt.locking(handle, _msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        finally:
            os.lseek(handle, before, os.SEEK_SET)
    return True


def rename_locked(handle: int, path: Path, target: Path) -> None:
    """Rename a locked file, replacing what has the name, and close the handle.

    An open file can't be renamed, so it is closed first: who opens it in between prevents that.
    """
    os.close(handle)
    replace(path, target)


def delete_locked(handle: int, path: Path) -> None:
    """Delete a locked file, and close the handle; it stays if somebody opened it in between."""
    os.close(handle)
    with contextlib.suppress(PermissionError):
        _repeated(lambda: path.unlink(missing_ok=True))


def replace(path: Path, target: Path) -> None:
    """Rename a closed file, replacing what has the name.

    Raises:
        PermissionError: another program has one of them open.
    """
    _repeated(lambda: path.replace(target))


def rename_new(path: Path, target: Path) -> None:
    """Give a file a second or another name; raise FileExistsError if that is taken."""
    _repeated(lambda: path.rename(target))


def _repeated(change: Callable[[], object]) -> None:
    """Change names of files, again for a moment while another program has one of them open."""
    for _ in range(TRIES):
        try:
            change()
        except PermissionError:
            time.sleep(PAUSE)
        else:
            return
    change()


def keep_mode(handle: int, mode: int) -> None:
    """Do nothing: a file has the permissions of its folder."""


def account() -> int:
    """Return the number that Windows shows for the owner of every file."""
    return 0


def is_private(found: os.stat_result) -> bool:
    """Return True: who may read a file, its mode does not say; its folder is the person's own."""
    del found
    return True


def is_readable_by_others(mode: int) -> bool:
    """Return False: a file's mode does not say who may read it."""
    del mode
    return False


def is_alive(pid: int) -> bool | None:
    """Return None: asking by signal 0, as on POSIX, would press Ctrl-C."""
    del pid
    return None


def since_boot() -> str | None:
    """Return None: no clock here names the start of the machine that it counts from."""
    return None


def end_with_input() -> None:
    """End this process when its input is closed: then the parent is gone, which writes no more."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def bound_process(seconds: int, memory: int) -> None:
    """Do nothing: the process that asked watches the clock, and nobody the memory."""
    del seconds, memory


def was_timed_out(code: int) -> bool:
    """Return False: :func:`bound_process` ends nothing."""
    del code
    return False


def was_killed(code: int) -> bool:
    """Check by its exit code whether a process ended as it does without memory."""
    return code in (_STATUS_NO_MEMORY, _STATUS_FAIL_FAST)


_STATUS_NO_MEMORY: Final = 0xC0000017
_STATUS_FAIL_FAST: Final = 0xC0000409  # so Rust aborts without memory


def wait_until_writable(handle: int) -> None:
    """Do nothing: no pipe or terminal is non-blocking here."""
    del handle


_PLAIN: Final = re.compile(r"[\w./\\:+=~-]+")


def quote(text: str) -> str:
    """Write an argument as PowerShell takes it, and where it has no sign of either, cmd as well."""
    if _PLAIN.fullmatch(text):
        return text
    if not set(text) & _ALIVE:
        return f'"{text}\\"' if text.endswith("\\") else f'"{text}"'
    return "'" + _SINGLE.sub(r"\g<0>\g<0>", text) + "'"


_ALIVE: Final = frozenset('"\u201c\u201d\u201e$`%!\n\r')
"""What means something between double quotes, or ends them: in PowerShell curved ones as well."""

_SINGLE: Final = re.compile("['\u2018\u2019\u201a\u201b]")
