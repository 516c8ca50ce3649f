"""What settling doubts reads and writes: suspects, clock offsets and candidates."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, null, or_, select, text, update

from ..database.tables import ATTEMPT, BATCH, JOB, PAID, PRICE, UNSETTLED, VOID
from ..evidence.sight import Bought
from ..evidence.suspects import ClockOffset
from ..evidence.witness import Acceptance
from ..model.clock import EARLIEST, LATEST, UNMEASURED
from ..model.provider import Generation
from ..model.states import AttemptState
from .attempt_states import UNSETTLED as UNSETTLED_ATTEMPT
from .prepared import Prepared, as_list, one_of, read
from .records.attempts import (
    AcceptedAttempt,
    BoughtAttempt,
    ServedDoubt,
    SuspectAttempt,
    TimedAttempt,
)

NEIGHBOURS = 100
"""How many attempts before and after one are used to measure the clocks at that time."""

NEWEST = 100
"""How many acceptances measure the clocks now: more than are bought while a clock is wrong."""

CHUNK = 500
_IN_DOUBT = (
    UNSETTLED_ATTEMPT,
    ATTEMPT.c.state == AttemptState.IN_DOUBT,
)
_SUSPECT = (
    ATTEMPT.c.id,
    ATTEMPT.c.state,
    ATTEMPT.c.prompt,
    ATTEMPT.c.request_key,
    ATTEMPT.c.intent_at,
    ATTEMPT.c.send_before,
    ATTEMPT.c.doubt_since,
    ATTEMPT.c.ended_at,
    ATTEMPT.c.candidates,
    ATTEMPT.c.unproven,
    # a price that rose later is not what this one cost
    select(func.min(PRICE.c.last_micros, ATTEMPT.c.hold_micros))
    .where(PRICE.c.kind == ATTEMPT.c.kind)
    .scalar_subquery()
    .label("price"),
)
_LATER = ATTEMPT.alias("later")
_REPLACED_AT = (
    select(func.min(_LATER.c.intent_at))
    .where(
        _LATER.c.job_id == ATTEMPT.c.job_id,
        _LATER.c.id > ATTEMPT.c.id,
        # a row may have been sent with another prompt before it took the void over
        _LATER.c.prompt_key.is_not_distinct_from(ATTEMPT.c.prompt_key),
        # what is known not to have been created replaced nothing
        text("later.state NOT IN ('rejected', 'void')"),
    )
    .scalar_subquery()
    .label("replaced_at")
)
_BY_ID = text("+attempt.id")
"""An order that SQLite sorts: it would read the whole table in it rather than a small index."""

_DOUBTS = Prepared(
    select(*_SUSPECT, null().label("replaced_at")).where(UNSETTLED).order_by(_BY_ID), SuspectAttempt
)
_VOIDS = Prepared(
    select(*_SUSPECT, _REPLACED_AT)
    .where(VOID, ATTEMPT.c.ended_at > bindparam("since", type_=ATTEMPT.c.ended_at.type))
    .order_by(_BY_ID),
    SuspectAttempt,
)
_WAITING = Prepared(
    select(ATTEMPT.c.id, or_(BATCH.c.active, JOB.c.handed).label("served"))
    .join(JOB, JOB.c.id == ATTEMPT.c.job_id)
    .join(BATCH, BATCH.c.id == JOB.c.batch_id)
    .where(*_IN_DOUBT),
    ServedDoubt,
)


def suspects(connection: Connection, watched_since: datetime) -> list[SuspectAttempt]:
    """List the attempts whose generation may be in the account under an id we do not know.

    Args:
        watched_since: voids that ended later are among them.
    """
    return [*_DOUBTS.all(connection), *_VOIDS.all(connection, since=watched_since)]


def waiting(connection: Connection) -> dict[int, bool]:
    """Map all attempts in doubt to whether their job is served."""
    return {row.id: row.served for row in _WAITING.all(connection)}


_NEIGHBOURS = Prepared(
    select(ATTEMPT.c.created_at, ATTEMPT.c.intent_at, ATTEMPT.c.accepted_at).where(
        ATTEMPT.c.id.between(bindparam("first"), bindparam("last")),
        ATTEMPT.c.created_at.between(EARLIEST, LATEST),  # kept before odd times were refused
        ATTEMPT.c.price_estimated.is_(False),
    ),
    TimedAttempt,
)


def clock_offset(connection: Connection, attempt_id: int) -> ClockOffset:
    """Measure the provider's clock against ours, around the time of an attempt.

    A generation whose acceptance was answered was created between its intent and that answer.
    Neighbours are found by number, so that a clock that was set does not matter.
    """
    first, last = attempt_id - NEIGHBOURS, attempt_id + NEIGHBOURS
    return _offset(_NEIGHBOURS.all(connection, first=first, last=last))


def _offset(rows: Sequence[TimedAttempt]) -> ClockOffset:
    if not rows:
        return ClockOffset()
    return ClockOffset(
        least=min(min(r.created_at - r.accepted_at, r.created_at - r.intent_at) for r in rows),
        most=max(max(r.created_at - r.accepted_at, r.created_at - r.intent_at) for r in rows),
        known=True,
        measured=True,
    )


_MEASURED = Prepared(
    select(ATTEMPT.c.created_at, ATTEMPT.c.intent_at, ATTEMPT.c.accepted_at)
    .where(
        ATTEMPT.c.created_at.between(EARLIEST, LATEST),
        ATTEMPT.c.price_estimated.is_(False),
        ATTEMPT.c.accepted_at.is_not(None),
        func.abs(func.julianday(ATTEMPT.c.created_at) - func.julianday(ATTEMPT.c.accepted_at))
        <= UNMEASURED / timedelta(days=1),
        # refused attempts show nothing, and there may be many
        ATTEMPT.c.id > select(func.max(_LATER.c.id)).scalar_subquery() - 10 * NEIGHBOURS,
    )
    .order_by(ATTEMPT.c.id.desc())
    .limit(NEWEST),
    TimedAttempt,
)


def newest_offset(connection: Connection) -> ClockOffset:
    """Measure the provider's times against our clock, by the few that we bought last.

    So a clock that was wrong for a while is soon forgotten; offsets larger than any time zone never
    count.
    """
    return _offset(_MEASURED.all(connection))


_ACCEPTANCE = (
    ATTEMPT.c.id,
    ATTEMPT.c.generation_id,
    ATTEMPT.c.prompt,
    ATTEMPT.c.idempotency_key,
    ATTEMPT.c.intent_at,
    ATTEMPT.c.accepted_at,
    ATTEMPT.c.created_at,
)


def _acceptance(row: AcceptedAttempt) -> Acceptance:
    return Acceptance(
        row.id,
        row.generation_id,
        row.prompt,
        bool(row.idempotency_key),
        row.intent_at,
        row.accepted_at or row.intent_at,
        row.created_at is not None,
    )


_KNOWN = Prepared(
    select(*_ACCEPTANCE).where(ATTEMPT.c.generation_id.in_(one_of("generations"))), AcceptedAttempt
)


def known(connection: Connection, generation_ids: Sequence[str]) -> dict[str, Acceptance]:
    """Find which generations are attempts of ours."""
    found: dict[str, Acceptance] = {}
    for start in range(0, len(generation_ids), CHUNK):
        chunk = as_list(generation_ids[start : start + CHUNK])
        rows = _KNOWN.all(connection, generations=chunk)
        found |= {row.generation_id: _acceptance(row) for row in rows}
    return found


_EXPECTED = Prepared(
    select(*_ACCEPTANCE).where(
        ATTEMPT.c.id >= bindparam("first"),
        ATTEMPT.c.generation_id.is_not(None),
        ATTEMPT.c.idempotency_key != "",  # what was taken over may be older than its attempt
        ATTEMPT.c.intent_at >= bindparam("since", type_=ATTEMPT.c.intent_at.type),
    ),
    AcceptedAttempt,
)


def expected(connection: Connection, oldest: int, since: datetime) -> list[Acceptance]:
    """List the generations of ours that a reading must show.

    Args:
        oldest: the first suspect's number: attempts more than :data:`NEIGHBOURS` before it are
            left out.
        since: what was sent before is left out.
    """
    rows = _EXPECTED.all(connection, first=oldest - NEIGHBOURS, since=since)
    return [_acceptance(row) for row in rows]


def must_show(
    connection: Connection, since: datetime, created: datetime, by: datetime, newest: int
) -> list[Bought]:
    """List the generations that we bought and that the account's whole list must show.

    Args:
        since: all that were accepted later, by our clock, are among them;
        created: all that were created later, by the provider's;
        by: but none that was accepted later, by our clock;
        newest: and the last so many of the others, however old they are.
    """
    accepted = func.coalesce(ATTEMPT.c.accepted_at, ATTEMPT.c.intent_at)
    bought = (
        select(ATTEMPT.c.id, ATTEMPT.c.generation_id, accepted.label("at"))
        .where(PAID, ATTEMPT.c.idempotency_key != "", accepted <= by)
        .order_by(ATTEMPT.c.id.desc())
    )
    recent = bought.where(or_(accepted > since, ATTEMPT.c.created_at > created))
    rows = {
        row.id: Bought(row.generation_id, row.at)
        for query in (bought.limit(newest), recent)
        for row in read(connection, query, BoughtAttempt)
    }
    return list(rows.values())


_DATE = Prepared(
    update(ATTEMPT)
    .where(ATTEMPT.c.id == bindparam("attempt"), ATTEMPT.c.created_at.is_(None))
    .values(created_at=bindparam("created"))
)


def note_created(connection: Connection, created: Mapping[int, datetime]) -> None:
    """Keep the provider's own time of attempts' generations."""
    _DATE.run_each(
        connection, [{"attempt": number, "created": at} for number, at in created.items()]
    )


def note_candidates(
    connection: Connection, attempt_id: int, candidates: Sequence[Generation]
) -> None:
    """Keep the generations that a doubt could be, for the person who resolves it."""
    shown = [
        {
            "generation_id": generation.id,
            "status": str(generation.phase),
            "created_at": None
            if generation.created_at is None
            else generation.created_at.isoformat().replace("+00:00", "Z"),
        }
        for generation in candidates
    ]
    connection.execute(
        update(ATTEMPT)
        .where(ATTEMPT.c.id == attempt_id, ATTEMPT.c.state == AttemptState.IN_DOUBT)
        .values(candidates=shown or None)
    )


def note_unproven(connection: Connection, why: Mapping[int, str]) -> None:
    """Keep why the list could not settle doubts that are past their grace, for people."""
    _UNPROVEN.run_each(
        connection, [{"attempt": number, "why": reason} for number, reason in why.items()]
    )


_UNPROVEN = Prepared(
    update(ATTEMPT)
    .where(
        ATTEMPT.c.id == bindparam("attempt"),
        ATTEMPT.c.state == AttemptState.IN_DOUBT,
    )
    .values(unproven=bindparam("why"))
)


def count(connection: Connection) -> int:
    """Count the attempts with an unknown generation, including those a dead run left open."""
    return connection.execute(
        select(func.count()).select_from(ATTEMPT).where(UNSETTLED)
    ).scalar_one()


def oldest_intent(connection: Connection) -> datetime | None:
    """Return when this database first bought something; None: never."""
    found = connection.execute(
        select(func.min(ATTEMPT.c.intent_at)).where(ATTEMPT.c.idempotency_key != "")
    ).scalar_one_or_none()
    return found if found is None or isinstance(found, datetime) else None
