import asyncio
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.model.families import Times
from jobs.model.provider import Generation, GenerationPhase, RefusalCause
from jobs.model.retry import RetryPolicy
from jobs.model.states import FailureKind
from jobs.runtime.pace import Pacer, look_delay
from jobs.runtime.provider_health import LONGEST_RETRY_AFTER, ProviderHealth

TIMES = Times(young=60, expected=900, longest=1800)


class ManualClock:
    """Time that a test turns by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    def boot(self) -> str:
        return f"manual:{self.seconds}"

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)


@given(
    kind=st.sampled_from(FailureKind),
    so_far=st.integers(0, 50),
    retries=st.integers(0, 20),
    seed=st.integers(),
)
def test_only_the_providers_own_failures_are_bought_again(
    kind: FailureKind, so_far: int, retries: int, seed: int
) -> None:
    """Validation, image, content and overdue are never retried by themselves; delays are capped."""
    policy = RetryPolicy(retries=retries)
    delay = policy.decide(kind, so_far, random.Random(seed))
    retried = kind in (FailureKind.SYSTEM, FailureKind.TIMEOUT) and so_far < retries
    assert (delay is not None) == retried
    if delay is not None:
        assert 0 <= delay.total_seconds() <= policy.ceiling


def test_submissions_start_evenly_at_the_rate() -> None:
    """Over any stretch no more than rate · seconds + 1 submissions start, and not many fewer."""
    clock = ManualClock()
    pacer = Pacer(5, clock)
    sent = 0
    for _ in range(1000):
        free = pacer.available()
        pacer.take(free)
        sent += free
        clock.seconds += 0.013
    assert sent <= 5 * clock.seconds + 1
    assert sent >= 5 * clock.seconds - 1


def test_a_rate_of_zero_is_no_limit() -> None:
    """``--rate 0`` never waits."""
    pacer = Pacer(0, ManualClock())
    pacer.take(10**9)
    assert pacer.available() > 10**5
    assert pacer.seconds_to_next() == 0


@given(age=st.floats(0, 10**6), interval=st.floats(0.05, 600), percent=st.integers(0, 100))
def test_looks_are_never_denser_than_the_interval(
    age: float, interval: float, percent: int
) -> None:
    """The documented polling interval is kept whatever the provider says of its progress."""
    seen = Generation("g", GenerationPhase.PROCESSING, percent=percent)
    for look in (None, seen):
        assert interval <= look_delay(TIMES, age, interval, look) <= 12 * interval


def test_a_throttle_closes_the_gate_for_everyone_and_a_short_one_does_not_open_it_early() -> None:
    """Two 429s at once: the longer Retry-After counts."""
    clock = ManualClock()
    health = ProviderHealth(clock, random.Random(1))
    health.throttle(30.0)
    health.throttle(2.0)
    assert health.closed_for == pytest.approx(30.0)
    clock.seconds = 31.0
    assert health.closed_for == 0


def test_an_absurd_retry_after_is_bounded() -> None:
    """A provider that says "come back in a year" does not end the night."""
    health = ProviderHealth(ManualClock(), random.Random(1))
    assert health.throttle(10**9) == LONGEST_RETRY_AFTER


def test_waits_grow_while_nobody_answers_and_begin_again_after_an_answer() -> None:
    """Unreachable is asked ever more slowly, and how long it lasts is known."""
    clock = ManualClock()
    health = ProviderHealth(clock, random.Random(3))
    for _ in range(40):
        clock.seconds += health.unreachable()
    assert health.out_of_reach_for == pytest.approx(clock.seconds)
    assert clock.seconds > 200
    health.answered()
    assert health.out_of_reach_for == 0


def test_the_first_refusal_is_the_one_that_is_told() -> None:
    """Sixteen 402s under way at once are one reason, in the words of the first."""
    health = ProviderHealth(ManualClock(), random.Random(1))
    health.refuse(RefusalCause.FUNDS, "INSUFFICIENT_CREDITS")
    health.refuse(RefusalCause.TOKEN, "Missing credentials")
    assert (health.refusal, health.refusal_message) == (RefusalCause.FUNDS, "INSUFFICIENT_CREDITS")
