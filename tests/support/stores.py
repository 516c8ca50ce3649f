"""Each store that the engine's contract is tried against.

A *kind* of store makes and opens job tables in a folder. Another database joins by one more entry
in :data:`STORES`; what tests say of it goes through the ports alone (``jobs/ports``).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy import Connection

from jobs.ports.control import ControlStore
from jobs.ports.job_store import JobStore
from jobs.ports.loading import LoadStore
from jobs.ports.queries import QueryStore
from jobs.store import Store
from support.blank import blank
from support.invariants import Invariants


class AnyStore(JobStore, Protocol):
    """All roles of a store, those of the engine and those of the application."""

    @property
    def control(self) -> ControlStore:
        """What people say."""

    @property
    def loading(self) -> LoadStore:
        """Rows that come in, and files that are here."""

    @property
    def queries(self) -> QueryStore:
        """What people ask."""

    def close(self) -> None:
        """Write what is still queued, and close it."""


class StoreKind(Protocol):
    """Makes job tables of one kind."""

    def make(self, folder: Path) -> AnyStore:
        """Make an empty job table in a folder, and open it."""

    def open(self, folder: Path) -> AnyStore:
        """Open the job table of a folder once more, as another process does."""

    def failing_commit(self, store: AnyStore) -> AbstractContextManager[None]:
        """Let the one commit that is tried meanwhile fail; the test fails where none does."""


class Sqlite:
    """A real file, whose running totals are compared with its attempts at each commit."""

    def make(self, folder: Path) -> AnyStore:
        """Make it of the newest schema."""
        blank(folder / "jobs.db")
        # caps are the tests' own to check: what turns up late is charged whatever they say
        return Store(folder / "jobs.db", Invariants(caps=False))

    def open(self, folder: Path) -> AnyStore:
        """Open the same file."""
        return Store(folder / "jobs.db")

    @contextmanager
    def failing_commit(self, store: AnyStore) -> Iterator[None]:
        """Let a row point at an attempt that is not there, which SQLite finds at its COMMIT."""
        assert isinstance(store, Store)
        writer, usual = store._writer, store._writer._observer

        def spoil(connection: Connection) -> None:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            connection.exec_driver_sql("INSERT INTO review VALUES (-1, 'favourite', '2026-01-01')")

        writer._observer = spoil
        try:
            with pytest.raises(sqlite3.IntegrityError):
                yield
        finally:
            writer._observer = usual


STORES: dict[str, StoreKind] = {"sqlite": Sqlite()}
"""The stores that there are, by name."""
