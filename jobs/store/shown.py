"""What readings of the balance show of submissions with an unknown outcome."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select, update

from ..database.tables import ACCOUNT, ATTEMPT, UNSETTLED
from ..evidence.books import ROUNDING
from ..model.states import AttemptState
from .prepared import Prepared, columns_from
from .records import AccountRow, UnsettledAttempt
from .rows import change

ACCOUNT_ROW = Prepared(select(*columns_from(ACCOUNT, AccountRow)), AccountRow)
_UNSETTLED = Prepared(
    select(*columns_from(ATTEMPT, UnsettledAttempt)).where(UNSETTLED), UnsettledAttempt
)
_CUT_OFF = Prepared(
    select(ATTEMPT.c.id).where(
        ATTEMPT.c.id == bindparam("attempt"), ATTEMPT.c.cut_off, ATTEMPT.c.seen_charged.is_(False)
    )
)


@dataclass(frozen=True, slots=True)
class Unsettled:
    """The submissions with an unknown outcome, as one transaction sees them.

    Attributes:
        open: how many may be under way.
        under_way: what these may have cost already, in micros.
    """

    open: int
    under_way: int
    doubts: Sequence[UnsettledAttempt]

    @property
    def seen_charged(self) -> int:
        """Count the doubts whose charge the balance has shown."""
        return sum(doubt.seen_charged for doubt in self.doubts)


def unsettled(connection: Connection) -> Unsettled:
    """Read what is under way or in doubt."""
    rows = _UNSETTLED.all(connection)
    sent = [row for row in rows if row.state == AttemptState.OPEN]
    doubts = [row for row in rows if row.state == AttemptState.IN_DOUBT]
    return Unsettled(len(sent), sum(row.hold_micros for row in sent), doubts)


def watch(connection: Connection, balance: int, charged: int) -> Unsettled:
    """Note if the balance fell by more than everything known to be charged by then.

    Then something unknown was charged, and that stays noted, even if a later change hides it. If
    only one doubt can be the reason, and the difference is just its price, it was that doubt: then
    nothing else is noted.

    A submission cut off by our own end may explain what the first reading after it shows, until its
    generation is found (:func:`explain`), but nothing that a later reading shows.

    Args:
        balance: the reading, in micros.
        charged: in all, as of after the reading, in micros.
    """
    now = unsettled(connection)
    account = ACCOUNT_ROW.one(connection)
    quiet = account.quiet
    if quiet is not None and not account.exceeded:
        fell = quiet.balance - balance
        _heed(connection, account, fell, charged - quiet.charged, now)
    return now


def _heed(
    connection: Connection, account: AccountRow, fell: int, charged: int, now: Unsettled
) -> None:
    """Compare the fall of the balance since the quiet reading with what was charged since."""
    asked = account.cut_off_attempt or 0
    fresh = [doubt for doubt in now.doubts if doubt.cut_off and doubt.id > asked]
    unseen = [doubt for doubt in now.doubts if not doubt.seen_charged]
    known = charged + now.under_way + account.cut_off_micros
    known += sum(doubt.hold_micros for doubt in now.doubts if doubt.seen_charged)
    beside = fell - known
    alone = len(unseen) == 1 and not now.under_way and not account.cut_off_micros
    if alone and beside > ROUNDING and abs(beside - unseen[0].hold_micros) <= ROUNDING:
        change(connection, ATTEMPT, unseen[0].id, seen_charged=True)
        beside = 0
    if fresh:
        # if the provider lost an answer too, it is unknown which of them was charged
        most = sum(doubt.hold_micros for doubt in fresh) if all(d.cut_off for d in unseen) else 0
        more = min(max(beside, 0), most)
        beside -= more
        connection.execute(
            update(ACCOUNT).values(
                cut_off_micros=ACCOUNT.c.cut_off_micros + more,
                cut_off_attempt=max(doubt.id for doubt in fresh),
            )
        )
    if beside > ROUNDING:
        connection.execute(update(ACCOUNT).values(exceeded=True))


def explain(connection: Connection, attempt_id: int, charge: int) -> None:
    """Note that the balance showed the charge of a submission that our own end cut off."""
    if _CUT_OFF.first(connection, attempt=attempt_id) is None:
        return
    if ACCOUNT_ROW.one(connection).cut_off_micros >= charge - ROUNDING:
        change(connection, ATTEMPT, attempt_id, seen_charged=True)
    left = func.max(ACCOUNT.c.cut_off_micros - charge, 0)
    connection.execute(update(ACCOUNT).values(cut_off_micros=left))


def has_hidden(account: AccountRow) -> bool:
    """Check whether the balance fell since the quiet reading by more than is explained so far."""
    return account.exceeded or account.cut_off_micros > ROUNDING
