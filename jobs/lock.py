"""One runner per SQLite database: a kernel lock that dies with its process.

The lock is the file ``DATABASE.lock``; who holds it stands, for people only, in
``DATABASE.runner``. Readers never take the lock.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import DatabaseLockedError


@dataclass(frozen=True, slots=True)
class RunnerInfo:
    """Who runs: text for people, no part of the locking."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.host}, since {self.since}"


def _info_path(database: Path) -> Path:
    return database.with_name(database.name + ".runner")


@contextmanager
def runner_lock(database: Path, now: datetime, patience: float = 0.5) -> Iterator[None]:
    """Hold the runner's lock of a database.

    Args:
        database: the SQLite file.
        now: the time to write beside the pid.
        patience: seconds to wait for the lock.

    Raises:
        DatabaseLockedError: another runner holds it; the text names its pid and host.
    """
    lock = FileLock(f"{database}.lock", mode=0o600)
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        who = _read(database)
        raise DatabaseLockedError(
            f"another runner works on {database} ({who or 'unknown'}); "
            "wait for it, or stop it with Ctrl-C in its terminal: what is loaded there is safe"
        ) from None
    info = _info_path(database)
    try:
        info.write_text(
            json.dumps(
                {
                    "pid": os.getpid(),
                    "host": socket.gethostname(),
                    "since": now.isoformat(timespec="seconds"),
                }
            )
        )
        yield
    finally:
        info.unlink(missing_ok=True)
        lock.release()


def current_runner(database: Path) -> RunnerInfo | None:
    """Tell who runs on this database, as far as can be seen without touching the lock.

    A runner that was killed leaves its text behind; on this machine its pid tells.
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


def _read(database: Path) -> RunnerInfo | None:
    try:
        found = json.loads(_info_path(database).read_text())
        return RunnerInfo(int(found["pid"]), str(found["host"]), str(found["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
