"""What the rows of a batch are to a load, and those that its manifest does not have."""

from typing import Any, Final

from sqlalchemy import Connection, Select, exists, func, not_, or_, select

from ..database.tables import ATTEMPT, JOB, QUEUED
from ..model.states import AttemptState, JobState
from .attempt_states import HAS_LIVE
from .incoming import INCOMING
from .prepared import columns_of, read
from .records.jobs import KeyedState, LoadedJob

PAID: Final = or_(
    JOB.c.state == JobState.COMPLETED,  # perhaps by a video that another batch paid for
    exists().where(
        ATTEMPT.c.job_id == JOB.c.id,
        ATTEMPT.c.state.not_in([AttemptState.REJECTED, AttemptState.VOID]),
    ),
)
LEFT: Final = exists().where(
    ATTEMPT.c.job_id == JOB.c.id,
    ATTEMPT.c.state.not_in([AttemptState.REJECTED, AttemptState.VOID, AttemptState.FAILED]),
)
"""Rows of which anything may still come: what was given up, too, may end as a video."""
HAS_VIDEO: Final = or_(JOB.c.state == JobState.COMPLETED, HAS_LIVE)
"""Rows that have a video, or may still get one that is paid for."""

_ABOUT: Final = (PAID.label("paid"), LEFT.label("left"))
LOADED: Final = (
    *(JOB.c[name] for name in columns_of(LoadedJob) if name in JOB.c),
    *_ABOUT,
)
"""The columns of a :class:`~jobs.store.records.jobs.LoadedJob`."""
ASKED_FOR: Final = func.coalesce(JOB.c.manifest_fingerprint, JOB.c.fingerprint)
"""What the manifest asked for, whatever a person gave by hand since."""
ABSENT: Final = JOB.c.key.not_in(select(INCOMING.c.key))


def missing(connection: Connection, batch_id: int) -> list[LoadedJob]:
    """List rows that were in the manifest and are not, in its order."""
    rows = (
        select(*LOADED)
        .where(JOB.c.batch_id == batch_id, JOB.c.in_manifest, ABSENT)
        .order_by(JOB.c.row, JOB.c.id)
    )
    return list(read(connection, rows, LoadedJob))


def waiting(connection: Connection, batch_id: int) -> list[KeyedState]:
    """List rows that left the manifest while something was under way, and wait for a retry now."""
    rows = (
        select(JOB.c.id, JOB.c.key, JOB.c.state)
        .where(QUEUED, JOB.c.batch_id == batch_id, not_(JOB.c.in_manifest), ABSENT)
        .order_by(JOB.c.id)
    )
    return list(read(connection, rows, KeyedState))


def gone(connection: Connection, batch_id: int, asked: Select[Any]) -> list[LoadedJob]:
    """List rows with a video that an earlier load parted with, and that may be asked for again.

    Args:
        asked: the fingerprints of what is asked for.
    """
    rows = (
        select(*LOADED)
        .where(
            JOB.c.batch_id == batch_id,
            not_(JOB.c.in_manifest),
            ABSENT,
            HAS_VIDEO,
            # a prompt that was given by hand: its manifest's own may be spelled in another way
            or_(ASKED_FOR.in_(asked), JOB.c.manifest_fingerprint.is_not(None)),
        )
        .order_by(JOB.c.id)
    )
    return list(read(connection, rows, LoadedJob))
