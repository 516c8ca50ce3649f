"""How a POST ended: one function per transition out of ``open`` and ``in_doubt``.

Each is one guarded step that moves job, attempt and money together, and returns whether it landed.
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from ..database.tables import ATTEMPT, LIVE
from ..model.states import AttemptState, FailureKind, JobState
from . import accounts, shown, voids
from .prepared import Prepared
from .queues import BEHIND
from .rows import (
    ASKED,
    attempt_row,
    estimate,
    failure,
    move_attempt,
    move_job,
    move_money,
    owner_of,
    settle_attempt,
)

ANSWERED_WITHIN = timedelta(seconds=5)
"""How long a submission usually takes: one that took longer was not cut off by us alone."""

NEWEST = 1000
"""Attempts among which the last signs of a run that ended are looked for."""


def accept(
    connection: Connection,
    attempt_id: int,
    generation_id: str,
    price: int | None,
    now: datetime,
    first_look: timedelta,
) -> bool:
    """Write an acceptance: the hold becomes a charge, the job pends, the price is learned.

    An id that another attempt has already is an alarm, never a second acceptance: the attempt goes
    in doubt. A price that could not be read counts as the highest known, marked as estimated. An
    answer that comes after its attempt went in doubt settles the doubt. Return False when it did
    not land: the attempt was settled already, or the id is another's.
    """
    try:
        return _accepted(connection, attempt_id, "accept", generation_id, price, now, first_look)
    except sqlite3.IntegrityError as error:
        # the unique index on generations, by its name; the statement did nothing. Two attempts with
        # one id would be charged twice for one video, or one of them never looked at again
        # (test_engine_runs.py: an id that is known already is an alarm)
        if "attempt.generation_id" not in str(error):
            raise
        owner = owner_of(connection, generation_id)
    reason = f"the answer named generation {generation_id}, which attempt {owner} has"
    doubt(connection, attempt_id, reason, now)
    return False


def adopt(connection: Connection, attempt_id: int, generation_id: str, now: datetime) -> bool:
    """Settle a doubt: this generation of the account is the attempt's; it is looked at at once.

    The list shows no price, so it is estimated. Return False when it did not land: the doubt was
    settled already, or another attempt has the generation by now.
    """
    row = attempt_row(connection, attempt_id)
    # checked again in the transaction: between the reading of the list and this commit, an
    # answer may have come, or a person may have resolved it (test_known_candidates.py)
    if row is None or owner_of(connection, generation_id) is not None:
        return False
    if not _accepted(connection, attempt_id, "adopt", generation_id, None, now, timedelta(0)):
        return False
    shown.explain(connection, attempt_id, estimate(row))
    return True


def _accepted(
    connection: Connection,
    attempt_id: int,
    transition: str,
    generation_id: str,
    price: int | None,
    now: datetime,
    first_look: timedelta,
) -> bool:
    row = attempt_row(connection, attempt_id)
    if row is None:
        return False
    # an unknown price counts as the most it may be: a charge of 0 would let one more video pass
    # the cap (test_an_unreadable_price_counts_as_the_highest_known)
    charge = estimate(row) if price is None else price
    settled = {"error": None, "candidates": None, "unproven": None}
    landed = move_attempt(
        connection,
        attempt_id,
        transition,
        AttemptState.ACCEPTED,
        generation_id=generation_id,
        price_micros=charge,
        price_estimated=price is None,
        accepted_at=now,
        next_look_at=now + first_look,
        **settled,
    )
    if not landed:
        return False
    add = {"charged_micros": charge}
    move_job(connection, row.job_id, transition, JobState.PENDING, add, **ASKED)
    # hold out and charge in by one statement: a commit that shows neither would let another row
    # be claimed under the same cap (tests/support/invariants.py looks at each commit)
    move_money(connection, row, held=-row.hold_micros, charged=charge)
    if price:  # a price of 0 is booked, but not learned: a hold of 0 would guard nothing
        accounts.learn_price(connection, row, price, now)
    return True


def release(
    connection: Connection,
    attempt_id: int,
    reason: str,
    due_at: datetime | None = None,
    *,
    refused_at: datetime | None = None,
) -> bool:
    """Release the hold of an attempt that was not created, and queue its job again.

    Args:
        due_at: when it may be sent again; None: at once.
        refused_at: when the provider refused it: it may have been charged nevertheless
            (:mod:`jobs.store.quiet`); None: it was not sent, or has to wait (429).
    """
    # the move guards all that follows: a second answer for the same attempt changes nothing, so
    # its hold is never released twice (mutant missing_state_guard in
    # tests/simulation/mutants.py)
    row = settle_attempt(
        connection, attempt_id, "release", AttemptState.REJECTED, error=reason, ended_at=refused_at
    )
    if row is None:
        return False
    less = {"attempts": -1}  # nothing was bought, and its content was not refused
    move_job(connection, row.job_id, "release", JobState.QUEUED, less, due_at=due_at)
    move_money(connection, row, held=-row.hold_micros)
    return True


def reject(
    connection: Connection, attempt_id: int, kind: FailureKind, message: str, now: datetime
) -> bool:
    """Release the hold of an attempt that was refused for good, and fail its job."""
    row = settle_attempt(
        connection, attempt_id, "reject", AttemptState.REJECTED, error=message, ended_at=now
    )
    if row is None:
        return False
    failed = failure(kind, message, now)
    move_job(connection, row.job_id, "reject", JobState.FAILED, **failed, **ASKED)
    move_money(connection, row, held=-row.hold_micros)
    return True


def put_back(connection: Connection, attempt_id: int) -> bool:
    """Queue a job again whose refusal turned out not to be its own fault; it counts as no attempt.

    It goes behind the others, so that the next run begins with rows that were not tried yet.
    A single video (a row of no manifest) stays failed: its person saw that at once, and may have
    ordered it again. Return False when it stays failed, or failed for another attempt.
    """
    row = attempt_row(connection, attempt_id)
    if row is None or not (
        row.current_attempt == attempt_id
        and row.state == AttemptState.REJECTED
        and row.job_state == JobState.FAILED
        and row.source is not None
    ):
        return False
    put = {"error_kind": None, "error": None, "completed_at": None, "due_at": BEHIND}
    return move_job(connection, row.job_id, "put_back", JobState.QUEUED, {"attempts": -1}, **put)


def any_taken(connection: Connection, attempt_ids: Sequence[int]) -> bool:
    """Check whether any of some attempts turned out to have been taken by the provider."""
    taken = select(ATTEMPT.c.id).where(
        ATTEMPT.c.id.in_(attempt_ids), ATTEMPT.c.generation_id.is_not(None)
    )
    return connection.execute(taken.limit(1)).first() is not None


def doubt(
    connection: Connection,
    attempt_id: int,
    reason: str,
    now: datetime,
    boot: str | None = None,
    *,
    cut_off: bool = False,
) -> bool:
    """Put an attempt in doubt: it keeps its hold, and its job waits until the doubt is settled.

    Args:
        now: the last moment at which the request could still have been under way; the grace
            counts from here.
        boot: that moment by :meth:`jobs.model.clock.Clock.boot`.
        cut_off: we ended before the provider usually answers.
    """
    went = {"error": reason, "doubt_since": now, "doubt_clock": boot, "cut_off": cut_off}
    row = settle_attempt(connection, attempt_id, "doubt", AttemptState.IN_DOUBT, **went)
    if row is None:
        return False
    # no money moves: it may have been made, so its hold stays until one or the other is shown;
    # released, it would buy another video (mutant blind_retry_on_502 in
    # tests/simulation/mutants.py)
    move_job(connection, row.job_id, "doubt", JobState.IN_DOUBT)
    return True


def void(
    connection: Connection,
    attempt_id: int,
    reason: str,
    now: datetime,
    most: int | None = None,
    *,
    on_word: bool = False,
) -> bool:
    """Settle a doubt as never created: release the hold, queue the job again.

    Args:
        most: after so many voids the job fails instead: a request that never gets an answer is not
            sent for ever.
        on_word: a person said so without proof: it may have been made, and be refunded later.
    """
    settled = {"error": reason, "ended_at": now, "candidates": None, "unproven": None}
    row = settle_attempt(
        connection, attempt_id, "void", AttemptState.VOID, **settled, void_on_word=on_word
    )
    if row is None:
        return False
    move_money(connection, row, held=-row.hold_micros)
    # counted once the attempt is a void, so that this one is among them
    count = voids.count(connection, row.job_id)
    if most is None or count < most:
        due_at = voids.due_after(connection, row.job_id, attempt_id, now)
        move_job(connection, row.job_id, "void", JobState.QUEUED, due_at=due_at)
    else:
        words = f"{count} submissions got no answer, and nothing was made of them: no cost"
        failed = failure(FailureKind.SYSTEM, words, now)
        move_job(connection, row.job_id, "exhaust", JobState.FAILED, **failed, **ASKED)
    # in this transaction: the next claim may send the row, and must know by then which row has
    # the key (test_two_rows_never_send_one_key)
    voids.follow(connection)
    return True


_LAST_SIGN = Prepared(
    select(func.max(ATTEMPT.c.intent_at), func.max(ATTEMPT.c.accepted_at)).where(
        ATTEMPT.c.id > select(func.max(ATTEMPT.c.id) - NEWEST).scalar_subquery()
    )
)
_LEFT_OPEN = Prepared(
    select(ATTEMPT.c.id, ATTEMPT.c.intent_at, ATTEMPT.c.send_before).where(
        LIVE,  # the partial index's own predicate, so that it is used
        ATTEMPT.c.state == AttemptState.OPEN,
    )
)


def doubt_all_open(
    connection: Connection, now: datetime, boot: str | None = None, *, living: bool = False
) -> int:
    """Put every attempt in doubt that an ended runner left open; return how many there were.

    Only a runner that holds the lock may call this: an open attempt of a living runner is no crash.
    If the answer was overdue already when the runner ended, it was the provider that hung. A living
    one ends now; else its last purchases show when it ended.
    """
    left = _LEFT_OPEN.all(connection)
    signs = _LAST_SIGN.one(connection) if left else ()
    ended = max((sign for sign in (*signs, now if living else None) if sign), default=now)
    for number, intent_at, send_before in left:
        doubt(
            connection,
            number,
            "the runner ended while the submission was under way",
            # the request may have left until then: a grace that began sooner would take a video
            # that was just made for never made, and buy it again (mutant void_before_the_grace)
            max(now, send_before),
            boot,
            cut_off=ended - intent_at <= ANSWERED_WITHIN,
        )
    return len(left)
