"""Loading a manifest: the same rows again add nothing, edits follow, paid rows are never rebought.

Everything happens in the caller's one transaction: a load that fails leaves nothing behind.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Text,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    not_,
    select,
    text,
    type_coerce,
    update,
)

from ..database.tables import JOB
from ..model.errors import EditedRowsError
from ..model.spec import SpecRow, asked_in
from ..model.states import NOTHING_FOUND, HeldBack, JobState
from ..ports.loading import LoadReport, OnChange, StagedRow
from . import incoming, voids
from .failed_rows import (
    UNSAID,
    as_it_failed,
    asked_before,
    asks_for_the_same,
    came_to_nothing,
    follow_keys,
    follows_by_hand,
)
from .incoming import INCOMING, FreshRows, Moves
from .prepared import beside, columns_from, read_pairs, values_of
from .records import LoadedJob
from .rows import NEW, change_job, is_live, tally_new

_JSON = ("image", "parameters", "cells")
_UNBOUGHT = (JobState.QUEUED, JobState.FAILED, JobState.CANCELLED)
_Becomes = tuple[JobState | None, dict[str, Any]]
"""The state that a row moves to, None if it stays, and what its other columns become."""

_RESTING = (JobState.QUEUED, JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)


def merge(
    connection: Connection,
    batch_id: int,
    now: datetime,
    on_change: OnChange = OnChange.STOP,
    *,
    whole: bool = True,
    held_back: HeldBack | None = None,
) -> LoadReport:
    """Bring what is in the temporary table (:mod:`jobs.store.incoming`) into a batch.

    Args:
        whole: False when rows were left out (invalid ones), so that nothing is cancelled.
        held_back: why rows that this load queues or edits are not bought yet; None: they may be.

    Raises:
        EditedRowsError: a paid row without id vanished while new ones came: it may be an edit.
        MovedRowsError: a row asks for the video of one that keeps it.
    """
    loader = _Loader(connection, batch_id, now, on_change, held_back)
    loader.take()
    loader.settle_missing(whole=whole)
    voids.follow(connection)
    return loader.report


_KNOWN = JOB.c.key == INCOMING.c.key
_SAME = and_(
    *(
        JOB.c[name].is_not_distinct_from(INCOMING.c[name])
        for name in SpecRow._fields
        if name not in _JSON
    ),
    *(
        type_coerce(JOB.c[n], Text).is_not_distinct_from(type_coerce(INCOMING.c[n], Text))
        for n in _JSON
    ),
    JOB.c.in_manifest,
    JOB.c.manifest_fingerprint.is_(None),
)
_NEW_COLUMNS = ("batch_id", "in_manifest", "created_at", "held_back", *NEW, *SpecRow._fields)


class _Loader:
    def __init__(
        self,
        connection: Connection,
        batch_id: int,
        now: datetime,
        on_change: OnChange,
        held_back: HeldBack | None,
    ) -> None:
        self._connection = connection
        # whatever was agreed to, found or said was about another request, or another manifest
        self._asked = {**UNSAID, "held_back": held_back}
        self._queued = _QUEUED | self._asked
        self._batch_id = batch_id
        self._now = now
        self._on_change = on_change
        self._fresh = FreshRows(connection, batch_id)
        self._moves = Moves(connection, follow_keys(connection, batch_id))
        self.report = LoadReport(batch_id=batch_id)

    def take(self) -> None:
        """Insert the new rows, and follow the edits of the others."""
        here = JOB.c.batch_id == self._batch_id
        known = self._connection.execute(
            select(func.count()).select_from(INCOMING).join(JOB, and_(here, _KNOWN))
        ).scalar_one()
        both = (
            select(*incoming.LOADED, *beside(columns_from(INCOMING, StagedRow)))
            .join(INCOMING, _KNOWN)
            .where(here, not_(_SAME))
            .order_by(INCOMING.c.row)
        )
        pairs = read_pairs(self._connection, both, LoadedJob, StagedRow) if known else ()
        changed = list(pairs)
        self._insert_new(known)
        self.report.unchanged = known - len(changed)
        for job, row in changed:
            self._follow(values_of(row), job)

    def _insert_new(self, known: int) -> None:
        first = {
            "batch_id": self._batch_id,
            "in_manifest": True,
            "created_at": self._now,
            "held_back": self._asked["held_back"],
        } | NEW
        rows = select(
            *(literal(value, JOB.c[name].type) for name, value in first.items()),
            *(INCOMING.c[name] for name in SpecRow._fields),
        ).order_by(text("incoming.rowid"))
        if known:
            here = exists().where(JOB.c.batch_id == self._batch_id, _KNOWN)
            rows = rows.where(~here)
        added = self._connection.execute(insert(JOB).from_select(_NEW_COLUMNS, rows)).rowcount
        tally_new(self._connection, self._batch_id, added)
        self.report.added = added

    def _follow(self, values: dict[str, Any], job: LoadedJob) -> None:
        values |= {"in_manifest": True, "manifest_fingerprint": None}
        returned = job.state in (JobState.CANCELLED, JobState.QUEUED) and not job.in_manifest
        by_hand = follows_by_hand(self._connection, job, values["fingerprint"])
        before = job.manifest_fingerprint or job.asked.fingerprint
        if not by_hand and values["fingerprint"] != before:
            followed = self._follow_edit(job, values)
            self._moves.note(job, values, followed=followed)
        elif job.paid and (job.state not in _UNBOUGHT or is_live(self._connection, job.id)):
            # where it stands and what it carries may change; what was bought may not
            follow = ["row", "cells", "in_manifest", "image"]  # the same image in another place
            follow += ["manifest_fingerprint"] if by_hand else []
            self._update(job, {name: values[name] for name in follow})
        else:
            if job.manifest_fingerprint is not None and not by_hand:  # what was given stays
                kept = values_of(job)
                values |= {name: kept[name] for name in _BY_HAND}
            to, more = self._queued_or_failed(job, values) if returned else (None, {})
            self._update(job, values | more, to)

    def _queued_or_failed(self, job: LoadedJob, values: dict[str, Any]) -> _Becomes:
        """Return what becomes of a row that is not bought: it is queued, or as it failed."""
        failed = as_it_failed(self._connection, job, asked_in(values), self._now)
        return (JobState.QUEUED, self._queued) if failed is None else (JobState.FAILED, failed)

    def _follow_edit(self, job: LoadedJob, values: dict[str, Any]) -> bool:
        """Do what an edit asks for; return whether it is followed."""
        if job.state not in _RESTING or is_live(self._connection, job.id):
            self.report.busy.append(job.key)
            return False
        if job.state == JobState.FAILED and asks_for_the_same(
            self._connection, job, asked_in(values)
        ):
            self._update(job, values)  # spelled otherwise: it would be the request that failed
        elif job.state == JobState.QUEUED:
            to, more = self._edited_in_queue(job, values)
            self._update(job, values | more, to)
        elif job.state == JobState.CANCELLED and not job.in_manifest:  # it left unbought
            to, more = self._queued_or_failed(job, values)
            self._update(job, values | more, to)
        elif job.state == JobState.CANCELLED and not job.left:
            self._update(job, values)
        elif not job.paid:
            self._update(job, values | self._queued, JobState.QUEUED)
        elif self._on_change is OnChange.REDO or came_to_nothing(job):
            self._update(job, values | self._queued, JobState.QUEUED, count=False)
            self.report.redone.append(job.key)
        else:
            self.report.edited.append(job.key)
            return False
        return True

    def _edited_in_queue(self, job: LoadedJob, values: dict[str, Any]) -> _Becomes:
        """Return what becomes of a queued row that was edited: nothing of it is sent.

        What a pick left out stays left out. One whose edit is taken back has failed again; one that
        waits for a retry waits.
        """
        if not job.retries and not asks_for_the_same(self._connection, job, asked_in(values)):
            failed = as_it_failed(self._connection, job, asked_in(values), self._now)
            if failed is not None:
                return JobState.FAILED, failed
        out = HeldBack.LEFT_OUT in (job.held_back, job.held_beneath)
        return None, self._asked | ({"held_back": HeldBack.LEFT_OUT} if out else {})

    def _update(
        self,
        job: LoadedJob,
        values: dict[str, Any],
        to: JobState | None = None,
        *,
        count: bool = True,
    ) -> None:
        before = values_of(job)
        changed = {name: new for name, new in values.items() if before[name] != new}
        moves = to not in (None, job.state)
        if changed or moves:
            change_job(self._connection, job, changed, to)
        if count:
            self.report.updated += bool(changed or moves)
            self.report.unchanged += not (changed or moves)

    def settle_missing(self, *, whole: bool) -> None:
        """Recognise paid rows that came back under another key; stop where a row may be an edit.

        If the manifest is whole, what is no longer in it and not paid for is cancelled.
        """
        missing = self._recognise(incoming.missing(self._connection, self._batch_id))
        if self.report.added:
            self._recognise(incoming.gone(self._connection, self._batch_id, self._fresh.asked))
        vanished = [job for job in missing if job.paid and job.key_from_content]
        fresh = self._fresh.rows() if vanished else []
        if self._on_change is not OnChange.KEEP:
            self._moves.check(self._fresh, self.report.busy)
        redone: set[int] = set()
        if fresh:
            redone = self._maybe_edits(vanished, fresh)
        if whole:
            self._part_with([job for job in missing if job.id not in redone])

    def _recognise(self, missing: Sequence[LoadedJob]) -> list[LoadedJob]:
        """Move rows to their new key where the same video is asked for under another one.

        An id column that came, went or was renumbered buys nothing again: what was paid for stays
        known, and so does what was found or said about a row that waits. What failed was recognised
        before (:func:`jobs.store.failed_rows.follow_keys`).
        """
        left: list[LoadedJob] = []
        for job in missing:
            found = job.held_back not in (None, *NOTHING_FOUND)
            said = job.named or job.overruled_at is not None
            paid = job.paid and not (job.state == JobState.FAILED and job.in_manifest)
            known = paid or (job.state == JobState.QUEUED and (found or said))
            same = self._taker(job) if known and self.report.added else None
            if same is None:
                left.append(job)
                continue
            kept: dict[str, Any] = {}
            if job.manifest_fingerprint is not None and same.asked != job.asked:  # stays by hand
                kept = {"prompt": job.asked.prompt, "fingerprint": job.asked.fingerprint}
                kept["manifest_fingerprint"] = same.asked.fingerprint
            self._replace(job, same, kept)
            self.report.unchanged += 1
        return left

    def _taker(self, job: LoadedJob) -> LoadedJob | None:
        """Return the new row that asks for what the manifest asked for of an older one, or None.

        What was bought with a prompt that was given by hand is found in any spelling: by it alone
        it is known that the manifest's own prompt is not to be bought.
        """
        same = self._fresh.take(job.manifest_fingerprint or job.asked.fingerprint)
        if same is None and job.manifest_fingerprint is not None:
            same = self._fresh.take_request(asked_before(self._connection, job))
        if same is None and follows_by_hand(self._connection, job, job.asked.fingerprint):
            same = self._fresh.take(job.asked.fingerprint)
        return same

    def _replace(
        self, job: LoadedJob, fresh: LoadedJob, more: dict[str, Any], to: JobState | None = None
    ) -> None:
        """Put an older row in the place of a new one, so that its history stays with it."""
        self._connection.execute(JOB.delete().where(JOB.c.id == fresh.id))
        new = values_of(fresh)
        values = {name: new[name] for name in _COPIED} | more
        change_job(self._connection, job, values, to)
        self.report.added -= 1

    def _part_with(self, missing: Sequence[LoadedJob]) -> None:
        waiting = incoming.waiting(self._connection, self._batch_id)
        if missing:
            self._connection.execute(
                update(JOB).where(JOB.c.id == bindparam("gone")).values(in_manifest=False),
                [{"gone": job.id} for job in missing],
            )
        for job in (*missing, *waiting):
            if job.state != JobState.QUEUED or is_live(self._connection, job.id):
                continue
            # what was paid for before and waits for a retry is not bought again either
            left = {"completed_at": self._now, **UNSAID}
            change_job(self._connection, job, left, JobState.CANCELLED)
            self.report.cancelled.append(job.key)

    def _maybe_edits(self, vanished: list[LoadedJob], fresh: Sequence[LoadedJob]) -> set[int]:
        """Do what was said about paid rows that vanished while others came; return the redone."""
        if self._on_change is OnChange.STOP:
            vanished = [job for job in vanished if not came_to_nothing(job)]
            if not vanished:  # they failed: what came is bought under the caps, as an edit is
                return set()
            first, new = vanished[0], fresh[0]
            raise EditedRowsError(
                len(vanished), first.row, first.asked.prompt, len(fresh), new.row, new.asked.prompt
            )
        redone: set[int] = set()
        if self._on_change is OnChange.KEEP:
            return redone
        for job, new in zip(vanished, fresh, strict=False):
            if job.state not in _RESTING or is_live(self._connection, job.id):
                self.report.busy.append(job.key)
                continue
            self._replace(job, new, self._queued, JobState.QUEUED)
            self.report.redone.append(new.key)
            redone.add(job.id)
        return redone


_COPIED = (*SpecRow._fields, "manifest_fingerprint", "in_manifest")
_BY_HAND = ("prompt", "fingerprint", "manifest_fingerprint")
_QUEUED = {"retries": 0, "due_at": None, "video_url": None, "completed_at": None}
"""How a row failed is kept until it is bought, so that an edit can be taken back."""
