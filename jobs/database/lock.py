"""One runner per SQLite database: a kernel lock that ends with its process.

The lock is on the file ``DATABASE.lock``, which stays; ``DATABASE.runner`` says, for people only,
who holds it. Readers take the lock only for a moment, where the system does not say who is alive.
"""

import errno
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from .. import system
from ..model.errors import AnotherRunnerError, DatabaseFaultError, Fault
from ..model.files import read_small, replaced

PATIENCE = 0.5  # seconds for which a runner that ends just now is waited for
_POLL = 0.05  # seconds between two tries
LARGEST_TEXT = 64 * 1024  # bytes of what says who runs, at most

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class RunnerInfo:
    """Who runs; not part of the locking."""

    pid: int
    host: str
    since: str
    brief: bool = False  # ends with some jobs of its own: what is handed to it may be left over

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.host}, since {self.since}"


def _beside(database: Path, suffix: str) -> Path:
    """Name a file beside the database, the same one for every link to it."""
    real = database.resolve()
    return real.with_name(real.name + suffix)


@contextmanager
def runner_lock(
    database: Path, now: datetime, patience: float = PATIENCE, *, brief: bool = False
) -> Iterator[None]:
    """Hold the runner's lock of a database; wait for it ``patience`` seconds.

    Raises:
        AnotherRunnerError: another runner holds it.
        DatabaseUnusableError: nothing can be written beside the database.
    """
    beside = _beside(database, ".lock")
    try:
        handle = _locked(beside, patience)
    except OSError as error:
        fault = _fault(beside, error)
        raise DatabaseFaultError(database, fault, error.strerror or "", beside) from error
    if handle is None:
        who = _read(database)
        raise AnotherRunnerError(database, str(who or ""))
    try:
        _introduce(database, now, brief=brief)
        yield
    finally:
        _forget(database)
        os.close(handle)


def _locked(path: Path, patience: float) -> int | None:
    """Return the handle that has the lock until it is closed; None: another one has it."""
    end = time.monotonic() + patience
    while True:
        handle = system.open_to_change(path, mode=0o600)
        try:
            if _lock(path, handle):
                return handle
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if time.monotonic() >= end:
            return None
        time.sleep(_POLL)


def _lock(path: Path, handle: int) -> bool:
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    # the file may have been deleted meanwhile: then others lock the next one of its name
    return system.try_lock(handle) and os.path.samestat(path.stat(), found)


def _fault(lock: Path, error: OSError) -> Fault:
    if error.errno in _NO_SPACE:
        return Fault.LOCK_FULL
    if lock.is_symlink():
        return Fault.LOCK_LINK
    return Fault.LOCK_KIND if lock.exists() and not lock.is_file() else Fault.LOCK_RIGHTS


def _introduce(database: Path, now: datetime, *, brief: bool) -> None:
    """Write down who runs; if the disk is full, no name is shown rather than an old one."""
    since = now.isoformat(timespec="seconds")
    who = RunnerInfo(os.getpid(), socket.gethostname(), since, brief=brief)
    try:
        with replaced(_beside(database, ".runner")) as draft:
            draft.write_text(json.dumps(asdict(who)))
    except OSError:
        _forget(database)


def _forget(database: Path) -> None:
    with suppress(OSError):
        _beside(database, ".runner").unlink()


def current_runner(database: Path) -> RunnerInfo | None:
    """Return who runs on this database, as far as can be seen without touching the lock.

    A killed runner leaves its file behind; on this machine its pid shows that it is gone.
    """
    who = _read(database)
    if who is None or who.host != socket.gethostname():
        return who
    alive = system.is_alive(who.pid)
    return who if (is_held(database) if alive is None else alive) else None


def is_held(database: Path) -> bool:
    """Check by the lock itself whether somebody runs: for those who wait for that, not for readers.

    A killed process may seem alive: until its parent has waited for it, if its number was reused,
    or from a container with another name.
    """
    try:
        handle = _locked(_beside(database, ".lock"), 0)
    except OSError:
        return True
    if handle is not None:
        os.close(handle)
    return handle is None


def lasting_runner(database: Path) -> RunnerInfo | None:
    """Return who runs for more than some jobs of its own, and serves what it took up to its end."""
    runner = current_runner(database)
    return None if runner is None or runner.brief else runner


def _read(database: Path) -> RunnerInfo | None:
    try:
        found = json.loads(read_small(_beside(database, ".runner"), LARGEST_TEXT))
        return RunnerInfo(
            int(found["pid"]), str(found["host"]), str(found["since"]), found.get("brief") is True
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
