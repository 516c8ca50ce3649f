"""Quiet readings of the balance, and what may have changed it since (:mod:`jobs.evidence.books`).

What happened since a reading is found by attempt numbers. A day has passed only if both clocks say
so, ours and the provider's (the ``Date`` of its answers): either may be wrong or be set.
"""

from collections.abc import Container, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, and_, bindparam, func, or_, select, text, update

from ..database.tables import ACCOUNT, ATTEMPT, PRICE
from ..evidence.books import (
    GIVEN_UP_WITHIN,
    REFUNDED_WITHIN,
    ROUNDING,
    SHOWN_WITHIN,
    Agreement,
    BalanceReading,
    Books,
)
from ..evidence.suspects import AHEAD
from ..model.clock import EARLIEST, LATEST, Moment
from ..model.states import AttemptState
from .prepared import Prepared, columns_from
from .records import (
    AccountRow,
    EstimatedAttempt,
    PendingCharge,
    QuietReading,
    UnsettledAttempt,
    VoidOnWord,
)
from .rows import ACCEPTED, VOID, change
from .shown import ACCOUNT_ROW, has_hidden, unsettled

NEWEST: Final = 1000
"""Attempts among which one that was accepted just now is looked for."""

FOLLOWING: Final = 100
"""Attempts after one whose provider times show its least age."""

OTHERS: Final = "somebody else's videos may be refunded"
OVERDUE: Final = "a video that has not ended may be refunded"
FAILED: Final = "a video that failed may be refunded"
UNSTEADY: Final = (
    "the balance moved without explanation, or a video failed that may be refunded, and by the "
    "provider's clock, or by this machine's, that is not a day ago"
)
UNTOLD: Final = "a video whose price no answer told may not have been charged"
EXCEEDED: Final = "at one time it had fallen by more than the known purchases"
FORGONE: Final = "a video given up, or called never made, in the last 30 days may be refunded"
"""What may hide a charge in the balance, for people."""

_NEWEST = Prepared(select(func.coalesce(func.max(ATTEMPT.c.id), 0)))
_TIME = ATTEMPT.c.accepted_at.type
_ESTIMATED = Prepared(
    select(*columns_from(ATTEMPT, EstimatedAttempt, last_micros=PRICE.c.last_micros))
    .outerjoin(PRICE, PRICE.c.kind == ATTEMPT.c.kind)
    .where(
        text("attempt.price_estimated"),
        ATTEMPT.c.id + text("0") > bindparam("last"),  # the same
        ATTEMPT.c.idempotency_key != "",  # what was taken over was charged to somebody before
    ),
    EstimatedAttempt,
)
_BOUGHT_SINCE = Prepared(
    select(ATTEMPT.c.id)
    .where(
        ATTEMPT.c.id > select(func.max(ATTEMPT.c.id) - NEWEST).scalar_subquery(),
        ATTEMPT.c.accepted_at >= bindparam("lately", type_=_TIME),
    )
    .limit(1)
)
_SINCE = select(ATTEMPT.c.id).where(ATTEMPT.c.id > bindparam("last")).limit(1)
# one that was not sent, or has to wait (429), has no end
_WAS_REFUSED = and_(ATTEMPT.c.state == AttemptState.REJECTED, ATTEMPT.c.ended_at.is_not(None))
_ON_WORD = and_(ATTEMPT.c.state == AttemptState.VOID, ATTEMPT.c.void_on_word)
_NOT_MADE = Prepared(_SINCE.where(or_(_ON_WORD, _WAS_REFUSED)))
_REFUSED = Prepared(_SINCE.where(_WAS_REFUSED))
_FAILED = Prepared(select(func.count(ATTEMPT.c.id)).where(text("attempt.state = 'failed'")))
_TURNED_UP = Prepared(
    select(func.count(ATTEMPT.c.id)).where(
        text("attempt.price_estimated"),
        ATTEMPT.c.id + text("0") <= bindparam("last"),  # by their index: few are estimated
        ATTEMPT.c.idempotency_key != "",
    )
)
_OTHER = ATTEMPT.alias("other")
_RECENT = or_(
    ATTEMPT.c.intent_at > bindparam("ours", type_=_TIME),
    ~(
        select(_OTHER.c.id)
        .where(
            _OTHER.c.id.between(ATTEMPT.c.id, ATTEMPT.c.id + FOLLOWING),
            _OTHER.c.created_at.between(EARLIEST, bindparam("since", type_=_TIME)),
            _OTHER.c.price_estimated.is_(False),  # else it may be older than its attempt
        )
        .exists()
    ),
)
_UNENDED = Prepared(
    select(
        *columns_from(
            ATTEMPT, PendingCharge, forgotten=and_(ATTEMPT.c.overdue_at.is_not(None), ~_RECENT)
        )
    ).where(ACCEPTED),
    PendingCharge,
)
_GIVEN_UP = Prepared(
    select(ATTEMPT.c.id).where(text("attempt.state = 'abandoned'"), _RECENT).limit(1)
)
_FORGONE = (
    _GIVEN_UP,
    Prepared(select(ATTEMPT.c.id).where(VOID, ATTEMPT.c.void_on_word, _RECENT).limit(1)),
)
_NEVER_MADE = Prepared(
    select(ATTEMPT.c.id)
    .where(
        VOID,  # by their index: few are
        ATTEMPT.c.id + text("0") > bindparam("last"),
        ATTEMPT.c.cut_off.is_(False),
    )
    .limit(1)
)
_WORDS = Prepared(
    select(*columns_from(ATTEMPT, VoidOnWord)).where(
        VOID,  # by their index: few are
        ATTEMPT.c.id + text("0") > bindparam("last"),
        ATTEMPT.c.void_on_word,
    ),
    VoidOnWord,
)


def keep(
    connection: Connection,
    reading: BalanceReading,
    began: Moment,
    now: datetime,
    theirs: datetime | None,
    grace: timedelta,
) -> None:
    """Keep a reading that was taken while nothing was under way or in doubt (a quiet reading).

    It is not kept if it may not show the latest purchase yet, or if it began so soon after a person
    called an attempt never made that this may still be made, and charged later. Unexplained
    changes, and failures since the last quiet reading, count for a day, as charges may be refunded.

    Args:
        theirs: the time by the provider's clock; None: unknown.
        grace: how long a lost submission may still be made, and its charge be late.
    """
    account = ACCOUNT_ROW.one(connection)
    before = account.quiet
    balance, mark = reading.balance, reading.mark
    words = _WORDS.all(connection, last=account.quiet_attempt or 0)
    ages = {word.id: began.since(word.doubt_since, word.doubt_clock) for word in words}
    if any(age is not None and age < 2 * grace for age in ages.values()):
        return
    agreed = None if before is None else _agreement(connection, account, before, reading)
    if agreed is None and _BOUGHT_SINCE.first(connection, lately=now - SHOWN_WITHIN) is not None:
        return
    newest = int(_NEWEST.scalar(connection))
    unsteady = account.unsteady_at
    # a refused request may have been charged: unseen before the first reading, or just when an odd
    # change was reverted (then what a person called never made counts for 30 days: not confirmed
    # below)
    refused = _REFUSED.first(connection, last=account.quiet_attempt or 0) is not None
    unseen = before is None or _is_unsteady(account)
    odd = (refused and unseen) or (agreed is None and before is not None)
    ours = account.unsteady_ours
    if odd or _has_mishaps(connection, account):
        unsteady = ours = LATEST
    settled = agreed is not None and not odd
    if before is not None and settled and _is_plain(connection, account, before, now):
        for word in words:
            if ages[word.id] is not None and word.hold_micros > 2 * ROUNDING:
                change(connection, ATTEMPT, word.id, void_on_word=False)
    agreed = agreed or Agreement()
    connection.execute(
        update(ACCOUNT).values(
            quiet_balance_micros=balance,
            quiet_charged_micros=mark,
            quiet_at=now,
            quiet_theirs=theirs,
            quiet_attempt=newest,
            quiet_mishaps=_mishaps(connection, newest),
            agreed_micros=agreed.charged,
            drift_micros=agreed.drift,
            # at the latest: when it was seen, or the first known time after that
            unsteady_at=unsteady and min(unsteady, theirs or LATEST),
            unsteady_ours=ours and min(ours, now),
            exceeded=False,
            cut_off_micros=0,
        )
    )


def books_since(
    connection: Connection,
    reading: BalanceReading,
    now: datetime,
    *,
    done: Container[str],
    strangers: int,
    polled: bool,
) -> Books | None:
    """Compare a reading of the balance with the last quiet one; None: there is none of use.

    Args:
        done: generations that the list, read after the balance, shows as completed.
        strangers: how many generations of others are known, which may be refunded.
        polled: whether unfinished generations are polled at the same time.
    """
    account = ACCOUNT_ROW.one(connection)
    quiet = account.quiet
    if quiet is None or quiet.at > now + AHEAD:
        return None
    shown = max(reading.shown or 0, quiet.charged)
    times = _forgotten_since(quiet)
    unended = [
        row
        for row in _UNENDED.all(connection, **times)
        if row.generation_id not in done and not row.forgotten
    ]
    unfinished = sum(row.overdue_at is None for row in unended) if polled else 0
    estimated = _ESTIMATED.all(connection, last=account.quiet_attempt)
    live = unsettled(connection)
    loose = {
        OTHERS: strangers,
        OVERDUE: len(unended) - unfinished,
        FAILED: _has_mishaps(connection, account),
        UNSTEADY: _is_unsteady(account),
        UNTOLD: len(_untold(connection, account, estimated, live.doubts)),
        EXCEEDED: has_hidden(account) + live.seen_charged,
        # no run polls these any more; their age is known by our clock, and by a later attempt with
        # an early provider time
        FORGONE: any(query.first(connection, **times) is not None for query in _FORGONE),
    }
    return Books(
        fell=quiet.balance - reading.balance,
        charged=reading.mark - quiet.charged - _unsure(estimated),
        loose=sum(loose.values()),
        why_loose="; ".join(why for why, number in loose.items() if number),
        passing=unfinished + (reading.mark > shown),
        under_way=live.under_way,
        agreed=Agreement(account.agreed_micros, account.drift_micros),
    )


def _agreement(
    connection: Connection, account: AccountRow, before: QuietReading, reading: BalanceReading
) -> Agreement | None:
    """Return how far the balance has agreed, including this reading; None if this one does not.

    A refused attempt, or one that a person called never made, may have been charged and hide a
    discount: then the count begins again.
    """
    last = account.quiet_attempt
    if _unsure(_ESTIMATED.all(connection, last=last)):
        return None
    fell, charged = before.balance - reading.balance, reading.mark - before.charged
    agreed = Agreement(account.agreed_micros, account.drift_micros).after(fell, charged)
    if agreed is not None and _NOT_MADE.first(connection, last=last) is not None:
        return Agreement()
    return agreed


def _mishaps(connection: Connection, last: int) -> int:
    """Count what may be refunded, or was charged before: failures, and voids that turned up.

    It never decreases. Up to a quiet reading nothing was in doubt, so an earlier attempt whose
    price became estimated since is a void that turned up.
    """
    return int(_FAILED.scalar(connection)) + int(_TURNED_UP.scalar(connection, last=last))


def _has_mishaps(connection: Connection, account: AccountRow) -> bool:
    """Check whether there were any since the last quiet reading."""
    return _mishaps(connection, account.quiet_attempt or 0) != (account.quiet_mishaps or 0)


def _is_plain(
    connection: Connection, account: AccountRow, quiet: QuietReading, now: datetime
) -> bool:
    """Check that nothing can have hidden a charge between two quiet readings.

    Then an agreeing reading shows that what a person called never made was not charged.
    """
    estimated = _ESTIMATED.all(connection, last=account.quiet_attempt)
    reasons = (
        has_hidden(account),
        _is_unsteady(account),
        _has_mishaps(connection, account),
        _untold(connection, account, estimated, ()),
        _BOUGHT_SINCE.first(connection, lately=now - SHOWN_WITHIN),
        _UNENDED.all(connection, **_forgotten_since(quiet)),
        _GIVEN_UP.first(connection, **_forgotten_since(quiet)),
    )
    return not any(reasons)


def _is_unsteady(account: AccountRow) -> bool:
    """Check whether what changed the balance before the quiet reading may still continue."""
    if account.unsteady_at is None:
        return False
    theirs, ours, since = account.quiet_theirs, account.quiet_at, account.unsteady_ours
    if theirs is None or ours is None or since is None:
        return True
    return theirs - account.unsteady_at < REFUNDED_WITHIN or ours - since < REFUNDED_WITHIN


def _forgotten_since(quiet: QuietReading) -> dict[str, datetime]:
    """Return before which times unended attempts are no longer refunded."""
    return {
        "since": EARLIEST if quiet.theirs is None else quiet.theirs - GIVEN_UP_WITHIN,
        "ours": quiet.at - GIVEN_UP_WITHIN,
    }


def _untold(
    connection: Connection,
    account: AccountRow,
    estimated: Sequence[EstimatedAttempt],
    doubts: Sequence[UnsettledAttempt],
) -> list[EstimatedAttempt]:
    """List estimated attempts (found later, or without a price) that may not have been charged.

    An attempt cut off by our own end shows no fault of the provider, and counts as charged, unless
    the provider lost other answers since the quiet reading.
    """
    rest = [row for row in estimated if not row.seen_charged]
    ours = [row.cut_off for row in estimated] + [row.cut_off for row in doubts]
    lost = not all(ours) or (
        rest and _NEVER_MADE.first(connection, last=account.quiet_attempt or 0) is not None
    )
    return [row for row in rest if lost or not row.cut_off]


def _unsure(adopted: Sequence[EstimatedAttempt]) -> int:
    """Return by how much less, at most, estimated attempts may have been charged than booked.

    One may have cost what its kind cost when it was sent, or what it costs now, or an unknown
    amount.
    """
    most = sum(row.price_micros for row in adopted)
    least = sum(min(row.price_micros, row.hold_micros, row.last_micros or 0) for row in adopted)
    return most - least
