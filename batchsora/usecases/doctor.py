"""Checks of the setup: each says what was found and what to do about it.

Nothing is written and no lock is taken; a missing network, token or database is a finding too.
"""

import os
import platform
import re
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Final

from batchsora._version import __version__
from batchsora.composition.exit_codes import Exit, exit_of_read
from batchsora.composition.session import api_endpoint, ask
from batchsora.providers.registry import ANNOUNCED
from batchsora.settings import TOKEN_VARIABLE, Settings, SettingsError, Token, find_token
from jobs import system
from jobs.model.money import Micros, usd_text
from jobs.model.provider import Provider, ProviderError, TokenRefusedError, WrongAddressError

PATIENCE: Final = 10.0
"""Seconds for the API to answer."""

CLOCK_MAY_DIFFER: Final = timedelta(seconds=30)
LITTLE_SPACE: Final = 2 * 1024**3
NO_SPACE: Final = 64 * 1024**2
NARROW: Final = 40

_ORDER: Final = (Exit.DATABASE, Exit.UNREACHABLE, Exit.TOKEN, Exit.USAGE)


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        remedy: what to do; empty if all is well.
        exit: the exit code of a problem.
    """

    name: str
    state: State
    found: str
    remedy: str = ""
    exit: Exit = Exit.DONE


def fine(name: str, found: str) -> Check:
    """Make a check that found no problem."""
    return Check(name, State.OK, found)


def warn(name: str, found: str, remedy: str) -> Check:
    """Make a check that found something to know."""
    return Check(name, State.WARNING, found, remedy)


def wrong(name: str, found: str, remedy: str, code: Exit = Exit.USAGE) -> Check:
    """Make a check that found what would stop a run."""
    return Check(name, State.PROBLEM, found, remedy, code)


def exit_of_checks(checks: Iterable[Check]) -> Exit:
    """Return the exit code of the problems, in the order of design.md."""
    codes = {check.exit for check in checks if check.state is State.PROBLEM}
    return next((code for code in _ORDER if code in codes), Exit.DONE)


def look_for_token(
    settings: Settings, environment: Mapping[str, str]
) -> tuple[Token | None, Check]:
    """Check where the token is; never show it."""
    try:
        token = find_token(settings, environment)
    except SettingsError as error:
        return None, wrong("token", str(error), "'batchsora login' stores another one")
    if token is None:
        remedy = f"'batchsora login', or set {TOKEN_VARIABLE}; --sandbox needs none"
        return None, wrong("token", f"none for {settings.origin}", remedy)
    where = f"in {token.place}"
    file = token.file
    if file is not None and file.is_file() and system.is_readable_by_others(file.stat().st_mode):
        return token, warn("token", f"{where}, which others can read", f"chmod 600 {file}")
    return token, fine("token", where)


def look_at_api(settings: Settings, token: Token | None) -> Iterator[Check]:
    """Check the balance, which also tests the token, and the API's time."""
    if token is None:
        yield warn("API", f"not asked: {settings.origin} needs a token", "see 'token'")
        return
    ahead: timedelta | None = None

    async def question(provider: Provider) -> Micros:
        nonlocal ahead
        try:
            return await provider.balance()
        finally:
            ahead = provider.clock_ahead

    try:
        balance = ask(api_endpoint(settings.base_url, token.value), question, PATIENCE)
    except TokenRefusedError as error:
        remedy = "renew it at the provider, then 'batchsora login'"
        yield wrong("API", f"the token was rejected: {error}", remedy, Exit.TOKEN)
    except WrongAddressError as error:
        yield wrong("API", f"{settings.base_url}: {error}", "set the right one with --base-url")
    except ProviderError as error:
        remedy = "check the network, proxies and --base-url; then run this again"
        yield wrong("API", f"{settings.origin}: {error}", remedy, exit_of_read(error))
    else:
        yield fine("API", f"{settings.origin} accepts the token")
        yield _balance(balance)
    if ahead is not None:
        yield _clock(ahead)


def _balance(balance: Micros) -> Check:
    found = f"${usd_text(balance)}"
    if balance < min(ANNOUNCED.values()):
        return warn("balance", f"{found} is not enough for one video", "top up the account")
    return fine("balance", found)


def _clock(ahead: timedelta) -> Check:
    seconds = round(ahead.total_seconds())
    found = f"{abs(seconds)} s {'behind' if seconds > 0 else 'ahead of'} the API's"
    if abs(ahead) > CLOCK_MAY_DIFFER:
        return warn("clock", found, "synchronize this machine's clock (NTP)")
    return fine("clock", "same as the API's" if seconds == 0 else found)


def look_at_folders(database: Path, download: Path) -> Iterator[Check]:
    """Check free space and whether files can be written; nothing is left behind."""
    folder = database.absolute().parent
    if not folder.is_dir():
        yield wrong("folder", f"there is no {folder} for the database", f"mkdir -p '{folder}'")
    seen: set[Path] = set()
    for wanted, what, code in (
        (folder, "the database", Exit.DATABASE),
        (download.absolute(), "videos", Exit.USAGE),
    ):
        there = next(path for path in (wanted, *wanted.parents) if path.is_dir())
        if there in seen:
            continue
        seen.add(there)
        yield _space(there, what, code)
        yield _writable(there, what, code)
    if database.is_file() and not os.access(database, os.W_OK):
        remedy = f"chmod u+w '{database}', or name another one with --db"
        yield wrong("writing", f"{database} is read-only", remedy, Exit.DATABASE)


def _space(folder: Path, what: str, code: Exit) -> Check:
    free = shutil.disk_usage(folder).free
    found = f"{free / 1024**3:.1f} GiB free for {what} in {folder}"
    if free < NO_SPACE:
        return wrong("disk space", found, "free some space, or use another disk", code)
    if free < LITTLE_SPACE:
        return warn("disk space", found, "free some space; a night of videos may need more")
    return fine("disk space", found)


def _writable(folder: Path, what: str, code: Exit) -> Check:
    try:
        # without a name where the system can do that, and gone at once anywhere else
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        remedy = f"make {folder} writable, or use another folder"
        return wrong("writing", f"{what}: {os.strerror(error.errno or 0)}", remedy, code)
    return fine("writing", f"{folder} is writable")


def look_at_versions() -> Iterator[Check]:
    """List what is installed."""
    yield fine(
        "versions",
        f"batchsora {__version__}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, {platform.system()} {platform.machine()}",
    )
    found, missing = [], []
    for name in _dependencies():
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        yield wrong("libraries", f"missing: {', '.join(missing)}", "install batchsora again")
    else:
        yield fine("libraries", ", ".join(found) or "unknown")


def _dependencies() -> list[str]:
    """List what batchsora needs, without extras."""
    try:
        wanted = metadata.requires("batchsora") or []
    except metadata.PackageNotFoundError:  # from a checkout that was never installed
        return []
    names = (re.match(r"[\w.-]+", line) for line in wanted if "extra ==" not in line)
    return sorted(name.group() for name in names if name)


def look_at_terminal(environment: Mapping[str, str]) -> Check:
    """Check how output will look."""
    encoding = (sys.stdout.encoding or "unknown").lower()
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size((80, 24)).columns
    colours = "no colours (NO_COLOR)" if environment.get("NO_COLOR") else "colours"
    shown = f"a terminal, {colours}" if terminal else "no terminal, so no colours and no questions"
    found = f"{shown}, {width} columns, {encoding}"
    if encoding.replace("-", "") != "utf8":
        return warn("terminal", found, "set PYTHONUTF8=1, or a UTF-8 locale such as C.UTF-8")
    if width < NARROW:
        return warn("terminal", found, "a wider window shows more")
    return fine("terminal", found)
