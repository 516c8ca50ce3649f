"""Our own past: requests that this database has paid for, and that no row of the batch has yet.

A row that left its manifest or was edited, another file name, a copy, an export, a batch that was
removed and loaded again: rows that ask for the same video are found by count, however it is
spelled. Equal rows of one manifest are wanted, and so is a single video whose words were typed
again. It is searched before a run, and for rows that are queued during it; what batches of one run
buy is searched in the claim (:mod:`jobs.store.others`).
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, and_, exists, not_, or_, select

from ..database.tables import ATTEMPT, BATCH, HELD_BACK, JOB, PAID, QUEUED
from ..model.spec import asked_key
from ..model.states import AttemptState, HeldBack, JobState
from ..ports.control import Paid, PaidBefore
from ..ports.selection import Sought
from . import holding
from .prepared import Prepared, as_list, columns_from, one_of, read, values_in
from .records import AskedJob
from .rows import CLEAN, UNSETTLED, move_job

_NOBODYS_HERE = or_(
    not_(JOB.c.in_manifest),
    ATTEMPT.c.fingerprint != JOB.c.fingerprint,
    and_(JOB.c.state == JobState.COMPLETED, JOB.c.attempt_id != ATTEMPT.c.id),
)
"""Attempts whose row left the manifest, asks for something else now, or has another video."""


class Unclaimed:
    """Purchases of one request that no row has claimed yet; finished ones come first."""

    def __init__(self, bought: Iterable[Paid]) -> None:
        # the newest first, so that the oldest is taken from the end
        newest = sorted(bought, key=lambda paid: (paid.at, paid.attempt_id), reverse=True)
        self._finished = [paid for paid in newest if paid.video_url is not None]
        self._others = [paid for paid in newest if paid.video_url is None]

    def claim(self, since: datetime | None) -> Paid | None:
        """Take the oldest that was bought after a time; None if there is none."""
        for left in (self._finished, self._others):
            newer = len(left)
            if since is not None:
                newer = bisect_left(left, True, key=lambda paid: paid.at <= since)
            if newer:
                return left.pop(newer - 1)
        return None

    def drop(self) -> None:
        """Drop the oldest: it belongs to a row that is bought again."""
        left = self._finished or self._others
        if left:
            left.pop()


def _paid_elsewhere(
    connection: Connection, batch_id: int, too: Collection[str]
) -> dict[str, Unclaimed]:
    """Map requests that were paid for, and that no row of a batch has, to what was bought.

    Other batches count, and so do own rows that left the manifest or were edited since. A
    submission with an unknown outcome may have been paid for, and counts as well. Failures do not,
    nor does what a row of this batch has already.

    Args:
        too: what queued rows ask for whose prompts change when they are folded: of the others the
            fingerprint is the request (:func:`jobs.model.spec.asked_key`).
    """
    asking = JOB.alias()
    asked = select(asking.c.fingerprint).where(
        asking.c.batch_id == batch_id, asking.c.state == JobState.QUEUED
    )
    same = ATTEMPT.c.request_key.in_(asked)
    bought = (
        select(ATTEMPT.c.request_key, *_BOUGHT)
        .join(JOB, JOB.c.id == ATTEMPT.c.job_id)
        .join(BATCH, BATCH.c.id == JOB.c.batch_id)
        .where(
            ATTEMPT.c.request_key.is_not(None),
            ATTEMPT.c.state != AttemptState.FAILED,
            or_(JOB.c.batch_id != batch_id, _NOBODYS_HERE),
            or_(same, ATTEMPT.c.request_key.in_(values_in(too))) if too else same,
        )
        .order_by(ATTEMPT.c.id)
    )
    shared = _shared(connection, batch_id)
    by_request: dict[str, list[Paid]] = {}
    for one in (PAID, UNSETTLED):  # apart, so that each has its index
        for request, *columns in connection.execute(bought.where(one)):
            if (paid := Paid(*columns)).attempt_id not in shared:
                by_request.setdefault(request, []).append(paid)
    return {request: Unclaimed(bought) for request, bought in by_request.items()}


# the attempt's own URL: its row may have been edited, redone or swapped since
_BOUGHT = columns_from(
    ATTEMPT,
    Paid,
    attempt_id=ATTEMPT.c.id,
    batch=BATCH.c.name,
    at=ATTEMPT.c.intent_at,
    filed=JOB.c.filed_attempt_id.is_not_distinct_from(ATTEMPT.c.id),
)


def _shared(connection: Connection, batch_id: int) -> set[int]:
    """List the attempts of other requests or rows that rows of a batch have as their videos.

    A row that was edited since and is queued no longer has it, nor does one that left the manifest.
    """
    rows = connection.execute(
        select(JOB.c.attempt_id)
        .join(ATTEMPT, ATTEMPT.c.id == JOB.c.attempt_id)
        .where(
            JOB.c.batch_id == batch_id,
            JOB.c.in_manifest,
            JOB.c.state == JobState.COMPLETED,
            or_(ATTEMPT.c.job_id != JOB.c.id, ATTEMPT.c.fingerprint != JOB.c.fingerprint),
        )
    )
    return set(rows.scalars())


def find(connection: Connection, sought: Sought) -> list[PaidBefore]:
    """Find the queued rows whose requests were paid for and belong to no other row, by count.

    A row that has a paid generation of this request itself waits for a retry, and was asked about.
    If its own generation failed, it is looked for again. A row that was edited, and edited back
    before it was bought, has its video. Single videos are bought as often as they were typed.
    """
    which = BATCH.c.id.in_(sought.batch_ids)
    if sought.jobs is not None:
        which = BATCH.c.id.in_(select(JOB.c.batch_id).where(*holding.where(sought)))
    manifests = select(BATCH.c.id).where(which, BATCH.c.source.is_not(None))
    sought = replace(sought, batch_ids=list(connection.execute(manifests).scalars()))
    found = _edited_back(connection, sought)
    for batch_id in sought.batch_ids:
        asked = _asked_for(connection, batch_id, sought)
        too = {key for row in asked if (key := asked_key(row.asked)) != row.asked.fingerprint}
        elsewhere = _paid_elsewhere(connection, batch_id, too)
        if elsewhere:
            found += _matched(_asked_for(connection, batch_id, sought), elsewhere)
    return found


def hold(connection: Connection, sought: Sought) -> list[PaidBefore]:
    """Hold rows back that were paid for before; rows no longer found wait for another look."""
    found = find(connection, sought)
    holding.look_again(connection, sought, HeldBack.PAID_BEFORE)
    _hold(connection, found)
    return found


def _hold(connection: Connection, found: Iterable[PaidBefore]) -> None:
    by = {one.job_id: one.paid.generation_id for one in found}
    holding.hold_back(connection, by, HeldBack.PAID_BEFORE)


def hold_late(connection: Connection, job_ids: Collection[int]) -> list[PaidBefore]:
    """Hold back those of some rows that were paid for before, during a run.

    Rows of their batches that ask for the same, and wait for a paid video, keep it.
    """
    waiting = _waiting(connection, job_ids)
    found = find(connection, Sought((), jobs={*job_ids, *waiting}))
    new = [one for one in found if one.job_id not in waiting]
    _hold(connection, new)
    return new


def _waiting(connection: Connection, job_ids: Collection[int]) -> set[int]:
    """Find the rows of the same batches that ask for the same and wait for a paid video."""
    late = _LATE.all(connection, jobs=as_list(job_ids))
    asked = {(row.batch_id, asked_key(row.asked)) for row in late}
    waiting = _WAITING.all(connection, batches=as_list({row.batch_id for row in late}))
    return {row.id for row in waiting if (row.batch_id, asked_key(row.asked)) in asked}


_ASKED_FOR = select(*columns_from(JOB, AskedJob))
_LATE = Prepared(_ASKED_FOR.where(JOB.c.id.in_(one_of("jobs"))), AskedJob)
_WAITING = Prepared(
    _ASKED_FOR.where(
        HELD_BACK,
        JOB.c.held_back == HeldBack.PAID_BEFORE,
        JOB.c.state == JobState.QUEUED,
        JOB.c.batch_id.in_(one_of("batches")),
    ),
    AskedJob,
)


def _edited_back(connection: Connection, sought: Sought) -> list[PaidBefore]:
    """Find queued rows that have a video of what they ask for already.

    If another row of the batch has that video by now, it is that row's: equal rows are wanted.
    """
    videos = (
        select(JOB.c.id, JOB.c.batch_id, JOB.c.fingerprint, *_BOUGHT)
        .join(ATTEMPT, ATTEMPT.c.job_id == JOB.c.id)
        .join(BATCH, BATCH.c.id == JOB.c.batch_id)
        .where(
            *holding.where(sought),
            JOB.c.batch_id.in_(sought.batch_ids),
            JOB.c.in_manifest,
            JOB.c.attempt_id.is_not(None),
            ATTEMPT.c.state == AttemptState.COMPLETED,
            ATTEMPT.c.fingerprint == JOB.c.fingerprint,
            or_(JOB.c.overruled_at.is_(None), JOB.c.overruled_at < ATTEMPT.c.intent_at),
        )
        .order_by(ATTEMPT.c.video_url.is_not(None), ATTEMPT.c.id)
    )
    rows = [
        PaidBefore(job, batch, fingerprint, Paid(*paid))
        for job, batch, fingerprint, *paid in connection.execute(videos)
    ]
    taken = {batch: _shared(connection, batch) for batch in {row.batch_id for row in rows}}
    own = [row for row in rows if row.paid.attempt_id not in taken[row.batch_id]]
    return list({row.job_id: row for row in own}.values())


def _asked_for(connection: Connection, batch_id: int, sought: Sought) -> Iterator[AskedJob]:
    own = exists().where(
        PAID,
        ATTEMPT.c.job_id == JOB.c.id,
        ATTEMPT.c.fingerprint == JOB.c.fingerprint,
        ATTEMPT.c.state != AttemptState.FAILED,
    )
    rows = _ASKED_FOR.where(
        QUEUED, *holding.where(sought), JOB.c.batch_id == batch_id, JOB.c.in_manifest, ~own
    ).order_by(JOB.c.row, JOB.c.id)
    return read(connection, rows, AskedJob)


def _matched(rows: Iterable[AskedJob], elsewhere: Mapping[str, Unclaimed]) -> list[PaidBefore]:
    found: list[PaidBefore] = []
    for row in rows:
        known = {asked_key(row.asked), row.asked.fingerprint}
        left = [elsewhere[one] for one in sorted(known) if one in elsewhere]
        # what was known when a person said to buy the row anyway no longer holds it back
        claimed = (unclaimed.claim(row.overruled_at) for unclaimed in left)
        paid = next((one for one in claimed if one is not None), None)
        if paid is not None:
            found.append(PaidBefore(row.id, row.batch_id, row.asked.fingerprint, paid))
        elif left:
            left[0].drop()  # it was this row's; now that it is bought again, no other row gets it
    return found


def share(connection: Connection, found: PaidBefore, now: datetime) -> bool:
    """Complete a queued row with a finished video of the same request, at no charge.

    Return False if it did not land, or there is no finished video to share.
    """
    paid = found.paid
    asks = (JOB.c.id == found.job_id, JOB.c.fingerprint == found.fingerprint)
    if paid.video_url is None or not connection.execute(select(JOB.c.id).where(*asks)).first():
        return False
    shared = {
        **CLEAN,
        "attempt_id": paid.attempt_id,
        "video_url": paid.video_url,
        "filed_attempt_id": paid.attempt_id if paid.filed else None,
        "completed_at": now,
    }
    return move_job(connection, found.job_id, "share", JobState.COMPLETED, **shared)
