"""The seal of a database: which accounts of which machines have used it.

A budget, agreed rows and callbacks in a database count as consent, so a file that somebody sent
must not pass for one's own. The seal is a random name of the database, and for each account that
used it a hash of that name, keyed by the account's secret. A copy keeps its seal.
"""

import hashlib
import hmac
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from .. import system
from ..model.files import read_small

KEY_FILE: Final = "seal.key"
MOST: Final = 8  # accounts that are kept in a seal; of more, whoever used it first is asked again

_KEY: Final = re.compile(rb"[0-9a-f]{64}\n?")
_SEAL: Final = re.compile(rf"[0-9a-f]{{32}}(?: [0-9a-f]{{64}}){{0,{MOST}}}")


class Sealer:
    """Makes and recognises the seals of one account of a machine."""

    def __init__(self, key: bytes, problem: str | None = None) -> None:
        self._key = key
        self.problem = problem  # why the secret could not be kept for the next command

    @classmethod
    def kept_in(cls, folder: Path) -> "Sealer":
        """Read the account's secret from a folder, or make it; else one for this process."""
        path = folder / KEY_FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                return cls(_read(path))
            _make(path)
            return cls(_read(path))
        except OSError as error:
            return cls(secrets.token_bytes(32), f"{path}: {error.strerror}")

    def sealed(self, seal: str | None) -> str:
        """Add this account to a seal; to a new one for None, or if it is not valid."""
        name, *marks = _parts(seal) or [secrets.token_hex(16)]
        mine = self._mark(name)
        others = [mark for mark in marks if not hmac.compare_digest(mark, mine)]
        return " ".join([name, *others[-(MOST - 1) :], mine])

    def knows(self, seal: str | None) -> bool:
        """Check whether this account is in a seal."""
        name, *marks = _parts(seal) or [""]
        mine = self._mark(name)
        return any(hmac.compare_digest(mark, mine) for mark in marks)

    def _mark(self, name: str) -> str:
        return hmac.new(
            self._key, f"batchsora database {name}".encode(), hashlib.sha256
        ).hexdigest()


def _parts(seal: str | None) -> list[str]:
    return seal.split(" ") if isinstance(seal, str) and _SEAL.fullmatch(seal) else []


def _read(path: Path) -> bytes:
    """Read the secret; OSError: there is none, or it can't be read or may be known to others."""
    seen = path.lstat()
    if not system.is_private(seen):
        raise OSError(0, "it is not this account's alone: delete it", str(path))
    found = read_small(path, 65)
    if not _KEY.fullmatch(found):
        raise OSError(0, "it is damaged: delete it", str(path))
    return bytes.fromhex(found.decode("ascii"))


def _make(path: Path) -> None:
    """Make a secret that is complete from its first moment; the first of two processes wins."""
    draft = path.with_name(f".{secrets.token_hex(16)}.part")
    number = system.create(draft)
    try:
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_hex(32)}\n")
            file.flush()
            system.sync(number)
        with suppress(FileExistsError):
            system.rename_new(draft, path)
    finally:
        draft.unlink(missing_ok=True)
