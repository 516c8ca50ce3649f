"""Holding queued rows back, so that no runner buys them before a person decides (money.md)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from ..database.columns import sql_list
from ..database.tables import BUYABLE, HELD_BACK, JOB, NAMED, QUEUED
from ..evidence.matching import Match, WantedRow
from ..model.states import ASKED_BY_NAME, FOUND, HeldBack, JobState
from ..ports.selection import Sought
from .prepared import Prepared, as_list, driver, one_of, values_in
from .rows import ASKED


def where(sought: Sought) -> tuple[ColumnElement[bool], ...]:
    """Return in SQL which rows are sought."""
    of_kinds = (JOB.c.kind.startswith(sought.kinds, autoescape=True),) if sought.kinds else ()
    if sought.jobs is not None:
        return JOB.c.state == JobState.QUEUED, JOB.c.id.in_(values_in(sought.jobs)), *of_kinds
    picked = [or_(JOB.c.batch_id != batch, in_pick(rows)) for batch, rows in sought.rows.items()]
    asked = or_(
        JOB.c.held_back.is_(None),
        and_(JOB.c.held_back.in_(FOUND), JOB.c.held_beneath.is_(None)),
    )
    return (
        JOB.c.state == JobState.QUEUED,
        JOB.c.batch_id.in_(sought.batch_ids),
        *picked,
        *(() if sought.named else (asked,)),
        *of_kinds,
    )


def unchanged(sought: Sought) -> tuple[ColumnElement[bool], ...]:
    """Return in SQL, for the connection that writes, which rows still ask for what was sought."""
    return (*where(sought), *((_AS_NOTED,) if sought.noted else ()))


_NOTED: Final = Table(
    "sought",
    MetaData(schema="temp"),
    Column("job_id", Integer, primary_key=True),
    Column("fingerprint", Text),
)
_AS_NOTED: Final = (
    select(_NOTED.c.job_id)
    .where(_NOTED.c.job_id == JOB.c.id, _NOTED.c.fingerprint == JOB.c.fingerprint)
    .exists()
)


def note(connection: Connection, sought: Sought) -> Sought:
    """Note which rows are sought now, and what they ask for, in a temporary table.

    Between a look and the purchase, a person may be asked: a row that is loaded or edited in
    between was not looked for, and nobody was asked about it. One note at a time.
    """
    database = driver(connection)
    database.execute("DROP TABLE IF EXISTS temp.sought")
    database.execute("CREATE TEMP TABLE sought (job_id INTEGER PRIMARY KEY, fingerprint TEXT)")
    rows = select(JOB.c.id, JOB.c.fingerprint).where(*where(sought))
    connection.execute(insert(_NOTED).from_select(["job_id", "fingerprint"], rows))
    return replace(sought, noted=True)


def in_pick(rows: Collection[int]) -> ColumnElement[bool]:
    """Select the jobs in a pick of rows; those asked for by name are in every pick."""
    return or_(JOB.c.row.in_(values_in(rows)), NAMED)


_UNCOVERED: Final = {"held_back": JOB.c.held_beneath, "held_back_by": None, "held_beneath": None}
"""Column values when a finding is cleared: whether the row was asked for is as before."""

_IS_ASKED_BY_NAME = text(f"held_back IN {sql_list(ASKED_BY_NAME)}")
_IS_FOUND = text(f"held_back IN {sql_list(FOUND)}")
# QUEUED: a runner may have claimed the row since it was looked at, and a sent row is not held
# back. A finding overrides a hand-over (handed), or the running runner would buy the row
# anyway: see test_what_was_found_about_a_row_goes_over_its_hand_over
_HOLD = (
    update(JOB)
    .where(QUEUED, JOB.c.id == bindparam("job"))
    .values(held_back=bindparam("reason"), held_back_by=bindparam("by"), handed=False)
)
_COVERING = _HOLD.values(held_beneath=case((_IS_FOUND, JOB.c.held_beneath), else_=JOB.c.held_back))
_HOLD_UNASKED = Prepared(_HOLD.values(held_beneath=None))
_HOLD_FOUND = Prepared(_COVERING)
_HOLD_MATCHED = Prepared(_COVERING.where(JOB.c.fingerprint == bindparam("fingerprint")))
_BATCH = JOB.c.batch_id == bindparam("batch")
_IN_PICK = or_(JOB.c.row.in_(one_of("rows")), NAMED)
_LEAVE_OUT = Prepared(
    update(JOB).where(BUYABLE, _BATCH, ~_IN_PICK).values(held_back=HeldBack.LEFT_OUT, handed=False)
)
_LEAVE_OUT_UNLOOKED = Prepared(  # they are looked for when they are asked for
    update(JOB)
    .where(HELD_BACK, _BATCH, JOB.c.held_back == HeldBack.NOT_LOOKED, ~_IN_PICK)
    .values(held_back=HeldBack.LEFT_OUT, held_beneath=None)
)
_LEAVE_OUT_FOUND = Prepared(
    update(JOB)
    .where(HELD_BACK, _BATCH, _IS_FOUND, ~_IN_PICK)
    .values(held_beneath=HeldBack.LEFT_OUT)
)
_STILL_UNASKED = Prepared(
    update(JOB)
    .where(HELD_BACK, _BATCH, JOB.c.held_back == HeldBack.UNASKED)
    .values(held_back=HeldBack.LEFT_OUT, handed=False)
)
_NAMED = (HELD_BACK, QUEUED, JOB.c.id.in_(one_of("jobs")))
_ASK_FOR = Prepared(update(JOB).where(*_NAMED).values(**ASKED, named=True).returning(JOB.c.id))
_AT = bindparam("at", type_=JOB.c.overruled_at.type)
_OVERRULE = Prepared(update(JOB).where(*_NAMED, _IS_FOUND).values(overruled_at=_AT))
_ASK_BY_NAME = Prepared(update(JOB).where(*_NAMED, _IS_ASKED_BY_NAME).values(**ASKED))


def hold_back(connection: Connection, jobs: Mapping[int, str | None], reason: HeldBack) -> int:
    """Hold queued jobs back, even handed ones, each by its generation or job, or None."""
    # a finding covers whether the row was asked for: once it is cleared, a row that nobody asked
    # for must not be bought (test_what_was_found_does_not_ask_for_a_row)
    hold = _HOLD_FOUND if reason in FOUND else _HOLD_UNASKED
    return hold.run_each(
        connection, [{"job": number, "reason": reason, "by": by} for number, by in jobs.items()]
    )


def hold_matched(connection: Connection, matches: Iterable[Match]) -> int:
    """Hold rows back that have a generation in the account's list, if they still ask for it."""
    exists = {"reason": HeldBack.EXISTS}
    return _HOLD_MATCHED.run_each(
        connection,
        [
            {"job": one.job_id, "fingerprint": one.fingerprint, "by": one.generation.id, **exists}
            for one in matches
        ],
    )


def release(connection: Connection, sought: Sought, reasons: Iterable[HeldBack]) -> None:
    """Let sought rows be bought that were held back for some reasons."""
    # the covered reason first: the second statement moves it to the top, so a row whose reasons
    # are both overruled would still wait for the covered one
    overruled = list(reasons)
    held = update(JOB).where(HELD_BACK, *unchanged(sought))
    connection.execute(held.where(JOB.c.held_beneath.in_(overruled)).values(held_beneath=None))
    connection.execute(held.where(JOB.c.held_back.in_(overruled)).values(**_UNCOVERED))


def count(connection: Connection, sought: Sought, reason: HeldBack) -> int:
    """Count the rows that are held back for a reason, of those that are sought."""
    rows = select(func.count()).select_from(JOB).where(HELD_BACK, *where(sought))
    return connection.execute(rows.where(JOB.c.held_back == reason)).scalar_one()


def look_again(connection: Connection, sought: Sought, reason: HeldBack) -> None:
    """Let rows wait for another look that were held back for a reason: it may be gone."""
    connection.execute(
        _held(sought, reason).values(held_back=HeldBack.NOT_LOOKED, held_back_by=None)
    )


def _held(sought: Sought, reason: HeldBack) -> Update:
    return update(JOB).where(HELD_BACK, *unchanged(sought), JOB.c.held_back == reason)


def pick(connection: Connection, batch_id: int, rows: Collection[int]) -> None:
    """Leave out all rows of a batch except some of its manifest, for a trial.

    Rows that a person asked for by name are not left out. Picked rows stay held back for other
    reasons: call :func:`release` first.
    """
    picked = as_list(rows)
    for out in (_LEAVE_OUT, _LEAVE_OUT_UNLOOKED, _LEAVE_OUT_FOUND):
        out.run(connection, batch=batch_id, rows=picked)
    _STILL_UNASKED.run(connection, batch=batch_id)


def ask_for(
    connection: Connection, job_ids: Collection[int], now: datetime | None = None
) -> list[int]:
    """Let queued jobs be bought that were held back for any reason; return which these were.

    What was found about them by ``now`` is overruled for good; None: until the next look.
    """
    jobs = as_list(job_ids)
    if now is not None:
        _OVERRULE.run(connection, jobs=jobs, at=now)
    return _ASK_FOR.column(connection, jobs=jobs)


def overrule(
    connection: Connection, sought: Sought, now: datetime, reason: HeldBack | None = None
) -> None:
    """Keep that a person wants rows bought (or those held for a reason), whatever exists by now."""
    held = () if reason is None else (HELD_BACK, JOB.c.held_back == reason)
    connection.execute(update(JOB).where(*unchanged(sought), *held).values(overruled_at=now))


def ask_by_name(connection: Connection, job_ids: Collection[int]) -> int:
    """Ask for queued jobs that nobody had asked for; findings about others stay."""
    return _ASK_BY_NAME.run(connection, jobs=as_list(job_ids))


# everything that was compared must still be true: a row that was edited, or held back for a newer
# reason while a person was asked, is not what the person agreed to (test_own_past_beside_a_run.py)
_RELEASE_ONE = Prepared(
    update(JOB)
    .where(
        HELD_BACK,
        JOB.c.id == bindparam("job"),
        JOB.c.fingerprint == bindparam("fingerprint"),
        JOB.c.held_back == bindparam("reason"),
        JOB.c.held_back_by.is_not_distinct_from(bindparam("by", type_=Text)),
    )
    .values(**_UNCOVERED)
)


def release_rows(connection: Connection, rows: Iterable[WantedRow]) -> int:
    """Clear findings about rows that are still as they were compared; return how many."""
    compared = [
        {
            "job": row.job_id,
            "fingerprint": row.fingerprint,
            "reason": row.held_back,
            "by": row.held_back_by,
        }
        for row in rows
        if row.held_back is not None
    ]
    return _RELEASE_ONE.run_each(connection, compared)


def buy_unlooked(
    connection: Connection, sought: Sought, job_ids: Iterable[int], now: datetime
) -> None:
    """Let rows be bought that could not be looked for, those that a person was asked about."""
    asked = _held(sought, HeldBack.NOT_LOOKED).where(JOB.c.id.in_(values_in(job_ids)))
    connection.execute(asked.values(**_UNCOVERED, overruled_at=now))


_AWAITED = Prepared(
    select(func.count()).where(HELD_BACK, QUEUED, _BATCH, _IS_FOUND, JOB.c.held_beneath.is_(None))
)


def count_found(connection: Connection, batch_id: int) -> int:
    """Count the rows of a batch that were asked for, and wait because of what was found."""
    return int(_AWAITED.scalar(connection, batch=batch_id))
