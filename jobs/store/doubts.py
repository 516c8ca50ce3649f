"""What settling doubts reads and writes: suspects, clock offsets and candidates."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    func,
    null,
    or_,
    select,
    text,
    update,
)

from ..database.tables import ATTEMPT, BATCH, JOB, PAID, PRICE, UNSETTLED, VOID
from ..evidence.ours import Acceptance
from ..evidence.sight import Bought
from ..evidence.suspects import ClockOffset, SuspectAttempt
from ..model.clock import EARLIEST, LATEST, UNMEASURED
from ..model.families import family_of, kinds_of
from ..model.provider import Generation
from ..model.states import AttemptState, JobState
from ..ports.adoption import ListShown
from . import rows
from .prepared import Prepared, as_list, columns_from, one_of
from .records import TimedAttempt

NEIGHBOURS = 100
"""How many attempts before and after one are used to measure the clocks at that time."""

NEWEST = 100
"""How many acceptances measure the clocks now: more than are bought while a clock is wrong."""

CHUNK = 500
# a price that rose later is not what this one cost
_PRICE = select(func.min(PRICE.c.last_micros, ATTEMPT.c.hold_micros)).where(
    PRICE.c.kind == ATTEMPT.c.kind
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
)


def _suspect(replaced_at: ColumnElement[Any]) -> Select[Any]:
    return select(
        *columns_from(
            ATTEMPT,
            SuspectAttempt,
            request_key=func.coalesce(ATTEMPT.c.request_key, ""),
            # after a crash: the moment at which a later runner took the lock
            sent_until=func.coalesce(ATTEMPT.c.doubt_since, ATTEMPT.c.send_before),
            price=func.coalesce(_PRICE.scalar_subquery(), 0),
            replaced_at=replaced_at,
        )
    )


_BY_ID = text("+attempt.id")
"""An order that SQLite sorts: it would read the whole table in it rather than a small index."""

_DOUBTS = Prepared(_suspect(null()).where(UNSETTLED).order_by(_BY_ID), SuspectAttempt)
LAST_OF_JOB = Prepared(
    _suspect(null())
    .where(ATTEMPT.c.job_id == bindparam("job"))
    .order_by(ATTEMPT.c.id.desc())
    .limit(1),
    SuspectAttempt,
)
_VOIDS = Prepared(
    _suspect(_REPLACED_AT)
    .where(VOID, ATTEMPT.c.ended_at > bindparam("since", type_=ATTEMPT.c.ended_at.type))
    .order_by(_BY_ID),
    SuspectAttempt,
)
_WAITING = Prepared(
    select(ATTEMPT.c.id, or_(BATCH.c.active, JOB.c.handed))
    .join(JOB, JOB.c.id == ATTEMPT.c.job_id)
    .join(BATCH, BATCH.c.id == JOB.c.batch_id)
    .where(rows.UNSETTLED, ATTEMPT.c.state == AttemptState.IN_DOUBT)
)


def suspects(connection: Connection, watched_since: datetime) -> list[SuspectAttempt]:
    """List the suspects; voids that ended later than a time are among them."""
    return [*_DOUBTS.all(connection), *_VOIDS.all(connection, since=watched_since)]


def waiting(connection: Connection) -> dict[int, bool]:
    """Map all attempts in doubt to whether their job is served."""
    return dict(_WAITING.all(connection))


_TIMES = select(*columns_from(ATTEMPT, TimedAttempt))
_NEIGHBOURS = Prepared(
    _TIMES.where(
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
    _TIMES.where(
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


_BOUGHT = ATTEMPT.c.idempotency_key != ""
"""What was taken over may be older than its attempt."""

_ACCEPTED_AT = func.coalesce(ATTEMPT.c.accepted_at, ATTEMPT.c.intent_at)
_ACCEPTANCE = select(
    *columns_from(
        ATTEMPT,
        Acceptance,
        attempt_id=ATTEMPT.c.id,
        bought=_BOUGHT,
        accepted_at=_ACCEPTED_AT,
        dated=ATTEMPT.c.created_at.is_not(None),
        answered=and_(_BOUGHT, ATTEMPT.c.doubt_since.is_(None)),
    )
)
_KNOWN = Prepared(_ACCEPTANCE.where(ATTEMPT.c.generation_id.in_(one_of("generations"))), Acceptance)


def known(connection: Connection, generation_ids: Sequence[str]) -> dict[str, Acceptance]:
    """Find which generations are attempts of ours."""
    found: dict[str, Acceptance] = {}
    for start in range(0, len(generation_ids), CHUNK):
        chunk = as_list(generation_ids[start : start + CHUNK])
        found |= {one.generation_id: one for one in _KNOWN.all(connection, generations=chunk)}
    return found


_EXPECTED = Prepared(
    _ACCEPTANCE.where(
        ATTEMPT.c.id >= bindparam("first"),
        ATTEMPT.c.generation_id.is_not(None),
        _BOUGHT,
        ATTEMPT.c.intent_at >= bindparam("since", type_=ATTEMPT.c.intent_at.type),
    ),
    Acceptance,
)


def expected(connection: Connection, family: str, oldest: int, since: datetime) -> list[Acceptance]:
    """List the generations of ours that a reading of a family's list must show.

    What was sent before ``since`` is left out, and what is more than :data:`NEIGHBOURS` before the
    oldest suspect.
    """
    found = _EXPECTED.all(connection, first=oldest - NEIGHBOURS, since=since)
    return [one for one in found if family_of(one.generation_id) == family]


_UNDER_WAY = Prepared(select(ATTEMPT.c.kind).where(rows.ACCEPTED).distinct())


def kinds_under_way(connection: Connection) -> list[str]:
    """List the kinds of which a paid generation has not ended."""
    return _UNDER_WAY.column(connection)


def kinds_queued(connection: Connection) -> list[str]:
    """List the kinds of which something is queued in the batches that are served."""
    served = select(BATCH.c.id).where(BATCH.c.active)
    queued = select(JOB.c.kind).where(
        JOB.c.batch_id.in_(served), JOB.c.state == bindparam("state", JobState.QUEUED)
    )
    return list(connection.execute(queued.distinct()).scalars())


def kinds_bought(connection: Connection) -> list[str]:
    """List the kinds of all attempts."""
    return list(connection.execute(select(ATTEMPT.c.kind).distinct()).scalars())


def must_show(connection: Connection, shown: ListShown) -> list[Bought]:
    """List the generations that we bought and that a family's whole list must show."""
    bought = (
        select(ATTEMPT.c.id, ATTEMPT.c.generation_id, _ACCEPTED_AT)
        .where(
            PAID,
            _BOUGHT,
            shown.due_by >= _ACCEPTED_AT,
            ATTEMPT.c.kind.startswith(
                kinds_of(shown.family.provider, shown.family.name), autoescape=True
            ),
        )
        .order_by(ATTEMPT.c.id.desc())
    )
    recent = bought.where(
        or_(shown.accepted_since < _ACCEPTED_AT, ATTEMPT.c.created_at > shown.created_since)
    )
    found = {
        number: Bought(*generation)
        for query in (bought.limit(shown.newest), recent)
        for number, *generation in connection.execute(query)
    }
    return list(found.values())


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
    .where(ATTEMPT.c.id == bindparam("attempt"), ATTEMPT.c.state == AttemptState.IN_DOUBT)
    .values(unproven=bindparam("why"))
)


def count(connection: Connection) -> int:
    """Count the attempts with an unknown generation, including those a dead run left open."""
    return connection.execute(
        select(func.count()).select_from(ATTEMPT).where(UNSETTLED)
    ).scalar_one()


def oldest_intent(connection: Connection) -> datetime | None:
    """Return when this database first bought something; None: never."""
    oldest = select(func.min(ATTEMPT.c.intent_at)).where(_BOUGHT)
    found: datetime | None = connection.execute(oldest).scalar_one()
    return found
