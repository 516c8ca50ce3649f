"""One runner per SQLite database: a kernel lock that ends with its process.

The lock is the file ``DATABASE.lock``; ``DATABASE.runner`` says, for people only, who holds it.
Readers never take the lock.
"""

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from ..model.errors import AnotherRunnerError, DatabaseFaultError, Fault
from ..model.files import read_small, replaced

PATIENCE = 0.5
"""Seconds for which a runner that ends just now is waited for."""

LARGEST_TEXT = 64 * 1024
"""Bytes of what says who runs, at most."""

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
    lock = FileLock(_beside(database, ".lock"), mode=0o600)
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        who = _read(database)
        raise AnotherRunnerError(database, str(who or "")) from None
    except OSError as error:
        beside = _beside(database, ".lock")
        fault = _fault(beside, error)
        raise DatabaseFaultError(database, fault, error.strerror or "", beside) from error
    try:
        _introduce(database, now, brief=brief)
        yield
    finally:
        _forget(database)
        lock.release()


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
    try:
        os.kill(who.pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return who
    return who


def is_held(database: Path) -> bool:
    """Check by the lock itself whether somebody runs: for those who wait for that, not for readers.

    A killed process may seem alive: until its parent has waited for it, if its number was reused,
    or from a container with another name.
    """
    try:
        with FileLock(_beside(database, ".lock"), mode=0o600, timeout=0):
            return False
    except (Timeout, OSError):
        return True


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
