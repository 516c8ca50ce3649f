"""The rows of a manifest on their way in, and what the rows of its batch are to them.

They wait in a temporary table beside the database. It is filled without a lock on the database,
however long reading takes: a run in another process continues. It is gone when the process ends.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Select,
    Table,
    and_,
    bindparam,
    exists,
    func,
    not_,
    or_,
    select,
    text,
)

from ..database.columns import sql_list
from ..database.tables import ATTEMPT, JOB, LIVE, QUEUED
from ..model.errors import MovedRowsError
from ..model.spec import SpecRow, asked_in, asked_key
from ..model.states import AttemptState, JobState
from ..ports.loading import StagedCount, StagedRow
from .prepared import Prepared, columns_from, driver, read, values_in
from .records import LoadedJob
from .rows import HAS_LIVE

TOGETHER: Final = 100
"""Rows of one INSERT (docs/performance.md, *Loading*)."""

INCOMING: Final = Table(
    "incoming",
    MetaData(schema="temp"),
    *(Column(name, JOB.c[name].type) for name in SpecRow._fields),
)


_COLUMNS = ", ".join(f'"{name}"' for name in SpecRow._fields)
_PLACES = f"({', '.join('?' * len(SpecRow._fields))})"
_CREATE = f"CREATE TEMP TABLE incoming ({_COLUMNS})"
_INSERT = f"INSERT INTO temp.incoming ({_COLUMNS}) VALUES "  # noqa: S608 - our own names
_INSERT_ONE = _INSERT + _PLACES
_INSERT_MANY = _INSERT + ", ".join([_PLACES] * TOGETHER)


def fill(connection: Connection, rows: Iterable[SpecRow]) -> int:
    """Fill a new table with rows, in their order, and return how many there were."""
    database = driver(connection)
    # a new one: emptying a table of a million rows takes as long as filling it
    database.execute("DROP TABLE IF EXISTS temp.incoming")
    database.execute(_CREATE)
    source, count = iter(rows), 0
    while together := list(islice(source, TOGETHER)):
        if len(together) == TOGETHER:
            database.execute(_INSERT_MANY, tuple(chain.from_iterable(together)))
        else:
            database.executemany(_INSERT_ONE, together)
        count += len(together)
    return count


def counts(connection: Connection, rows: Collection[int] | None = None) -> list[StagedCount]:
    """Count the wanted videos by price kind and campaign, in the order in which they begin."""
    counted = select(INCOMING.c.kind, INCOMING.c.campaign, func.count().label("jobs"))
    found = connection.execute(
        counted.where(*_among(rows))
        .group_by(INCOMING.c.kind, INCOMING.c.campaign)
        .order_by(func.min(text("incoming.rowid")))
    )
    return [StagedCount(*row) for row in found]


def row_numbers(connection: Connection) -> list[int]:
    """List the rows of the manifest that are wanted in ascending order, each once."""
    numbers = select(INCOMING.c.row).distinct().order_by(INCOMING.c.row)
    return list(connection.execute(numbers).scalars())


def first(
    connection: Connection, most: int, rows: Collection[int] | None = None
) -> list[StagedRow]:
    """Read the first wanted videos: of all rows, or of some."""
    wanted = select(INCOMING).where(*_among(rows)).order_by(text("incoming.rowid")).limit(most)
    return list(read(connection, wanted, StagedRow))


def _among(rows: Collection[int] | None) -> tuple[ColumnElement[bool], ...]:
    return () if rows is None else (INCOMING.c.row.in_(values_in(rows)),)


PAID: Final = or_(
    JOB.c.state == JobState.COMPLETED,  # perhaps by a video that another batch paid for
    exists().where(
        ATTEMPT.c.job_id == JOB.c.id,
        text(f"attempt.state NOT IN {sql_list([AttemptState.REJECTED, AttemptState.VOID])}"),
    ),
)
_NOTHING_COMES: Final = (AttemptState.REJECTED, AttemptState.VOID, AttemptState.FAILED)
LEFT: Final = exists().where(
    ATTEMPT.c.job_id == JOB.c.id,
    text(f"attempt.state NOT IN {sql_list(_NOTHING_COMES)}"),
)
"""Rows of which anything may still come: what was given up, too, may end as a video."""
HAS_VIDEO: Final = or_(JOB.c.state == JobState.COMPLETED, HAS_LIVE)
"""Rows that have a video, or may still get one that is paid for."""

LOADED: Final = columns_from(JOB, LoadedJob, paid=PAID, left=LEFT)
ASKED_FOR: Final = func.coalesce(JOB.c.manifest_fingerprint, JOB.c.fingerprint)
"""What the manifest asked for, whatever a person gave by hand since."""
ABSENT: Final = JOB.c.key.not_in(select(INCOMING.c.key))


_LOADED_JOB = Prepared(select(*LOADED).where(JOB.c.id == bindparam("job")), LoadedJob)
_IN_ITS_ORDER = (JOB.c.row, JOB.c.id)


def _read(
    connection: Connection,
    batch_id: int,
    *where: ColumnElement[bool],
    order: Sequence[ColumnElement[Any]] = _IN_ITS_ORDER,
) -> list[LoadedJob]:
    rows = select(*LOADED).where(JOB.c.batch_id == batch_id, *where).order_by(*order)
    return list(read(connection, rows, LoadedJob))


def missing(connection: Connection, batch_id: int) -> list[LoadedJob]:
    """List rows that were in the manifest and are not, in its order."""
    return _read(connection, batch_id, JOB.c.in_manifest, ABSENT)


def waiting(connection: Connection, batch_id: int) -> list[LoadedJob]:
    """List rows that left the manifest while something was under way, and wait for a retry now."""
    left = and_(QUEUED, not_(JOB.c.in_manifest))
    return _read(connection, batch_id, left, ABSENT, order=[JOB.c.id])


def gone(connection: Connection, batch_id: int, asked: Select[Any]) -> list[LoadedJob]:
    """List rows with a video that left the manifest, and whose fingerprint is asked for now.

    A prompt that was given by hand counts too: its manifest's own may be spelled in another way.
    """
    may_be = or_(ASKED_FOR.in_(asked), JOB.c.manifest_fingerprint.is_not(None))
    left = not_(JOB.c.in_manifest)
    return _read(connection, batch_id, left, ABSENT, HAS_VIDEO, may_be, order=[JOB.c.id])


class FreshRows:
    """The rows that are added to a batch from now on."""

    def __init__(self, connection: Connection, batch_id: int) -> None:
        self._connection = connection
        last = connection.execute(select(func.max(JOB.c.id))).scalar_one() or 0
        self._batch_id, self._last = batch_id, last
        self._added = (JOB.c.batch_id == batch_id, JOB.c.id > last)

    def rows(self) -> list[LoadedJob]:
        """List those that are still there, in the manifest's order."""
        return _read(self._connection, self._batch_id, JOB.c.id > self._last)

    @property
    def asked(self) -> Select[Any]:
        """Select what they ask for, by its fingerprint."""
        new = JOB.alias()
        return select(new.c.fingerprint).where(
            new.c.batch_id == self._batch_id, new.c.id > self._last
        )

    @cached_property
    def _by_request(self) -> dict[str, deque[int]]:
        """Map what they ask for to their numbers: read once, as there may be as many old rows."""
        found: dict[str, deque[int]] = {}
        added = select(JOB.c.id, JOB.c.fingerprint).where(*self._added)
        ordered = added.order_by(*_IN_ITS_ORDER)
        for number, fingerprint in self._connection.execute(ordered):
            found.setdefault(fingerprint, deque()).append(number)
        return found

    @cached_property
    def _spelled_otherwise(self) -> dict[str, deque[int]]:
        """Map what they ask for, folded, to those that spell it in another way."""
        found: dict[str, deque[int]] = {}
        for row in self.rows():
            if (request := asked_key(row.asked)) != row.asked.fingerprint:
                found.setdefault(request, deque()).append(row.id)
        return found

    def take(self, fingerprint: str) -> LoadedJob | None:
        """Return the first that asks for a video, each once; None if none is left."""
        return self._first(self._by_request.get(fingerprint))

    def take_request(self, request: str) -> LoadedJob | None:
        """Return the first that asks for a request in any spelling, each once; else None."""
        found = self.take(request)  # folded, that is its fingerprint
        return self._first(self._spelled_otherwise.get(request)) if found is None else found

    def _first(self, ids: deque[int] | None) -> LoadedJob | None:
        while ids:
            found = _LOADED_JOB.first(self._connection, job=ids.popleft())
            if found is not None:  # else it was taken under its other name
                return found
        return None


class Moves:
    """What the edits of a load ask for, and whose edits are not followed.

    ``keys`` are those that rows had before this load, by their numbers, where these changed.
    """

    def __init__(self, connection: Connection, keys: Mapping[int, str]) -> None:
        self._connection, self._keys = connection, keys
        self._kept: list[tuple[LoadedJob, str]] = []
        self._asking: dict[str, str] = {}

    def note(self, job: LoadedJob, values: Mapping[str, Any], *, followed: bool) -> None:
        """Note an edit of a row; it is not followed if the row keeps what it has, as paid for."""
        request = asked_key(asked_in(values))
        if followed:
            self._asking.setdefault(request, values["key"])
        else:
            self._kept.append((job, request))

    def check(self, fresh: FreshRows, busy: Collection[str]) -> None:
        """Make sure that no row asks for the video of one whose own edit is not followed.

        Rows moved under their ids then: what they had would be bought again, and what is new never.
        ``busy`` has the keys of those whose edits are not followed because they are under way.

        Raises:
            LoadError: one does.
        """
        if not self._kept:
            return
        asking = self._asking | {asked_key(row.asked): row.key for row in fresh.rows()}
        moved = [
            (job, prompt, asking[request])
            for job, wanted in self._kept
            for request, prompt in self._videos(job)
            if request in asking and request != wanted
        ]
        if not moved:
            return
        first, prompt, taker = moved[0]
        under_way = any(job.key in busy for job, *_ in moved)
        holder = self._keys.get(first.id, first.key)
        raise MovedRowsError(len(moved), holder, taker, prompt, under_way=under_way)

    def _videos(self, job: LoadedJob) -> list[tuple[str, str]]:
        """List request and prompt of a row's videos, or of what it waits for.

        One that turned up late was perhaps made for what the row asked for before.
        """
        made = and_(LIVE, ATTEMPT.c.job_id == job.id)
        if job.state == JobState.COMPLETED:
            made = or_(made, ATTEMPT.c.id == job.attempt_id)
        found = select(ATTEMPT.c.request_key, ATTEMPT.c.prompt).where(made)
        # an upgrade could not find the request of each
        return [
            (request or asked_key(job.asked), prompt)
            for request, prompt in self._connection.execute(found)
        ]
