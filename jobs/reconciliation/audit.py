"""Our ledger, the provider's generations and the change of the balance, side by side."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..evidence.account_list import Reading, read_back
from ..evidence.suspects import WIDE
from ..model.clock import Clock, Moment
from ..model.provider import Generation, Provider, ProviderError
from ..ports.account import BalanceRead
from ..ports.job_store import JobStore
from .account_lists import families_of, order_of


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found; amounts in micros."""

    since: datetime | None  # when this database first bought something; None: never
    charged: int  # what our ledger has charged; charged_since: since the first reading
    held: int  # what it holds for submissions with an unknown outcome
    known: int
    orphans: Sequence[Generation]  # generations since then that are not ours, newest first
    whole: bool
    balance: int
    fell_by: int | None  # the balance, since the first reading; None: there was none
    charged_since: int

    @property
    def difference(self) -> int | None:
        """Return how much more the balance fell than our ledger charged; less than 0: refunds."""
        return None if self.fell_by is None else self.fell_by - self.charged_since


async def audit(store: JobStore, provider: Provider, clock: Clock) -> Audit:
    """Compare what we know with what the provider shows, or raise ProviderError."""
    mark = store.account.charged()
    began = Moment(clock.now(), clock.boot())
    balance = await provider.balance()
    read = BalanceRead(balance, mark, clock.now(), provider.clock_ahead, began)
    await store.account.record_balance(read)
    since = store.doubts.first_intent()
    readings = [] if since is None else await _lists(store, provider, clock, since - WIDE)
    whole = all(one.covers(since - WIDE) for one in readings) if since is not None else True
    ledger = store.doubts.ledger([seen.id for one in readings for seen in one.generations])
    orphans = [
        seen
        for one in readings
        for seen in _since(one, ledger.ours, since)
        if seen.id not in ledger.ours
    ]
    first = ledger.first_balance
    return Audit(
        since=since,
        charged=ledger.charged,
        held=ledger.held,
        known=len(ledger.ours),
        orphans=orphans,
        whole=whole,
        balance=balance,
        fell_by=None if first is None else first - balance,
        charged_since=ledger.charged - ledger.first_charged,
    )


async def _lists(
    store: JobStore, provider: Provider, clock: Clock, since: datetime
) -> list[Reading]:
    """Read the lists of all families, but of those that can't be read and never sold us anything.

    Raises:
        ProviderError: a list can't be read.
    """
    bought = families_of(store.doubts.kinds_bought())
    readings = []
    for name, family in provider.families.items():
        if not family.has_list:
            continue
        try:
            order = order_of(store, family, {})
            readings.append(await read_back(provider, clock, name, since, order))
        except ProviderError:
            if name in bought:
                raise
    return readings


def _since(reading: Reading, ours: Container[str], since: datetime | None) -> Sequence[Generation]:
    """Return what of a list was made since a time; without times, what is above our oldest."""
    places = [place for place, one in enumerate(reading.generations) if one.id in ours]
    oldest = max(places, default=0)
    return [
        one
        for place, one in enumerate(reading.generations)
        if since is not None
        and (place < oldest if one.created is None else one.created.until >= since - WIDE)
    ]
