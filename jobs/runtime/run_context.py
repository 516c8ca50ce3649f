"""What the parts of one run share, put together once by the runner."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..evidence.elsewhere import Elsewhere, Strangers
from ..evidence.looked_for import LookedFor, Wish
from ..evidence.sight import samples
from ..model.clock import Clock
from ..model.families import family_of
from ..model.money import Micros, to_micros
from ..model.provider import Generation, Provider
from ..model.retry import RetryPolicy
from ..model.words import Words
from ..store import Store
from .pace import Durations
from .provider_health import ProviderHealth
from .troubles import TokenCheck

PRICE_CEILING = to_micros("1.00")
"""Held for the first generation of a kind without a known price, if no ceiling was set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPolicy:
    """Settings of one run."""

    max_in_flight: int  # most unsettled attempts
    rate: float  # submissions per second; 0: no limit
    poll_interval: float  # seconds between two looks at a generation that may soon be done
    generation_timeout: float  # seconds after which an unfinished one fails as overdue
    grace: float  # seconds for which a doubt is looked for before it counts as never made
    wait_for_funds: bool  # instead of ending without money
    retry: RetryPolicy
    words: Words
    doubts_most: int = 3  # of a family without a list, after which nothing more of it is bought
    send_patience: float = 10.0  # seconds after its intent in which a POST may still leave
    balance_interval: float = 60.0  # seconds between two readings of the balance while submitting
    unreachable_patience: float = 3600.0  # seconds without any answer until it ends, resumable
    price_ceiling: Micros = PRICE_CEILING  # held where no price is known
    not_awaited: frozenset[int] = frozenset()  # paused batches that its end does not wait for
    buys: bool = True  # False polls and settles what is there, and submits nothing
    callback_of: Callable[[int, str], str] | None = None
    """The address for the end of an attempt whose row names none, by its number and key."""
    looked_at: datetime | None = None  # when the list was searched before this run
    looked_for: Mapping[int, Wish] | None = None  # in that search; None: own rows need no look

    @property
    def send_within(self) -> timedelta:
        """Return the patience of an intent as a duration."""
        return timedelta(seconds=self.send_patience)


Checkpoint = Callable[[str], None]
"""Called with the name of a point where a crash must lose nothing; tests kill the process there."""


def nothing(name: str) -> None:
    """Do nothing at a checkpoint."""
    del name


@dataclass(frozen=True, slots=True)
class RunContext:
    """What scheduler, poller, reconciler and balance monitor share.

    Attributes:
        chance: randomness, for keys and jitter.
        checkpoint: called at named points; docs/development.md lists them.
        strangers: generations of others that may be refunded.
        run_id: a random name of the run in the database: another one there ends this run.
        looked_for: which rows may be bought without another look at the list.
    """

    store: Store
    provider: Provider
    clock: Clock
    policy: RunPolicy
    health: ProviderHealth
    chance: random.Random
    checkpoint: Checkpoint
    token: TokenCheck
    run_id: str
    durations: Durations = field(default_factory=Durations)
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    strangers: Strangers = field(default_factory=Strangers)
    looked_for: LookedFor = field(default_factory=LookedFor)

    def note_others(self, seen: Sequence[Generation]) -> None:
        """Note what others buy on the account, from any part of a family's list that was read."""
        if not seen:
            return
        listed = self.store.account.listed([one.id for one in seen])
        known, offset = listed.known, listed.offset
        ahead = self.provider.clock_ahead
        # the times of generations may be in another time zone than the clock
        least = offset.at_least(ahead or timedelta(0)) if offset.known else ahead
        self.elsewhere.learn(family_of(seen[0].id), samples(seen, known))
        self.elsewhere.note(seen, least, known)
        self.strangers.note(seen, self.clock.now() + (ahead or timedelta(0)), known)
