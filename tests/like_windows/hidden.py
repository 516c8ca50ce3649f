"""Linux with what Windows lacks taken away: ``make like-windows`` (docs/development.md).

- What POSIX has is hidden: ``fcntl``, ``os.pread``, ``O_NOFOLLOW``, signals of the event loop …
- A lock is ``msvcrt.locking``, made of the kernel's locks of a range: it really locks.
- A file that is open, here or in the process that started this one, can't be renamed or deleted;
  ``rename`` replaces nothing; a folder can't be opened.
- Names that differ only in capitals are the same, and some are refused (``nul.mp4``).

What C opens by itself (SQLite, readers of pictures) sees Linux as it is, and so do tests that ask
for modes of files. Signals stay, which ``Popen`` needs, and ``os.getuid``, which pytest needs.
"""

import asyncio
import builtins
import contextlib
import errno
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

HERE: Final = os.path.dirname(os.path.abspath(__file__))

_ABSENT: Final = (
    "chown fchmod fchown fork getegid geteuid getpgid killpg lchown mkfifo openpty pread preadv"
    " pwrite pwritev setsid O_ASYNC O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK"
)
_REFUSED: Final = re.compile(
    r'.*[<>:"|?*\x00-\x1f].*|.*[. ]|(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:\..*)?',
    re.IGNORECASE | re.DOTALL,
)

_open, _stat, _lstat = os.open, os.stat, os.lstat
_file: Final = io.open
_replace, _rename, _unlink, _mkdir = os.replace, os.rename, os.unlink, os.mkdir
_link: Final = os.link


def hide() -> None:
    """Take what Windows lacks from this process, and from Python in those that it starts."""
    if "msvcrt" in sys.modules:
        return
    import fcntl  # noqa: PLC0415 - before it is hidden

    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    for name in ("fcntl", "pty", "resource"):
        sys.modules[name] = None  # type: ignore[assignment]
    sys.modules["msvcrt"] = _msvcrt(fcntl)
    for name in _ABSENT.split():
        delattr(os, name)
    loop = asyncio.SelectorEventLoop
    del loop.add_signal_handler, loop.remove_signal_handler  # type: ignore[attr-defined]
    os.open, os.stat, os.lstat = open_, _found(_stat), _found(_lstat)  # type: ignore[assignment]
    io.open = builtins.open = _opened  # type: ignore[assignment]
    os.replace, os.rename, os.mkdir = replace, rename, mkdir  # type: ignore[assignment]
    os.unlink = os.remove = unlink
    _hide_from_children()


def _msvcrt(fcntl: Any) -> ModuleType:
    """Return what stands for msvcrt: locks of a byte that belong to one opening of a file."""
    module = ModuleType("msvcrt")
    module.LK_NBLCK, module.LK_UNLCK = 2, 0  # type: ignore[attr-defined]

    def locking(handle: int, mode: int, count: int) -> None:
        import struct  # noqa: PLC0415

        kind = fcntl.F_UNLCK if mode == module.LK_UNLCK else fcntl.F_WRLCK
        place = os.lseek(handle, 0, os.SEEK_CUR)
        wanted = struct.pack("hhqqi", kind, os.SEEK_SET, place, count, 0)
        try:
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, wanted)
        except OSError as error:
            raise PermissionError(errno.EACCES, "Permission denied") from error

    module.locking = locking  # type: ignore[attr-defined]
    return module


def _hide_from_children() -> None:
    os.environ["PYTHONPATH"] = _with_ours(os.environ.get("PYTHONPATH"))
    start = subprocess.Popen.__init__

    def started(self: Any, *args: Any, env: Any = None, **words: Any) -> None:
        if env is not None:
            env = {**env, "PYTHONPATH": _with_ours(env.get("PYTHONPATH"))}
        start(self, *args, env=env, **words)

    subprocess.Popen.__init__ = started  # type: ignore[method-assign]


def _with_ours(path: str | None) -> str:
    others = [one for one in (path or "").split(os.pathsep) if one and os.path.abspath(one) != HERE]
    return os.pathsep.join([HERE, *others])


def _ours(path: Any) -> str | None:
    """Return a path as a text if it is one of a test's files."""
    if isinstance(path, int):
        return None
    text = os.path.abspath(os.fsdecode(path))
    return text if text.startswith(_TESTS) else None


_TESTS: Final = tuple({"/dev/shm/", tempfile.gettempdir() + os.sep})  # noqa: S108 - tests/conftest.py


def _spelled(path: Any) -> Any:
    """Return the name under which a file is there, if it is there in other capitals."""
    text = _ours(path)
    if text is None:
        return path
    try:
        _lstat(text)
    except OSError:
        folder, name = os.path.split(text)
        with contextlib.suppress(OSError):
            for there in os.listdir(folder):
                if there.casefold() == name.casefold():
                    return os.path.join(folder, there)
    return path


def _checked(path: Any) -> Any:
    """Return how a name to be made is spelled, or raise what Windows does."""
    text = _ours(path)
    if text is not None and _REFUSED.fullmatch(os.path.basename(text)):
        raise OSError(errno.EINVAL, "Invalid argument", path)
    return _spelled(path)


def _found(ask: Callable[..., Any]) -> Callable[..., Any]:
    def asked(path: Any, **words: Any) -> Any:
        try:
            return ask(path, **words)
        except FileNotFoundError:
            spelled = path if words.get("dir_fd") is not None else _spelled(path)
            if spelled is path:
                raise
            return ask(spelled, **words)

    return asked


def open_(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """Open a file that is no folder."""
    if flags & os.O_TMPFILE == os.O_TMPFILE:  # a file without a name, as Windows has it as well
        return _open(path, flags, mode, dir_fd=dir_fd)
    path = _checked(path) if flags & os.O_CREAT else _spelled(path)
    if os.path.isdir(path):
        raise PermissionError(errno.EACCES, "Permission denied", path)
    return _open(path, flags, mode, dir_fd=dir_fd)


def _opened(file: Any, mode: str = "r", *args: Any, **words: Any) -> Any:
    named = _checked(file) if set(mode) & set("wax") else _spelled(file)
    return _file(named, mode, *args, **words)


def _refuse_open(*paths: Any) -> None:
    """Raise what Windows does if a file is open in this process, or in the one that started it."""
    real = {os.path.realpath(os.fsdecode(path)) for path in paths}
    if any(_ours(path) for path in real) and real & _open_files():
        raise PermissionError(errno.EACCES, "another process uses the file", str(paths[0]))


def _open_files() -> set[str]:
    found = set()
    for process in (os.getpid(), os.getppid()):
        with contextlib.suppress(OSError):
            for number in os.listdir(f"/proc/{process}/fd"):
                with contextlib.suppress(OSError):
                    found.add(os.readlink(f"/proc/{process}/fd/{number}"))
    return found


def replace(path: Any, target: Any, **words: Any) -> None:
    """Rename a file that nobody has open to a name that nobody has open."""
    path, target = _spelled(path), _checked(target)
    _refuse_open(path, target)
    _replace(path, target, **words)


def rename(path: Any, target: Any, **words: Any) -> None:
    """Rename a file that nobody has open, to a new name."""
    path = _spelled(path)
    if os.path.lexists(_checked(target)):
        raise FileExistsError(errno.EEXIST, "File exists", path, None, target)
    _refuse_open(path)
    if os.path.isdir(path) or os.path.islink(path):
        _rename(path, target, **words)
    else:  # at once: of two who take a name, one is told
        _link(path, target)
        _unlink(path)


def unlink(path: Any, *, dir_fd: int | None = None) -> None:
    """Delete a file that nobody has open."""
    path = _spelled(path)
    if dir_fd is None:
        _refuse_open(path)
    _unlink(path, dir_fd=dir_fd)


def mkdir(path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
    """Make a folder."""
    _mkdir(_checked(path), mode, dir_fd=dir_fd)
