"""What the sandbox keeps over a restart: a JSON line a generation, on disk before the answer."""

import errno
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Final

from batchsora.sandbox.account import Made
from jobs.model.files import refuse_link

LONGEST: Final = 16 * 1024**2
"""Bytes of a line: the longest prompt that a request may have, with every letter escaped."""

_TYPES: Final = {
    "id": str,
    "prompt": str,
    "orientation": str,
    "duration": int,
    "price": int,
    "key": str | None,
    "takes": int | float,
    "failure": str | None,
    "foreign": bool,
}


class JournalError(Exception):
    """The journal can't be used; the text says why and what to do."""


class Journal:
    """A file of generations.

    It may have come in a folder that somebody sent: no link is followed, and nothing but a regular
    file is read or written.

    Args:
        path: made if need be, as is its folder.

    Raises:
        JournalError: it can't be made, or is a link.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            refuse_link(path, "move it away")
        except OSError as error:
            raise self._unusable(error.strerror) from error

    def read(self) -> Iterator[Made]:
        """Return the generations back; a last line that was cut off is left out and cut away.

        Raises:
            JournalError: it can't be read, or holds something else.
        """
        try:
            number = self._opened(os.O_RDWR)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unusable(error.strerror) from error
        with os.fdopen(number, "r+b") as file:
            whole = 0
            while line := file.readline(LONGEST + 1):
                if len(line) > LONGEST:
                    raise self._unusable("a line in it is too long")
                if not line.endswith(b"\n"):
                    file.truncate(whole)
                    return
                whole += len(line)
                try:
                    yield _made(line)
                except (ValueError, TypeError, KeyError, RecursionError) as error:
                    raise self._unusable(f"it is damaged ({type(error).__name__})") from error

    def append(self, item: Made) -> None:
        """Write a generation down, durably.

        Raises:
            OSError: it can't be written, or is a link or no regular file by now.
        """
        entry = asdict(item) | {"created_at": item.created_at.isoformat()}
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with os.fdopen(self._opened(flags), "ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _opened(self, flags: int) -> int:
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        number = os.open(self._path, flags, 0o666)
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise OSError(errno.EINVAL, "it is not a regular file", str(self._path))
        return number

    def _unusable(self, why: str | None) -> JournalError:
        return JournalError(
            f"the sandbox's journal {self._path} can't be used: {why}. Move it away: the "
            "sandbox starts a new one; no real money is involved"
        )


def _made(line: bytes) -> Made:
    """Read a line.

    Raises:
        ValueError, TypeError, KeyError, RecursionError: it is none of ours.
    """
    entry = json.loads(line)
    made = datetime.fromisoformat(entry.pop("created_at"))
    wrong = [name for name, kind in _TYPES.items() if not isinstance(entry[name], kind)]
    if wrong or made.tzinfo is None or min(entry["price"], entry["duration"]) < 0:
        raise ValueError(f"not a generation: {wrong}")
    return Made(created_at=made, **entry)
