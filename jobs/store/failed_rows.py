"""Rows that failed, and a load: what failed is bought again only where a person says so.

A row asks for what failed of it also where its prompt is spelled in another way, where it moved
under another id, or where an edit was taken back before it was bought (money.md, *Earlier work*).
"""

from collections import deque
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    TextClause,
    and_,
    bindparam,
    literal,
    or_,
    select,
    text,
    true,
    update,
)

from ..database.tables import ATTEMPT, JOB
from ..model.spec import AskedRow, asked_key
from ..model.states import AttemptState, FailureKind, JobState
from ..ports.loading import StagedRow
from .incoming import ABSENT, ASKED_FOR, HAS_VIDEO, INCOMING, LEFT
from .prepared import Prepared, beside, columns_from, columns_of, maker, read, read_pairs
from .records import AskedJob, LoadedJob, MovedJob, PastAttempt
from .rows import ASKED

AskedBefore = LoadedJob | AskedJob | MovedJob
_SAME_KEY = JOB.c.key == INCOMING.c.key


def came_to_nothing(job: LoadedJob) -> bool:
    """Return whether a row failed, and no attempt of it can still become a video.

    What its attempts cost stays charged. Its edit is followed as that of a row that was never
    bought: by the next run, under the caps and after the same question.
    """
    return job.state == JobState.FAILED and not job.left


def asks_for_the_same(connection: Connection, job: AskedBefore, asked: AskedRow) -> bool:
    """Check whether a manifest asks for what it asked for of a row before, in any spelling."""
    same = job.manifest_fingerprint == asked.fingerprint
    return same or asked_before(connection, job) == asked_key(asked)


def asked_before(connection: Connection, job: AskedBefore) -> str:
    """Return what the manifest asked for of a row before, however it was spelled.

    If a prompt was given by hand since, an attempt from before shows it; without one, only the
    fingerprint is known.
    """
    if job.manifest_fingerprint is None:
        return asked_key(job.asked)
    asked: str | None = _ASKED_BEFORE.scalar(
        connection, job=job.id, fingerprint=job.manifest_fingerprint
    )
    return asked or job.manifest_fingerprint


_ASKED_BEFORE = Prepared(
    select(ATTEMPT.c.request_key)
    .where(
        ATTEMPT.c.job_id == bindparam("job"),
        ATTEMPT.c.fingerprint == bindparam("fingerprint"),
        ATTEMPT.c.request_key.is_not(None),
    )
    .limit(1)
)


def follows_by_hand(connection: Connection, job: LoadedJob, fingerprint: str) -> bool:
    """Check whether a manifest asks for the prompt that was given by hand, and sent: no edit."""
    given = job.manifest_fingerprint is not None and fingerprint == job.asked.fingerprint
    return given and _SENT.scalar(connection, attempt=job.attempt_id) == fingerprint


_SENT = Prepared(select(ATTEMPT.c.fingerprint).where(ATTEMPT.c.id == bindparam("attempt")))


def as_it_failed(
    connection: Connection, job: LoadedJob, asked: AskedRow, now: datetime
) -> dict[str, Any] | None:
    """Return what columns of a queued or cancelled row become, as it asks for what failed last.

    None if it asks for something else. ``now`` is when it failed, if that is not known.
    """
    if job.attempt_id is None:
        return None
    # a refusal leaves the same state as a request that was not sent: only the row shows which
    refused = and_(ATTEMPT.c.state == AttemptState.REJECTED, ATTEMPT.c.error == (job.error or ""))
    newest = (
        select(*columns_from(ATTEMPT, PastAttempt))
        .where(ATTEMPT.c.job_id == job.id, or_(ATTEMPT.c.generation_id.is_not(None), refused))
        .order_by(ATTEMPT.c.id.desc())
        .limit(1)
    )
    last = next(read(connection, newest, PastAttempt), None)
    if last is None or last.state not in _FAILED:
        return None
    if (last.request_key or last.fingerprint) not in (asked.fingerprint, asked_key(asked)):
        return None
    given_up = last.state == AttemptState.ABANDONED
    return {
        "attempt_id": last.id,
        "error_kind": job.error_kind or (FailureKind.OVERDUE if given_up else FailureKind.UNKNOWN),
        "error": job.error or last.error,
        "completed_at": last.ended_at or now,
        "retries": 0,
        "due_at": None,
        **UNSAID,
    }


_FAILED = (AttemptState.FAILED, AttemptState.ABANDONED, AttemptState.REJECTED)
UNSAID: Mapping[str, Any] = {**ASKED, "handed": False, "named": False, "overruled_at": None}
"""What becomes of what was said about a row, when it asks for something else or leaves."""


def follow_keys(connection: Connection, batch_id: int) -> dict[int, str]:
    """Move failed rows to the key under which the manifest asks for the same, before it is loaded.

    So a row that was put in above them, an id column that came or went and a program that writes
    letters in another form buy nothing again. A row whose key is taken gets the one that is free.
    Return the keys that rows had, by their numbers, where these changed.
    """
    moved = [(job, asked_before(connection, job)) for job in _moved(connection, batch_id)]
    if not moved:
        return {}
    asked = {asked for _, asked in moved}
    free = _free(connection, batch_id, asked)
    keys = _Keys()
    # what is paid for comes first: a failed row must not take the key that asks for its video
    for video in _videos(connection, batch_id):
        request = next((one for one in _requests(connection, video) if free.get(one)), None)
        if request is not None:
            if not video.absent:  # it moved, too: a person decides what that means
                return {}
            keys.give(video.id, video.key, *free[request].popleft())
    for job, request in moved:
        if free.get(request):
            keys.give(job.id, job.key, *free[request].popleft())
    return keys.write(connection)


def _moved(connection: Connection, batch_id: int) -> list[MovedJob]:
    """List the failed rows whose key is gone, or asks for something else, in their order."""
    failed = (JOB.c.batch_id == batch_id, JOB.c.state == JobState.FAILED)
    if connection.execute(select(JOB.c.id).where(*failed).limit(1)).first() is None:
        return []
    # found by its key: the other way reads all for each
    edited = _edited(connection, LEFT, batch_id, text("+job.state = 'failed'"))
    gone = select(*_columns(LEFT, absent=True)).where(*failed, JOB.c.in_manifest, ABSENT)
    absent = read(connection, gone, MovedJob)
    # of equal ones that first of which a video may still come
    return sorted([*edited, *absent], key=lambda row: (not row.left, row.row, row.id))


def _columns(left: ColumnElement[bool], *, absent: bool) -> list[ColumnElement[Any]]:
    return columns_from(JOB, MovedJob, left=left, absent=literal(absent))


def _edited(
    connection: Connection, left: ColumnElement[bool], batch_id: int, which: TextClause
) -> list[MovedJob]:
    """List the rows of a batch whose key asks for something else now than another spelling."""
    edited = (
        select(*_columns(left, absent=False), *beside(columns_from(INCOMING, AskedRow)))
        .join(INCOMING, _SAME_KEY)
        .where(
            JOB.c.batch_id == batch_id,
            which,
            JOB.c.in_manifest,
            INCOMING.c.fingerprint.is_distinct_from(ASKED_FOR),
        )
    )
    pairs = list(read_pairs(connection, edited, MovedJob, AskedRow))
    return [job for job, asked in pairs if not asks_for_the_same(connection, job, asked)]


def _requests(connection: Connection, job: MovedJob) -> tuple[str, ...]:
    return (asked_before(connection, job), job.manifest_fingerprint or job.asked.fingerprint)


def _free(
    connection: Connection, batch_id: int, asked: Collection[str]
) -> dict[str, deque[tuple[str, int | None]]]:
    """Map requests to the keys that ask for them, and the rows that have these keys by now.

    Left out are rows that ask for the same under that key already.
    """
    holders = beside(columns_from(JOB, AskedJob))
    rows = connection.execute(
        select(*columns_from(INCOMING, StagedRow), *holders)
        .outerjoin(JOB, and_(JOB.c.batch_id == batch_id, _SAME_KEY))
        .where(INCOMING.c.fingerprint.is_distinct_from(ASKED_FOR))
        .order_by(INCOMING.c.row)
    )
    found: dict[str, deque[tuple[str, int | None]]] = {}
    width = len(columns_of(StagedRow))
    for both in rows:
        row, holder = maker(StagedRow)(both[:width]), None
        request = next(
            (one for one in (asked_key(row.asked), row.asked.fingerprint) if one in asked), None
        )
        if request is None:
            continue
        if both[width] is not None:
            holder = maker(AskedJob)(both[width:])
        if holder is None or not asks_for_the_same(connection, holder, row.asked):
            held_by = None if holder is None else holder.id
            found.setdefault(request, deque()).append((row.key, held_by))
    return found


def _videos(connection: Connection, batch_id: int) -> list[MovedJob]:
    """List the rows that have a video and whose key is gone, or asks for something else now."""
    # one that may still end is among those that moved
    rest = text("+job.state <> 'failed'")
    # whether it has a video is no condition: the rows would then not be found by their keys
    found = [row for row in _edited(connection, HAS_VIDEO, batch_id, rest) if row.left]
    gone = select(*_columns(true(), absent=True)).where(
        JOB.c.batch_id == batch_id, rest, JOB.c.in_manifest, HAS_VIDEO, ABSENT
    )
    found += read(connection, gone, MovedJob)
    return sorted(found, key=lambda row: (row.row, row.id))


class _Keys:
    """Who has which key, while rows change theirs."""

    def __init__(self) -> None:
        self._holder: dict[str, int | None] = {}
        self._of: dict[int, str] = {}
        self._before: dict[int, str] = {}

    def give(self, number: int, own: str, key: str, holder: int | None) -> None:
        """Assign a key to a row, and the row's own key to the one that has it.

        ``own`` is its key before this load, ``holder`` the row that had the other one then.
        """
        holder = self._holder.get(key, holder)
        if holder == number:
            return
        self._before.setdefault(number, own)
        own = self._of.get(number, own)
        self._place(number, key)
        self._holder[own] = None
        if holder is not None:
            self._before.setdefault(holder, key)
            self._place(holder, own)

    def _place(self, number: int, key: str) -> None:
        self._holder[key], self._of[number] = number, key

    def write(self, connection: Connection) -> dict[int, str]:
        """Write the keys down; return those that these rows had."""
        if self._of:
            keyed = update(JOB).where(JOB.c.id == bindparam("number"))
            keyed = keyed.values(key=bindparam("to_key"))
            for prefix in ("\0", ""):  # a key is unique at any moment
                to = [{"number": n, "to_key": prefix + key} for n, key in self._of.items()]
                connection.execute(keyed, to)
        return self._before
