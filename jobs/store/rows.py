"""Small pieces that every transition shares: rows to values, guarded updates, moving money."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import sqlite

from ..ledger import ACCOUNT_KEY, Budget, keys_of
from ..provider import GenerationRequest, ImageRef
from ..spec import JobSpec
from ..states import AttemptState, JobState, attempt_sources, sources
from ..tables import ATTEMPT, BUDGET, JOB, TALLY

NEW = {"state": JobState.QUEUED, "attempts": 0, "retries": 0, "charged_micros": 0}
"""What a job begins with, beside what is wanted."""


def job_values(batch_id: int, spec: JobSpec, kind: str) -> dict[str, Any]:
    """Write a wanted video as the values of its row."""
    request = spec.request
    return {
        "batch_id": batch_id,
        "key": spec.key,
        "key_from_content": spec.key_from_content,
        "row": spec.row,
        "fingerprint": spec.fingerprint,
        "manifest_fingerprint": None,
        "kind": kind,
        "prompt": request.prompt,
        "orientation": request.orientation,
        "duration": request.duration,
        "image": None if request.image is None else asdict(request.image),
        "callback_url": request.callback_url,
        "campaign": spec.campaign,
        "priority": spec.priority,
        "cells": dict(spec.cells),
        "in_manifest": True,
    }


def tally_new(connection: Connection, batch_id: int, jobs: int) -> None:
    """Count jobs that were just inserted as queued: no trigger does that, for loading's sake."""
    new = {"batch_id": batch_id, "state": JobState.QUEUED, "error_kind": "", "jobs": jobs}
    counted = sqlite.insert(TALLY).values(new)
    connection.execute(
        counted.on_conflict_do_update(set_={"jobs": TALLY.c.jobs + counted.excluded.jobs})
    )


def request_of(row: Any) -> GenerationRequest:
    """Build the request of a job's row."""
    return GenerationRequest(
        prompt=row.prompt,
        orientation=row.orientation,
        duration=row.duration,
        image=None if row.image is None else ImageRef(**row.image),
        callback_url=row.callback_url,
    )


def move_job(
    connection: Connection, job_id: int, transition: str, to: JobState, **values: Any
) -> bool:
    """Move a job along a legal transition; False when it was in none of its source states."""
    done = connection.execute(
        update(JOB)
        .where(JOB.c.id == job_id, JOB.c.state.in_(sources(transition)))
        .values(state=to, **values)
    )
    return done.rowcount == 1


def move_attempt(
    connection: Connection, attempt_id: int, transition: str, to: AttemptState, **values: Any
) -> bool:
    """Move an attempt along a legal transition; False when it was in none of its source states."""
    done = connection.execute(
        update(ATTEMPT)
        .where(ATTEMPT.c.id == attempt_id, ATTEMPT.c.state.in_(attempt_sources(transition)))
        .values(state=to, **values)
    )
    return done.rowcount == 1


def attempt_row(connection: Connection, attempt_id: int) -> Any:
    """Read an attempt together with what it needs of its job; None when there is none."""
    return connection.execute(
        select(
            ATTEMPT,
            JOB.c.batch_id,
            JOB.c.campaign,
            JOB.c.attempt_id.label("current_attempt"),
            JOB.c.state.label("job_state"),
            JOB.c.error_kind,
            JOB.c.retries,
            JOB.c.key.label("job_key"),
        )
        .join(JOB, JOB.c.id == ATTEMPT.c.job_id)
        .where(ATTEMPT.c.id == attempt_id)
    ).one_or_none()


_MOVE = (
    update(BUDGET)
    .where(BUDGET.c.key == bindparam("k"))
    .values(
        held_micros=BUDGET.c.held_micros + bindparam("held"),
        charged_micros=BUDGET.c.charged_micros + bindparam("charged"),
        refunded_micros=BUDGET.c.refunded_micros + bindparam("refunded"),
    )
)


def move_money(
    connection: Connection, attempt: Any, held: int, charged: int = 0, refunded: int = 0
) -> None:
    """Add to the totals of every budget that an attempt counts in.

    A refund counts in none for the account: what its balance is, only its readings tell.
    """
    keys = keys_of(attempt.batch_id, attempt.campaign, attempt.day)
    connection.execute(
        _MOVE,
        [
            {
                "k": key,
                "held": held,
                "charged": charged,
                "refunded": 0 if key == ACCOUNT_KEY else refunded,
            }
            for key in keys
        ],
    )


def ensure_budget(connection: Connection, key: str, cap: int | None = None) -> None:
    """Make sure that a budget row is there; an existing one is left as it is."""
    if connection.execute(select(BUDGET.c.key).where(BUDGET.c.key == key)).first() is None:
        connection.execute(
            BUDGET.insert().values(
                key=key, cap_micros=cap, charged_micros=0, held_micros=0, refunded_micros=0
            )
        )


def load_budget(connection: Connection, key: str) -> Budget:
    """Read a budget's totals."""
    row = connection.execute(
        select(
            BUDGET.c.key,
            BUDGET.c.cap_micros,
            BUDGET.c.charged_micros,
            BUDGET.c.held_micros,
            BUDGET.c.refunded_micros,
        ).where(BUDGET.c.key == key)
    ).one()
    return Budget(*row)
