"""Checks of the database: version, integrity, owner, runner; nothing is written."""

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from batchsora.composition.exit_codes import Exit
from batchsora.composition.ownership import SANDBOX_ORIGIN, is_own, kept_sealer
from batchsora.peek import peek
from batchsora.presentation.errors import message
from batchsora.settings import Settings, Token
from batchsora.usecases.doctor import Check, fine, warn, wrong
from batchsora.usecases.moved_database import other_host
from jobs.database import schema
from jobs.database.account_fields import wrong_field
from jobs.database.lock import current_runner
from jobs.database.owners import network_drive
from jobs.model.binding import token_matches
from jobs.model.clock import SystemClock, latest_begun, zone_of
from jobs.model.errors import DatabaseAlteredError, DatabaseUnusableError
from jobs.ports.seen import AccountRow
from jobs.services.runner import Owner

_DAMAGED: Final = (
    "move it away with its -wal file and use your newest copy, or start a new one with --db and "
    "'batchsora run --adopt-existing', which finds in the account what was paid for"
)
_OTHER: Final = "choose another database with --db"


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a database says of itself; the version is None if it is not one of ours."""

    empty: bool
    version: str | None = None
    faults: tuple[str, ...] = ()
    account: AccountRow | None = None
    day: str | None = None
    nonsense: str | None = None
    seals: bool = False


def look_at_database(settings: Settings, token: Token | None) -> Iterator[Check]:
    """Check the file without changing it."""
    path = settings.database
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        yield fine("database", f"none yet at {path}; 'batchsora run MANIFEST' creates it")
        return
    if not path.is_file():
        yield wrong(
            "database", f"{path} is not a file", "choose another one with --db", Exit.DATABASE
        )
        return
    if not os.access(path, os.R_OK):
        yield wrong(
            "database", f"no read permission on {path}", "fix the file permissions", Exit.DATABASE
        )
        return
    yield from _place(path)
    try:
        seen = peek(path, lambda connection: _look(connection, path))
    except DatabaseAlteredError as error:
        yield wrong("database", message(error), _OTHER)
        return
    except DatabaseUnusableError as error:
        yield wrong("database", message(error), "until then no command can use it", Exit.DATABASE)
        return
    except (sqlite3.Error, OSError) as error:
        yield wrong("database", f"{path} can't be read ({error})", _DAMAGED, Exit.DATABASE)
        return
    yield _version(path, seen)
    if seen.version in schema.KNOWN:
        yield _integrity(seen)
        if seen.nonsense is not None:
            said = f"account.{seen.nonsense} is not valid: another program changed it"
            yield wrong("account", said, _DAMAGED, Exit.DATABASE)
        if seen.account is not None:
            yield _owner(settings, token, seen.account)
            yield from _host(seen.account)
            yield from _zone(seen.account)
            yield from _seal(settings, token, seen)
        yield from _day(seen.day)
    runner = current_runner(path)
    yield fine("runner", "none running" if runner is None else f"running: {runner}")


def _look(connection: sqlite3.Connection, path: Path) -> _Seen:
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if "alembic_version" not in names:
        return _Seen(empty=not names)
    version = schema.read_version(connection, path)
    if version is not None and version not in schema.KNOWN:
        return _Seen(empty=False, version=version)  # what it defines is not known to end
    faults = tuple(str(fault) for (fault,) in connection.execute("PRAGMA quick_check(3)"))
    account, seals = None, False
    nonsense = wrong_field(connection.execute) if "account" in names else None
    if "account" in names and nonsense is None:
        there = {name for _, name, *_ in connection.execute("PRAGMA table_info(account)")}
        seals = "seal" in there
        values: dict[str, Any] = {one.name: None for one in fields(AccountRow)}
        known = [name for name in values if name in there]
        found = connection.execute(f"SELECT {', '.join(known)} FROM account").fetchone()  # noqa: S608 - our own words
        if found is not None:  # an older version lacks some of them
            values |= zip(known, found, strict=True)
            if values["run_at"] is not None:
                values["run_at"] = datetime.fromisoformat(values["run_at"])
            account = AccountRow(**values)
    day = None
    if "budget" in names:
        found = connection.execute(
            "SELECT key FROM budget WHERE key >= 'day:' AND key < 'day;' ORDER BY key DESC LIMIT 1"
        ).fetchone()
        day = None if found is None else str(found[0]).partition(":")[2]
    return _Seen(
        empty=False,
        version=version,
        faults=faults,
        account=account,
        day=day,
        nonsense=nonsense,
        seals=seals,
    )


def _place(path: Path) -> Iterator[Check]:
    """Check where the file is."""
    if (kind := network_drive(path)) is not None:
        said = f"{path} is on a network drive ({kind}), where two machines could buy the same rows"
        yield wrong("place", said, "copy it to a local disk and use --db", Exit.DATABASE)
    if path.stat().st_nlink > 1:
        said = f"{path} has a second name (a hard link), so a second run could buy the same rows"
        remedy = f"delete the other name ('find . -samefile {path}' finds it)"
        yield wrong("place", said, remedy, Exit.DATABASE)


def _host(account: AccountRow) -> Iterator[Check]:
    """Check which machine used it last."""
    if (other := other_host(account)) is not None:
        said = f"it was last used on {other}; two machines could buy the same rows"
        yield warn("host", said, "when no run is active there, 'batchsora run --moved'")


def _zone(account: AccountRow) -> Iterator[Check]:
    """Check that this machine knows the time zone of the daily budget."""
    try:
        zone_of(account.time_zone)
    except DatabaseUnusableError:
        said = f"this machine does not know {account.time_zone}, the time zone of the daily budget"
        remedy = (
            "choose another one with 'batchsora run --time-zone', or install the package tzdata"
        )
        yield wrong("time zone", said, remedy, Exit.DATABASE)


def _seal(settings: Settings, token: Token | None, seen: _Seen) -> Iterator[Check]:
    """Check whether the next run will ask if it is yours."""
    origin = SANDBOX_ORIGIN if settings.sandbox else settings.origin
    owner = Owner(origin, "" if token is None else token.value)
    if seen.account is None or not seen.seals:  # a version without seals is not bound to one
        return
    sealer = kept_sealer(os.environ)
    if sealer is not None and sealer.problem is not None:
        said = f"the secret that marks databases as yours can't be stored: {sealer.problem}"
        yield warn("seal", said, "make it readable, or set XDG_STATE_HOME to another folder")
    if not is_own(seen.account, sealer, owner):
        said = "it may not be yours; its budgets and rows would count as your consent"
        yield warn("seal", said, "to use it anyway, 'batchsora run --moved'")


def _day(last: str | None) -> Iterator[Check]:
    """Check that the day of the daily budget is not in the future."""
    if last is not None and last > latest_begun(SystemClock().now()):
        said = f"spending is dated {last}, in the future: a clock was wrong"
        yield warn("daily budget", said, "'batchsora doctor --reset-day' moves it to today")


def _version(path: Path, seen: _Seen) -> Check:
    found = seen.version
    if found == schema.HEAD:
        return fine("database", f"{path}, version {found}")
    if seen.empty:
        return fine("database", f"{path} is empty; 'batchsora run MANIFEST' fills it")
    if found is None:
        said = f"{path} is a SQLite database, but not one of batchsora's"
        return wrong("database", said, _OTHER, Exit.DATABASE)
    if found in schema.KNOWN:
        said = f"{path} has an older version ({found}; this program uses {schema.HEAD})"
        return warn("database", said, "the next 'batchsora run' upgrades it, and keeps a copy")
    said = f"{path} was made by a newer batchsora ({found}; this program knows {schema.HEAD})"
    return wrong("database", said, f"upgrade batchsora, or {_OTHER}", Exit.DATABASE)


def _integrity(seen: _Seen) -> Check:
    if seen.faults == ("ok",):
        return fine("integrity", "PRAGMA quick_check found no damage")
    return wrong("integrity", "damaged: " + "; ".join(seen.faults), _DAMAGED, Exit.DATABASE)


def _owner(settings: Settings, token: Token | None, account: AccountRow) -> Check:
    """Check which account the database belongs to."""
    if account.token_hash is None:
        return fine("owner", "none yet; the first run binds it to its account")
    if account.api_origin != settings.origin:
        said = f"it belongs to {account.api_origin}, not to {settings.origin}"
        return wrong("owner", said, f"{_OTHER}, or that API with --base-url", Exit.DATABASE)
    if token is None:
        return fine("owner", f"an account at {account.api_origin}")
    if token_matches(account, settings.origin, token.value):
        return fine("owner", f"this account at {account.api_origin}")
    said = "it was last used with another token"
    return warn("owner", said, "the next run checks whether both belong to the same account")
