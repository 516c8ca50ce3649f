"""The sandbox's account: generations, refunds, late balances; and the journal that keeps them.

Chance is a hash, so that concurrency changes nothing.
"""

import errno
import hashlib
import json
import math
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from batchsora.providers.registry import MODELS
from batchsora.sandbox.answers import rate, seconds
from jobs import system
from jobs.model.families import FIRST_MODEL
from jobs.model.files import refuse_link


def chance(seed: int, *what: object) -> float:
    """Return a number from 0 to 1 that depends on its arguments alone."""
    text = "\x1f".join(map(str, (seed, *what)))
    # a POST is drawn for before it is checked: half a surrogate pair must not break this
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    return (int.from_bytes(digest[:7], "big") >> 3) / 2**53


QUEUED_SHARE = 0.2


@dataclass(slots=True)
class Made:
    """One generation as the provider keeps it."""

    id: str
    prompt: str
    orientation: str
    duration: int | None
    price: int  # what was charged for it, in micros
    key: str | None
    created_at: datetime
    takes: float  # seconds of real time until it ends; infinite: never
    failure: str | None = None  # its error message, if it fails in the end
    foreign: bool = False  # another client of the account made it
    model: str = "sora"
    seed: int | None = None  # of a model that shows it

    def phase(self, now: datetime) -> str:
        """Return its state."""
        age = (now - self.created_at).total_seconds()
        if age >= self.takes:
            return "completed" if self.failure is None else "failed"
        waits = self.takes * QUEUED_SHARE if math.isfinite(self.takes) else 0.0
        return "pending" if age < waits else "processing"


@dataclass(frozen=True, slots=True)
class Refunds:
    """Which failed generations are refunded, and when."""

    share: float = 0.0  # of them
    after: float = 0.0  # seconds after their end

    @classmethod
    def read(cls, text: str) -> "Refunds":
        """Read ``0.5`` or ``0.5:60``."""
        share, _, after = text.partition(":")
        return cls(rate(share), seconds(after) if after else 0.0)

    def covers(self, item: Made, seed: int, now: datetime) -> bool:
        """Return whether a generation's price has been refunded."""
        if not self.share or chance(seed, "refund", item.id) >= self.share:
            return False
        return item.phase(now - timedelta(seconds=self.after)) == "failed"

    def sum(self, made: Iterable[Made], seed: int, now: datetime) -> int:
        """Return what has been refunded, in micros."""
        if not self.share:  # asked before every acceptance: don't walk what is made
            return 0
        return sum(item.price for item in made if self.covers(item, seed, now))


@dataclass(slots=True)
class Reserved:
    """What purchases that came to nothing were charged until it is given back."""

    # when each was charged, and how much, in micros
    charges: list[tuple[datetime, int]] = field(default_factory=list)

    def sum(self, after: float, now: datetime) -> int:
        """Return what has not been given back ``after`` seconds after its charge, in micros."""
        since = now - timedelta(seconds=after)
        return sum(price for charged_at, price in self.charges if charged_at > since)


def unseen(made: Iterable[Made], late: float, now: datetime) -> int:
    """Return the charges that a balance which is ``late`` seconds behind does not show yet."""
    if not late:
        return 0
    after = now - timedelta(seconds=late)
    return sum(item.price for item in made if item.created_at > after)


LONGEST: Final = 16 * 1024**2  # bytes of a line: the longest prompt, with every letter escaped
_TYPES: Final = {
    "id": str,
    "prompt": str,
    "orientation": str,
    "duration": int | None,
    "price": int,
    "key": str | None,
    "takes": int | float,
    "failure": str | None,
    "foreign": bool,
    "model": str,
    "seed": int | None,
}


class JournalError(Exception):
    """The journal can't be used; the text says why and what to do."""


class Journal:
    """A file of generations: a JSON line for each, on disk before the answer; made if missing.

    It may be in a folder that somebody sent: no link is followed, and only a regular file is used.

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
        """Yield the generations; a last line that was cut off is cut away.

        Raises:
            JournalError: it can't be read, or holds something else.
        """
        try:
            number = self._regular(system.open_to_change(self._path))
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
        """Write a generation, durably; raise an OSError if it can't be."""
        entry = asdict(item) | {"created_at": item.created_at.isoformat()}
        number = self._regular(system.open_to_append(self._path, 0o666))
        with os.fdopen(number, "ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            system.sync(file.fileno())

    def _regular(self, number: int) -> int:
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
    """Read a line; a damaged one raises ValueError, TypeError, KeyError or RecursionError."""
    entry = json.loads(line)
    made = datetime.fromisoformat(entry.pop("created_at"))
    entry = {"model": FIRST_MODEL, "seed": None} | entry  # an older journal's
    wrong = [name for name, kind in _TYPES.items() if not isinstance(entry[name], kind)]
    if entry["model"] not in MODELS:
        raise ValueError(f"not a model: {entry['model']}")
    if wrong or made.tzinfo is None or min(entry["price"], entry["duration"] or 0) < 0:
        raise ValueError(f"not a generation: {wrong}")
    return Made(created_at=made, **entry)
