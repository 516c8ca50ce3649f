"""What a run would do before its first purchase: done in a copy of the database, and undone."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from ..database.tables import JOB
from ..evidence.matching import Clocks
from ..model.states import ASKED_BY_NAME, JobState
from ..ports.control import Paid
from ..reconciliation.adoption import NOTHING_SHOWN, comparison
from ..store import Store, past, views
from ..store.adoption_store import hold_compared
from ..store.control_store import ask_for
from ..store.load_store import rows_sought


@dataclass(frozen=True, slots=True)
class Purse:
    """What may be spent, in micros: of a batch (None: anything), of campaigns; and prices."""

    room: int | None
    campaigns: Mapping[str, int]
    prices: Mapping[str, int]


UNLIMITED: Final = Purse(None, {}, {})


@dataclass(frozen=True, slots=True)
class Fits:
    """How many jobs a purse has room for, what they cost in micros, and the first one left out."""

    jobs: int
    cost: int
    stops_at: tuple[int, str] | None  # row and key


@dataclass(slots=True)
class Rehearsed:
    """What a run would find.

    Attributes:
        fits: what there is room for; None: a price is unknown.
        open: what it would buy, by price kind; ``campaigns``: the same by campaign.
        done: how many jobs are paid for.
        waiting: jobs that it would neither buy nor has bought, by reason: a
            :class:`jobs.model.states.HeldBack`, ``cancelled``, ``failed``, ``unconfirmed``,
            ``paused``.
        paid_before: paid videos that rows ask for.
    """

    open: Counter[str] = field(default_factory=Counter)
    campaigns: dict[str, Counter[str]] = field(default_factory=dict)
    done: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    paid_before: list[Paid] = field(default_factory=list)
    fits: Fits | None = None


def rehearse(
    scratch: Store,
    batch_id: int,
    pick: Callable[[Sequence[int]], Collection[int]] | None,
    now: datetime,
    purse: Purse = UNLIMITED,
    *,
    paused: bool,
) -> Rehearsed:
    """Do what a run does before its first purchase, count what it would buy, and take it back.

    The account's list counts as empty; ``scratch`` is a copy of the database, with the manifest
    loaded; ``pick`` chooses the rows of a trial run, None: all.
    """

    def work(connection: Connection) -> Rehearsed:
        seen = Rehearsed()
        if not paused:  # a run of a paused batch ends before it asks for anything
            sought = rows_sought(connection, [batch_id], named=True, pick=pick)
            seen.paid_before = [one.paid for one in past.hold(connection, sought)]
            hold_compared(connection, comparison(sought, NOTHING_SHOWN, Clocks(now)))
            ask_for(connection, sought, now, again=False)
        _count(connection, batch_id, seen, paused=paused)
        seen.fits = _fits(connection, batch_id, purse)
        return seen

    return scratch.rehearse(work)


def _count(connection: Connection, batch_id: int, seen: Rehearsed, *, paused: bool) -> None:
    for state, held_back, kind, campaign, jobs in views.wanted_counts(connection, batch_id):
        reason = _why_it_waits(state, held_back, paused=paused)
        if reason is not None:
            seen.waiting[reason] += jobs
        elif state != JobState.QUEUED:
            seen.done += jobs
        else:
            seen.open[kind] += jobs
            if campaign is not None:
                seen.campaigns.setdefault(campaign, Counter())[kind] += jobs


_IN_ORDER: Final = (JOB.c.retries, JOB.c.priority.desc(), JOB.c.id)  # as jobs.store.queues


def _fits(connection: Connection, batch_id: int, purse: Purse) -> Fits | None:
    """Buy in the order of a run until nothing more fits, if nothing fails."""
    columns = (JOB.c.row, JOB.c.key, JOB.c.kind, JOB.c.campaign)
    wanted = select(*columns).where(*views.to_buy(batch_id, ())).order_by(*_IN_ORDER)
    room, campaigns = purse.room, dict(purse.campaigns)
    jobs, cost, stops_at = 0, 0, None
    for row, key, kind, campaign in connection.execute(wanted):
        price = purse.prices.get(kind)
        if price is None:
            return None
        rooms = (room, None if campaign is None else campaigns.get(campaign))
        if any(one is not None and one < price for one in rooms):
            stops_at = stops_at or (row, key)
            continue
        jobs, cost = jobs + 1, cost + price
        room = None if room is None else room - price
        if campaign in campaigns:
            campaigns[campaign] -= price
    return Fits(jobs, cost, stops_at)


_WAITS: Final = {
    JobState.CANCELLED: "cancelled",
    JobState.FAILED: "failed",
    JobState.IN_DOUBT: "unconfirmed",
}


def _why_it_waits(state: str, held_back: str | None, *, paused: bool) -> str | None:
    if state != JobState.QUEUED:
        return _WAITS.get(JobState(state))
    if paused and (held_back is None or held_back in ASKED_BY_NAME):
        return "paused"  # a run of it asks for nothing
    return held_back
