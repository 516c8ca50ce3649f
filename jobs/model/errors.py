"""Errors that a person can act on, as facts.

::

    EngineError                 base
    ├── DatabaseVersionError    the database is newer than this program, or too old to read (exit 5)
    ├── DatabaseLockedError     another runner works on this database (exit 5)
    ├── DatabaseOwnerError      the database belongs to another account or API (exit 5)
    ├── DatabaseUnusableError   no database, not ours, read-only, disk full (exit 5)
    ├── DatabaseAlteredError    another program changed the schema of the database (exit 2)
    ├── NotFoundError           no such batch, job or attempt (exit 2)
    ├── NotAllowedError         the command does not fit the state it met (exit 2)
    └── LoadError               a manifest that can't be loaded as it is (exit 2)

People read :mod:`batchsora.presentation.errors`; the text of an error, its docstring's first line
and its facts, is for programs. A refused token, missing funds, doubts and failures are how a run
ended (:class:`jobs.services.run_outcome.Ending`), not errors.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final


class EngineError(Exception):
    """Base of all errors of the engine."""

    def __str__(self) -> str:
        facts = {name: getattr(self, name) for name in getattr(self, "__dataclass_fields__", ())}
        if not facts:
            return super().__str__()
        what = (type(self).__doc__ or type(self).__name__).partition("\n")[0].removesuffix(".")
        return f"{what} ({', '.join(f'{name}: {fact}' for name, fact in facts.items() if fact)})"


class DatabaseLockedError(EngineError):
    """Another runner holds the database."""


class DatabaseOwnerError(EngineError):
    """The database is bound to another account or API."""


class DatabaseUnusableError(EngineError):
    """The database file is missing, damaged, read-only, or not a database of ours."""


class NotFoundError(EngineError):
    """There is no such batch, job or attempt."""


class NotAllowedError(EngineError):
    """The command does not fit the state that it met."""


class LoadError(EngineError):
    """A manifest can't be loaded as it stands; nothing was written."""


@dataclass(eq=False)
class DatabaseVersionError(EngineError):
    """The database is of another version."""

    database: Path
    version: str
    known: str
    newer: bool  # than this program knows; else it is older, and can be upgraded


@dataclass(eq=False)
class AnotherRunnerError(DatabaseLockedError):
    """Another runner works on the database."""

    database: Path
    runner: str  # its process and host; empty if not known


@dataclass(eq=False)
class OtherApiError(DatabaseOwnerError):
    """The database holds the generations of another API."""

    database: Path
    holds: str
    asked: str


class OtherToken(StrEnum):
    """Why another token than before may not use a database."""

    UNSETTLED = "attempts in doubt, and no generation that could show whose they are"
    STRANGER = "the token does not know a generation of it"
    UNSEEN = "whether it is of the same account could not be seen"


@dataclass(eq=False)
class OtherTokenError(DatabaseOwnerError):
    """The token is not known to be of the database's account."""

    database: Path
    cause: OtherToken
    detail: str = ""  # a generation unknown to the token, or why nothing could be seen


class Fault(StrEnum):
    """What is wrong with the file of a database."""

    MISSING = "there is none yet"
    NOT_OURS = "it is of another program"
    NO_DATABASE = "it can't be read as a database"
    NOT_OPENED = "it may not be opened"
    NOT_WRITABLE = "it can't be written"
    LEADS_TO_NONE = "it is a link to where no database is"
    SECOND_NAME = "it has a second name (a hard link)"
    NETWORK_DRIVE = "it is on a network drive"
    FOREIGN_FILE = "a file beside it belongs to another account"
    FOREIGN_START = "it is an empty file of another account"
    FIELD = "a field of its account is not valid"
    LOCK_FULL = "its lock can't be taken: no space"
    LOCK_LINK = "its lock can't be taken: it is a link"
    LOCK_KIND = "its lock can't be taken: it is not a regular file"
    LOCK_RIGHTS = "its lock can't be taken"
    FULL = "no space"
    DISK = "the disk failed"
    RIGHTS = "no permission"
    BUSY = "another program has it locked"
    DAMAGED = "it is damaged"


@dataclass(eq=False)
class DatabaseFaultError(DatabaseUnusableError):
    """The database can't be used."""

    database: Path
    fault: Fault
    detail: str = ""  # what the system said; or the account, file system, field or target
    beside: Path | None = None  # the file beside the database that is meant
    step: str = ""  # what can't be done with it, as "read" or "written"


@dataclass(eq=False)
class UnknownTimeZoneError(DatabaseUnusableError):
    """This machine does not know the time zone of the daily budget."""

    name: str


class Alteration(StrEnum):
    """What another program did to the schema of a database."""

    ADDED = "added"
    MISSING = "missing"
    REDEFINED = "defined otherwise"


@dataclass(eq=False)
class DatabaseAlteredError(EngineError):
    """The database holds triggers, views or definitions that are not ours."""

    database: Path
    alteration: Alteration
    known: str  # type and name
    remove: str | None = None  # SQL that drops an addition; None: not to be quoted


@dataclass(eq=False)
class NoSuchBatchError(NotFoundError):
    """There is no batch of that name."""

    name: str
    known: Sequence[str]  # the first that there are


@dataclass(eq=False)
class NoSuchJobError(NotFoundError):
    """There is no job of that name."""

    key: str
    batch: str | None
    known: Sequence[str] = ()  # the first that there are


@dataclass(eq=False)
class AmbiguousJobError(NotFoundError):
    """Several batches have a job of that name."""

    key: str
    batches: Sequence[str]


@dataclass(eq=False)
class BatchUnderWayError(NotAllowedError):
    """Generations of the batch are under way or in doubt."""

    name: str
    generations: int


@dataclass(eq=False)
class BatchUnfinishedError(NotAllowedError):
    """Jobs of the batch are not at an end."""

    name: str
    jobs: int


@dataclass(eq=False)
class NotInDoubtError(NotAllowedError):
    """The job is not in doubt."""

    key: str
    state: str  # empty: it was settled meanwhile


class NotIts(StrEnum):
    """Why a generation can't be taken for a job's."""

    UNKNOWN = "the account does not have it"
    OTHER_PROMPT = "it was made from another prompt"


@dataclass(eq=False)
class NotItsGenerationError(NotAllowedError):
    """The generation can't be taken for the job's."""

    generation_id: str
    cause: NotIts


@dataclass(eq=False)
class TakenGenerationError(NotAllowedError):
    """The generation is another job's."""

    generation_id: str
    key: str
    batch: str


@dataclass(eq=False)
class WrongClockError(NotAllowedError):
    """The clock of this machine was or is wrong, so the age of a doubt can't be told."""

    key: str
    now: datetime
    since: datetime


@dataclass(eq=False)
class TooEarlyError(NotAllowedError):
    """The generation of an attempt in doubt may still turn up."""

    key: str
    until: datetime


@dataclass(eq=False)
class CandidatesError(NotAllowedError):
    """There are generations that an attempt in doubt could be."""

    key: str
    candidates: Sequence[Mapping[str, Any]]


@dataclass(eq=False)
class UnprovenError(NotAllowedError):
    """Nothing proves that an attempt in doubt was never made."""

    key: str
    trouble: str


@dataclass(eq=False)
class NamesakeError(LoadError):
    """Another file was loaded as a batch of this name."""

    name: str
    source: str


@dataclass(eq=False)
class MovedRowsError(LoadError):
    """Paid rows ask for other videos, and other rows for theirs."""

    rows: int
    holder: str  # the row that has the video of this prompt
    asker: str  # the row that asks for it now
    prompt: str
    under_way: bool  # one of them can't be changed yet


@dataclass(eq=False)
class EditedRowsError(LoadError):
    """Paid rows left the manifest, and new ones came: edits, or other videos."""

    vanished: int  # how many left; then the first of them
    row: int
    prompt: str
    fresh: int  # how many came; then the first of them
    new_row: int
    new_prompt: str


@dataclass(eq=False)
class NoSuchCampaignError(LoadError):
    """No row has the campaign that a budget is for."""

    name: str
    known: Sequence[str]  # some that there are


_FAULTS: Final = {
    sqlite3.SQLITE_FULL: Fault.FULL,
    sqlite3.SQLITE_IOERR: Fault.DISK,
    sqlite3.SQLITE_READONLY: Fault.RIGHTS,
    sqlite3.SQLITE_PERM: Fault.RIGHTS,
    sqlite3.SQLITE_CANTOPEN: Fault.RIGHTS,
    sqlite3.SQLITE_BUSY: Fault.BUSY,
    sqlite3.SQLITE_LOCKED: Fault.BUSY,
    sqlite3.SQLITE_PROTOCOL: Fault.BUSY,
    sqlite3.SQLITE_CORRUPT: Fault.DAMAGED,
    sqlite3.SQLITE_NOTADB: Fault.DAMAGED,
}
"""By SQLite's primary result code; all other codes are bugs of ours."""


def unusable(path: Path, error: BaseException, step: str = "used") -> DatabaseFaultError | None:
    """Return what the file system or a lock did to a database; None for every other error."""
    original = getattr(error, "orig", None) or error
    fault = _FAULTS.get(getattr(original, "sqlite_errorcode", -1) & 0xFF)
    return None if fault is None else DatabaseFaultError(path, fault, str(original), step=step)
