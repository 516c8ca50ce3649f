"""Whether requests of a run may be sent now: stopped, cooling down, or out of reach.

A 429 on one submission cools all of them down; an unreachable provider is asked ever more slowly; a
refusal that every request would get ends submissions for good. Submissions in doubt in a row pause
them too: an outage must leave a few doubts, not hundreds.
"""

import asyncio
import random
from datetime import datetime, timedelta

from ..model.clock import Clock
from ..model.provider import ProviderError, RefusalCause, ThrottledError, TokenRefusedError
from ..model.retry import full_jitter
from ..model.words import Pause

COOLING = 5.0  # seconds to wait after a 429 that does not say how long, doubled while they continue
LEAST_COOLING = 0.5  # seconds to wait at least after one that does, doubled while they continue

COOLING_CEILING = 300.0
LONGEST_RETRY_AFTER = 3600.0  # a longer Retry-After counts as this: after an hour we ask again
STREAK = 3  # submissions in doubt in a row, without an acceptance between, that look like an outage

AFTER_DOUBTS = (5.0, 30.0, 600.0, 3600.0)
"""Seconds without submissions after the 1st, 2nd … doubt in a row where something in front of the
provider answered, and from the third on (30 s) where nothing did: five in an hour at most."""

SAID_FROM = 60.0  # seconds of waiting from which on people are told
SILENCE = 25.0  # seconds without an answer from which on people are told; turns are 30 apart


class Patience:
    """How many seconds something may fail, without a success between, until a run gives it up."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.since: float | None = None
        self._failures = 0
        self._until = 0.0

    def failed(self, now: float, asked_until: float = 0.0) -> None:
        """Note a failure at a monotonic time.

        ``asked_until``: when the provider wants to be asked again. One such wait is kept to its end
        even if it is longer than our patience, and the next request is still sent.
        """
        if self.since is None:
            self.since, self._until, self._failures = now, now + self._seconds, 0
        self._failures += 1
        if now < self.since + self._seconds:
            self._until = max(self._until, asked_until + SAID_FROM)

    def succeeded(self) -> None:
        """Note a success."""
        self.since = None

    def lasting(self, now: float) -> float:
        """Return the seconds since the first failure after the last success; 0 without one."""
        return 0.0 if self.since is None else now - self.since

    def is_over(self, now: float) -> bool:
        """Check whether it failed for too long, and was retried at least once."""
        return self.since is not None and self._failures > 1 and now > self._until


class ProviderHealth:
    """What a run knows of its provider: shared by scheduler, poller and balance monitor.

    ``patience``: seconds without any answer, or without any submission taken, after which the run
    ends.
    """

    def __init__(self, clock: Clock, chance: random.Random, patience: float = 3600.0) -> None:
        self._clock = clock
        self._chance = chance
        self._open_at = 0.0
        self._probe_at = 0.0
        self._throttled_in_a_row = 0
        self._failed_in_a_row = 0
        self._doubts_in_a_row = 0
        self._answers = Patience(patience)
        self._submissions = Patience(patience)
        self.words = ""  # the provider's, for the last wait
        self.changed = asyncio.Event()
        self.stopping = False
        self.refusal: RefusalCause | None = None
        self.refusal_message = ""

    def wake(self) -> None:
        """Wake the scheduler: something changed."""
        self.changed.set()

    def stop(self) -> None:
        """Ask the run to submit nothing more and to end as soon as what is under way is known."""
        self.stopping = True
        self.wake()

    def refuse(self, cause: RefusalCause, message: str) -> None:
        """Stop submissions: every further one would be refused as well."""
        if self.refusal is None:
            self.refusal, self.refusal_message = cause, message
        self.wake()

    def forgive(self) -> None:
        """Allow submissions again after missing credits: the balance was read since."""
        if self.refusal is RefusalCause.FUNDS:
            self.refusal, self.refusal_message = None, ""

    def throttle(self, retry_after: float | None, words: str = "") -> float:
        """Cool everyone down; returns for how many seconds."""
        if self.closed_for == 0:  # requests that were under way together count once
            self._throttled_in_a_row += 1
        base = LEAST_COOLING if retry_after is not None else COOLING
        grown = base * 2.0 ** min(self._throttled_in_a_row - 1, 10)
        seconds = min(COOLING_CEILING, grown * self._chance.uniform(0.75, 1.25))
        if retry_after is not None:  # a provider that keeps refusing is asked more rarely still
            seconds = max(seconds, min(retry_after, LONGEST_RETRY_AFTER))
        self.words = words or "too many requests (429)"
        self._close_for(seconds)
        return seconds

    def unreachable(self, words: str = "") -> float:
        """Note that the provider could not be reached; returns the seconds to wait."""
        self._answers.failed(self._clock.monotonic())
        seconds = 1.0 + full_jitter(2.0, 60.0, self._failed_in_a_row, self._chance)
        self._failed_in_a_row += 1
        self.words = words or "no answer"
        self._close_for(seconds)
        return seconds

    def doubted(self, words: str, *, gateway: bool) -> float:
        """Note a submission in doubt; returns the seconds for which no other one is sent.

        ``gateway``: something in front of the provider answered: then one alone is a reason.
        """
        if self._probe_at > self._clock.monotonic():  # it was under way with those before it
            return self._probe_at - self._clock.monotonic()
        self._doubts_in_a_row += 1
        if not gateway and self._doubts_in_a_row < STREAK:
            return 0.0
        step = self._doubts_in_a_row - (1 if gateway else STREAK - 1)
        seconds = AFTER_DOUBTS[min(step, len(AFTER_DOUBTS) - 1)] * self._chance.uniform(1.0, 1.2)
        self._probe_at = self._clock.monotonic() + seconds
        self.words = words
        return seconds

    def heed(self, error: ProviderError) -> float:
        """Note a read that failed; returns the seconds to wait."""
        match error:
            case TokenRefusedError():
                self.refuse(RefusalCause.TOKEN, str(error))
                return 0.0
            case ThrottledError(retry_after=retry_after):
                seconds = self.throttle(retry_after, str(error))
                # reads that are refused for ever hide what is paid for: they count as no answer
                self._answers.failed(self._clock.monotonic(), self._asked_until(retry_after))
                return seconds
            case _:
                return self.unreachable(str(error))

    def answered(self) -> None:
        """Note that the provider answered."""
        self._answers.succeeded()
        self._failed_in_a_row = 0

    def served(self) -> None:
        """Note that a submission was taken or understood, so that the next waits begin short."""
        self.answered()
        self._submissions.succeeded()
        self._throttled_in_a_row = self._doubts_in_a_row = 0
        self._probe_at = 0.0

    def not_served(self, retry_after: float | None = None) -> None:
        """Note that a submission failed for a reason that was not its own."""
        self._submissions.failed(self._clock.monotonic(), self._asked_until(retry_after))

    @property
    def closed_for(self) -> float:
        """Return the seconds until the next request may be sent."""
        return float(max(0.0, self._open_at - self._clock.monotonic()))

    @property
    def shut_for(self) -> float:
        """Return the seconds until the next submission may leave: doubts stop no reads."""
        return max(self.closed_for, self._probe_at - self._clock.monotonic())

    @property
    def probing(self) -> bool:
        """Check whether submissions leave one at a time, to see whether they are taken again."""
        return self._probe_at > 0

    @property
    def careful(self) -> bool:
        """Check whether they leave one at a time: one more in doubt would look like an outage."""
        return self.probing or self._doubts_in_a_row >= STREAK - 1

    @property
    def out_of_reach(self) -> bool:
        """Check whether the provider did not answer for longer than the run's patience."""
        return self._answers.is_over(self._clock.monotonic())

    @property
    def out_of_reach_for(self) -> float:
        """Return the seconds since the provider last answered, 0 when it does."""
        return self._answers.lasting(self._clock.monotonic())

    @property
    def takes_nothing(self) -> bool:
        """Check whether no submission was taken for longer than the run's patience."""
        return self._submissions.is_over(self._clock.monotonic())

    def pause_at(self, now: datetime) -> Pause | None:
        """Return until when every submission waits, and why; None for a short wait."""
        closed = self.shut_for
        if closed <= 0:
            return None
        lasting = self._submissions.lasting(self._clock.monotonic())
        if max(closed, lasting) <= SAID_FROM and self.out_of_reach_for < SILENCE:
            return None
        return Pause(now + timedelta(seconds=closed), self.words)

    async def pause(self, seconds: float) -> bool:
        """Wait that long, or until something changed; returns whether it did."""
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        waking = asyncio.ensure_future(self.changed.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()
        changed = self.changed.is_set()
        self.changed.clear()
        return changed

    def _asked_until(self, retry_after: float | None) -> float:
        return 0.0 if retry_after is None else self._open_at

    def _close_for(self, seconds: float) -> None:
        self._open_at = max(self._open_at, self._clock.monotonic() + seconds)
