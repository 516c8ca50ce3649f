"""What the parts of one run share, put together once by the runner."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from ..evidence.elsewhere import Elsewhere, Strangers
from ..evidence.looked_for import LookedFor
from ..evidence.sight import samples
from ..model.clock import Clock
from ..model.provider import Generation, Provider
from ..store import Store
from .pace import Durations
from .policy import RunPolicy
from .provider_health import ProviderHealth
from .troubles import TokenCheck

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
        """Note what others buy on the account, from any part of the list that was read."""
        listed = self.store.account.listed([one.id for one in seen])
        known, offset = listed.known, listed.offset
        ahead = self.provider.clock_ahead
        # the times of generations may be in another time zone than the clock
        least = offset.at_least(ahead or timedelta(0)) if offset.known else ahead
        self.elsewhere.learn(samples(seen, known))
        self.elsewhere.note(seen, least, known)
        self.strangers.note(seen, self.clock.now() + (ahead or timedelta(0)), known)
