"""When a run is over, and why. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model.provider import RefusalCause
from ..model.states import Blocked, Reason
from ..ports.purchases import Breach, Outstanding


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended, in the provider's words if it refused; what blocks the rest, by batch id."""

    reason: Reason
    message: str = ""
    blocked: Mapping[int, frozenset[Blocked]] = field(default_factory=dict)
    breach: Breach | None = None


REFUSED = {
    RefusalCause.TOKEN: Reason.TOKEN,
    RefusalCause.ADDRESS: Reason.ADDRESS,
    RefusalCause.FUNDS: Reason.FUNDS,
    RefusalCause.ACCOUNT: Reason.ACCOUNT,
    RefusalCause.ACCESS: Reason.ACCESS,
    RefusalCause.REQUEST: Reason.REQUEST,
    RefusalCause.BUSY: Reason.UNREACHABLE,
}
"""How a run ends that was refused."""

AT_ONCE = (RefusalCause.TOKEN, RefusalCause.ADDRESS)
"""Refusals that hold for reads too: after them nothing can be polled any more."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a run knows of itself at one moment."""

    outstanding: Outstanding  # read in the same transaction as blocked was found
    blocked: Mapping[int, frozenset[Blocked]] | None  # now; None: nothing was tried
    overdue_looks: bool  # this run has not looked at every overdue generation yet
    resolvable: int  # attempts in doubt that a look at the list may still settle
    crowded: bool  # paid generations of any batch fill the window
    waits_for_funds: bool
    stopping: bool
    out_of_reach: bool
    refusal: RefusalCause | None
    refusal_message: str
    breach: Breach | None = None

    @property
    def money_may_come(self) -> bool:
        """Return whether the run waits for money because the balance blocks purchases."""
        blocked = (self.blocked or {}).values()
        return self.waits_for_funds and any(Blocked.BALANCE in why for why in blocked)


def serves(now: Situation) -> bool:
    """Check whether a run would buy what is handed to it now, and bring it to its end."""
    waits = now.refusal is RefusalCause.FUNDS and now.waits_for_funds
    shut = now.stopping or now.out_of_reach or (now.refusal is not None and not waits)
    return not shut and verdict(now) is None


def verdict(now: Situation) -> Ending | None:  # noqa: C901, PLR0911 - one line a reason, in order
    """Return how the run ended; None while it continues.

    A submission under way is always waited for: its answer is worth money. What is paid for is
    polled to its end, and what is in doubt is looked for until it is settled or only a person can
    tell, unless the token is refused, the person stops, nothing is answered, or the database is no
    longer this run's. A paused batch is waited for: whoever paused it will resume it.
    """
    left = now.outstanding
    if left.sending:
        return None
    if now.breach is not None:
        return Ending(Reason.DATABASE, breach=now.breach)
    if now.stopping:
        return Ending(Reason.INTERRUPTED)
    if now.refusal in AT_ONCE:
        return Ending(REFUSED[now.refusal], now.refusal_message)
    if now.out_of_reach:
        return Ending(Reason.UNREACHABLE)
    if left.pending or now.overdue_looks or now.resolvable:
        return None
    if now.refusal is not None:
        waits = now.refusal is RefusalCause.FUNDS and now.waits_for_funds
        return None if waits else Ending(REFUSED[now.refusal], now.refusal_message)
    if left.next_due is not None:
        return None
    if not left.ready:
        return None if left.paused else Ending(Reason.FINISHED)
    if now.blocked is None or now.crowded or now.money_may_come:
        return None
    return Ending(Reason.BLOCKED, blocked=now.blocked)
