"""What the pages work with: one database, its settings, time, and the processes that were started.

Reads are inline: each is a page of rows or a few kept counts. Writes wait for whoever writes just
now, so they go through a thread and a connection of their own.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from batchsora.composition.databases import existing_store, made_side_folder, working_store
from batchsora.composition.ownership import owner_of
from batchsora.composition.session import RunDependencies
from batchsora.settings import Settings
from batchsora.web.launch import Launcher
from jobs.database import schema
from jobs.database.lock import RunnerInfo, current_runner, is_held, lasting_runner
from jobs.ports.control import Terms
from jobs.ports.queries import QueryStore
from jobs.store import Store

T = TypeVar("T")

NO_CAPS: Final = Terms()


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer, the state of the database that it is of, and until when it is good anyway."""

    mark: int
    until: float
    value: Any


class WebContext:
    """One database and all that the pages need around it.

    Args:
        settings: as for every command.
        store: for reading.
        writing: the same database, for writing in a thread.
        deps: time and chance.
        download: the folder of the videos.
        standing: caps that ``run`` would take from environment and configuration.

    Attributes:
        settings: as given.
        clock: time.
        launcher: starts processes that outlive the page.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        writing: Store,
        deps: RunDependencies,
        download: Path = Path("videos"),
        standing: Terms = NO_CAPS,
    ) -> None:
        self.settings = settings
        self.deps = deps
        self.clock = deps.clock
        self.download = download
        self.standing = standing
        self._store = store
        self._writing = writing
        self._turn = asyncio.Lock()
        self._kept: dict[object, _Kept] = {}
        self.launcher = Launcher(settings, self.folder / "runs", self.clock)

    @property
    def folder(self) -> Path:
        """Return the folder beside the database for what the page keeps; made when it is missing.

        Raises:
            SettingsError: it can't be made, or is somebody else's.
        """
        return made_side_folder(self.settings.database)

    @property
    def manifest_folder(self) -> Path:
        """Return the folder where uploaded manifests are kept.

        Raises:
            SettingsError: it can't be made, or is somebody else's.
        """
        return made_side_folder(self.settings.database, "manifests")

    @property
    def queries(self) -> QueryStore:
        """Return what answers questions about the database."""
        return self._store.queries

    def store(self) -> Store:
        """Return the store, for functions of the application that only read through it."""
        return self._store

    async def with_store(self, work: Callable[[Store], T]) -> T:
        """Run what writes through a store in a thread; durable on return.

        Raises:
            jobs.model.errors.EngineError: it can't be written; nothing was changed.
        """
        async with self._turn:
            return await asyncio.shield(asyncio.to_thread(work, self._writing))

    def mark(self) -> int:
        """Return a number that changes with every change of the database, by anybody."""
        return self._store.change_mark()

    def kept(self, key: object, make: Callable[[], T], seconds: float = 0.0) -> T:
        """Return what was made since the last change of the database, or make it: for all who ask.

        Args:
            key: names it.
            make: makes it.
            seconds: for which it is good whatever changes.
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
        """Tell who runs on this database."""
        return current_runner(self.settings.database)

    def goes_on(self) -> bool:
        """Check whether a run is alive that takes up what is handed to it, to its end."""
        database = self.settings.database
        serves = lasting_runner(database) is not None and self.queries.is_served()
        return serves and is_held(database)  # one that was killed may look alive


MOST_KEPT: Final = 256
"""Answers that are kept for others who ask the same."""


@contextmanager
def opened(
    settings: Settings, deps: RunDependencies, download: Path, standing: Terms = NO_CAPS
) -> Iterator[WebContext]:
    """Open the database, made or brought up to date first where that is needed.

    Raises:
        SettingsError: there is no folder for it.
        jobs.model.errors.EngineError: it can't be used.
    """
    if schema.version(settings.database) != schema.HEAD:
        with working_store(settings.database, deps.clock, lambda: owner_of(settings)):
            pass
    with existing_store(settings.database) as store, existing_store(settings.database) as writing:
        yield WebContext(settings, store, writing, deps, download, standing)
