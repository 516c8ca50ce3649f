"""Our ledger, the provider's generations and the change of the balance, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..evidence.account_list import read_back
from ..evidence.suspects import WIDE
from ..model.clock import Clock, Moment
from ..model.provider import FIRST_MODEL, Generation, Provider
from ..ports.account import BalanceRead
from ..ports.job_store import JobStore


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
    shown: Sequence[Generation] = ()
    whole = True
    if since is not None:
        reading = await read_back(provider, clock, FIRST_MODEL, since - WIDE)
        shown, whole = reading.generations, reading.covers(since - WIDE)
    ledger = store.doubts.ledger([generation.id for generation in shown])
    orphans = [
        generation
        for generation in shown
        if generation.id not in ledger.ours
        and since is not None
        and (generation.created_at is None or generation.created_at >= since - WIDE)
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
