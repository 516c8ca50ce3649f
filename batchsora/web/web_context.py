"""What the pages work with: a database, its settings, time, forms, and the processes started here.

Reads are inline: each takes a page of rows or a few kept counts. Writes wait for other writers, so
they use a thread and a connection of their own.
"""

import asyncio
import os
import secrets
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from batchsora import children
from batchsora.composition.databases import existing_store, made_side_folder, working_store
from batchsora.composition.ownership import owner_of
from batchsora.composition.session import RunDependencies
from batchsora.settings import Settings, rehearsed_database
from batchsora.web.posters import Pictures
from jobs import system
from jobs.database import schema
from jobs.database.lock import RunnerInfo, current_runner, is_held, lasting_runner
from jobs.model.clock import Clock
from jobs.model.files import made_folder
from jobs.ports.control import Terms
from jobs.ports.queries import QueryStore
from jobs.store import Store

T = TypeVar("T")

NO_CAPS: Final = Terms()


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer, the state of the database it is from, and until when it is good in any case."""

    mark: int
    until: float
    value: Any


class WebContext:
    """One database and all that the pages need around it."""

    def __init__(
        self,
        settings: Settings,  # as for every command
        store: Store,  # for reading
        writing: Store,  # the same database, for writing in a thread
        deps: RunDependencies,  # time and chance
        download: Path = Path("videos"),  # the folder of the videos
        standing: Terms = NO_CAPS,  # caps of ``run`` from environment and configuration
    ) -> None:
        self.settings = settings
        self.deps = deps
        self.clock = deps.clock
        self.download = download
        self.standing = standing
        self._store = store
        self._writing = writing
        self._turn = asyncio.Lock()
        self.working = asyncio.Lock()
        """Held while results are written as a file: one at a time, as it may be large."""
        self.fetching = asyncio.Lock()
        """Held while a candidate's video is fetched."""
        self._kept: dict[object, _Kept] = {}
        self.launcher = Launcher(settings, self.folder / "runs", self.clock)
        self.form_tokens = FormTokens()
        self.pictures = Pictures(self.folder)

    @property
    def folder(self) -> Path:
        """Return the folder beside the database for the page's own files; made if missing.

        Raises:
            SettingsError: it can't be made, or is somebody else's.
        """
        return made_side_folder(self.settings.database)

    @property
    def manifest_folder(self) -> Path:
        """Return the folder of uploaded manifests; made if missing.

        Raises:
            SettingsError: it can't be made, or is somebody else's.
        """
        return made_side_folder(self.settings.database, "manifests")

    @property
    def queries(self) -> QueryStore:
        """Return the database's queries."""
        return self._store.queries

    def store(self) -> Store:
        """Return the store, for callers that only read."""
        return self._store

    async def with_store(self, work: Callable[[Store], T]) -> T:
        """Run what writes in a thread; durable on return, unchanged after an EngineError.

        Raises:
            jobs.model.errors.EngineError: it can't be written; nothing was changed.
        """
        async with self._turn:
            return await asyncio.shield(asyncio.to_thread(work, self._writing))

    def mark(self) -> int:
        """Return a number that changes with every change of the database, by anybody."""
        return self._store.change_mark()

    def kept(self, key: object, make: Callable[[], T], seconds: float = 0.0) -> T:
        """Return an answer made since the last change of the database, or make it, for all who ask.

        It is good for ``seconds`` in any case.
        """
        mark, now = self.mark(), self.clock.monotonic()
        found = self._kept.get(key)
        if found is not None and (found.mark == mark or now < found.until):
            value: T = found.value
            return value
        if len(self._kept) > MOST_KEPT:
            self._kept.clear()
        value = make()
        self._kept[key] = _Kept(mark, now + seconds, value)
        return value

    def runner(self) -> RunnerInfo | None:
        """Return who runs on this database."""
        return current_runner(self.settings.database)

    def goes_on(self) -> bool:
        """Return whether a run is active that takes over what is handed to it."""
        database = self.settings.database
        serves = lasting_runner(database) is not None and self.queries.is_served()
        return serves and is_held(database)  # one that was killed may look alive


MOST_KEPT: Final = 256  # answers that are kept for others who ask the same


@contextmanager
def opened(
    settings: Settings, deps: RunDependencies, download: Path, standing: Terms = NO_CAPS
) -> Iterator[WebContext]:
    """Open the database; create or upgrade it first where needed.

    Raises:
        SettingsError: there is no folder for it.
        jobs.model.errors.EngineError: it can't be used.
    """
    if schema.version(settings.database) != schema.HEAD:
        with working_store(settings.database, deps.clock, lambda: owner_of(settings)):
            pass
    with existing_store(settings.database) as store, existing_store(settings.database) as writing:
        yield WebContext(settings, store, writing, deps, download, standing)


MOST_FORMS: Final = 2000  # forms that are remembered; a forgotten one is shown again


class FormTokens:
    """Tokens of forms that may be sent once: a double click, *back* and *reload* never buy twice.

    The first to send a form's token takes it; later ones are led to what the first one started.
    """

    def __init__(self) -> None:
        self._given: OrderedDict[str, str | None] = OrderedDict()

    def token(self) -> str:
        """Make the token of a form."""
        token = secrets.token_urlsafe(16)
        self._given[token] = None
        if len(self._given) > MOST_FORMS:
            self._given.popitem(last=False)
        return token

    def knows(self, token: str) -> bool:
        """Return whether this server gave the form out, and still remembers it."""
        return token in self._given

    def came(self, token: str) -> str | None:
        """Return the address of what a form started; None before."""
        return self._given.get(token)

    def used(self, token: str, address: str) -> None:
        """Remember what a form started.

        Nothing may be awaited between :meth:`came` and this: another request would start it again.
        """
        self._given[token] = address


LONGEST_TAIL: Final = 8 * 1024  # bytes of a process's output that are read
REMEMBERED: Final = 100  # processes whose ends are remembered


@dataclass(slots=True)
class Started:
    """A process that was started here."""

    id: str  # for addresses
    purpose: str  # in a few words
    about: str  # its batch or manifest
    log: Path  # what it writes to both streams
    at: datetime
    process: children.Process

    @property
    def code(self) -> int | None:
        """Return its exit code; None while it runs."""
        return self.process.poll()

    def said(self) -> str:
        """Return the end of its output."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - LONGEST_TAIL))
                text = file.read(LONGEST_TAIL).decode("utf-8", "replace")
        except OSError:
            return ""
        # a line that was written over again is shown as it was last
        return "\n".join(line.rpartition("\r")[2] for line in text.split("\n"))


class Launcher:
    """Starts ``batchsora`` commands as processes that outlive the page and keep every rule.

    They use the same database, API and token file. Their output goes to a file in ``folder``, from
    which the page shows how they ended.
    """

    def __init__(self, settings: Settings, folder: Path, clock: Clock) -> None:
        self._settings = settings
        self._folder = folder
        self._clock = clock
        self._started: dict[str, Started] = {}

    def start(self, words: Sequence[str], purpose: str, about: str = "") -> Started:
        """Start a command, given as its name and arguments, or raise an OSError."""
        made_folder(self._folder.parent, self._folder.name)
        name = uuid.uuid4().hex
        now = self._clock.now()
        log = self._folder / f"{now:%Y%m%d-%H%M%S}-{name[:8]}.log"
        with os.fdopen(system.create(log), "wb") as file:
            rehearses = ["--sandbox"] if self._settings.sandbox else []
            command = [*self._globals(), words[0], *rehearses, *words[1:]]
            process = children.start(command, words[0], file)
        while len(self._started) >= REMEMBERED:
            del self._started[next(iter(self._started))]
        started = Started(name, purpose, about, log, now, process)
        self._started[name] = started
        return started

    def find(self, name: str) -> Started | None:
        """Return a process by its id."""
        return self._started.get(name)

    def all(self) -> list[Started]:
        """Return all, in order."""
        return list(self._started.values())

    def about(self, about: str) -> list[Started]:
        """Return the processes for a batch or manifest, the latest first."""
        return [one for one in reversed(self._started.values()) if one.about == about]

    def _globals(self) -> list[str]:
        settings = self._settings
        database = settings.database.absolute()
        words = ["--db", str(rehearsed_database(database) if settings.sandbox else database)]
        if not settings.found_address:
            words += ["--base-url", settings.base_url]
        words += children.named(settings.configuration, "--config")
        return words + children.named(settings.token_file, "--token-file")
