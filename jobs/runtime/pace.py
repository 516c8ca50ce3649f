"""The pace: how fast to submit, and when to look at a generation again."""

from collections import defaultdict, deque
from dataclasses import dataclass, field

from ..model.clock import Clock
from ..model.provider import Generation, GenerationPhase

YOUNG = 60.0
"""Seconds of age below which a generation is looked at rarely: none takes less (api.md)."""

EXPECTED = 900.0
"""Seconds that a generation takes at most, as the provider says (api.md); later, looks thin out."""

NEARLY_DONE = 90
"""From this percentage on a generation is looked at as often as the interval allows."""

CALM = 12
"""Intervals between two looks at most, while there is nothing to be seen but progress."""

HALFWAY = 6
"""Intervals between two looks at most, while the percentage says when it will be done."""

LATELY = 50
"""Finished generations of a kind whose durations are remembered."""

LONGER = 4 * LATELY
"""Looks at generations of a kind that are remembered for the ages at which they were unfinished."""

ENOUGH = 5
"""Finished generations from which on their durations tell something."""

EARLY = 0.9
"""The share of the shortest duration seen lately from which on a generation may be done."""

RELIED_ON = 12.0
"""Intervals between two looks at least, while every end is announced by a callback."""

TRUST = 0.5
"""Intervals by which one announced end lets looks thin out."""

LOOP_TURN = 0.05
"""Seconds that a busy event loop may take to come round: what falls due in it starts together."""


class Pacer:
    """A token bucket that lets submissions start evenly, hardly ever two at once.

    A burst would gain nothing over a night, and a crash in the middle of it would put every
    submission of the burst in doubt.

    Args:
        rate: submissions a second; 0 is no limit.
        clock: whose monotonic time counts.
    """

    UNLIMITED = 1_000_000

    def __init__(self, rate: float, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        # what falls due between two turns of the loop is kept, so that the rate is reached
        self._size = 1.0 + rate * LOOP_TURN
        self._tokens = 1.0
        self._at = clock.monotonic()

    def available(self) -> int:
        """Return how many submissions may start now."""
        if self._rate <= 0:
            return self.UNLIMITED
        now = self._clock.monotonic()
        self._tokens = min(self._size, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return int(self._tokens)

    def take(self, count: int) -> None:
        """Use some up."""
        if self._rate > 0:
            self._tokens -= count

    def seconds_to_next(self) -> float:
        """Return when the next submission may start; never so soon that waiting is spinning."""
        if self._rate <= 0 or self._tokens >= 1:
            return 0.0
        return max(0.01, (1 - self._tokens) / self._rate)


def _remembering(number: int) -> defaultdict[str, deque[float]]:
    return defaultdict(lambda: deque(maxlen=number))


@dataclass(slots=True)
class Durations:
    """How long generations of each kind took lately, as this run saw it.

    Attributes:
        finished: the ages at which some were seen finished, by kind, in seconds.
        unfinished: the same of those that were not finished yet.
    """

    finished: defaultdict[str, deque[float]] = field(default_factory=lambda: _remembering(LATELY))
    unfinished: defaultdict[str, deque[float]] = field(default_factory=lambda: _remembering(LONGER))

    def copy(self) -> "Durations":
        """Return another one that remembers the same."""
        found = Durations()
        found.finished.update((kind, ages.copy()) for kind, ages in self.finished.items())
        found.unfinished.update((kind, ages.copy()) for kind, ages in self.unfinished.items())
        return found

    def take(self, other: "Durations") -> None:
        """Remember what another one does, in place of what was remembered."""
        self.finished, self.unfinished = other.finished, other.unfinished

    def note(self, kind: str, seconds: float) -> None:
        """Remember how old a generation was when it was seen finished."""
        if seconds > 0:  # a clock that was set back tells nothing
            self.finished[kind].append(seconds)
            self.unfinished[kind].append(0.0)  # what was seen unfinished is forgotten in time

    def note_unfinished(self, kind: str, seconds: float) -> None:
        """Remember how old a generation was when it was not finished yet."""
        self.unfinished[kind].append(seconds)

    def earliest(self, kind: str) -> float:
        """Return how many seconds old a generation is before it may be done; 0 while nobody knows.

        It is less than the shortest that was seen, so that it shrinks when they become shorter:
        where all take about the same, it lies between those seen unfinished and those finished.
        """
        finished = self.finished[kind]
        if len(finished) < ENOUGH:
            return 0.0
        shortest = min(finished)
        unfinished = max(self.unfinished[kind])
        if EARLY * shortest < unfinished < shortest:
            return (unfinished + shortest) / 2
        return EARLY * shortest


class Announcements:
    """How far looks thin out because callbacks announce ends, as this run saw it.

    A few ends that nobody announced bring the usual pace back: a callback that is lost must cost
    a minute, never the night.
    """

    def __init__(self, intervals: float = 1.0) -> None:
        self._intervals = intervals

    def copy(self) -> "Announcements":
        """Return another one that remembers the same."""
        return Announcements(self._intervals)

    def found(self, *, announced: bool) -> None:
        """Remember whether a callback had come for a generation that was seen finished."""
        if announced:
            self._intervals = min(RELIED_ON, self._intervals + TRUST)
        else:
            self._intervals = max(1.0, self._intervals / 2)

    def stretched(self, delay: float, interval: float) -> float:
        """Lengthen the seconds until a look where its end will be announced."""
        return max(delay, self._intervals * interval)


def look_delay(
    age: float, interval: float, seen: Generation | None = None, earliest: float = 0.0
) -> float:
    """Return how many seconds to let pass before the next look at a generation.

    Args:
        age: seconds since it was accepted.
        interval: :attr:`jobs.runtime.policy.RunPolicy.poll_interval`.
        seen: what the last look showed, if there was one.
        earliest: the age from which on it may be done (:class:`Durations`).
    """
    percent = None if seen is None else seen.percent
    if percent is not None and percent >= NEARLY_DONE:
        return interval
    if age + interval < earliest:
        return min(CALM * interval, earliest - age)
    if percent:
        left = age * (100 - percent) / percent
        return min(HALFWAY * interval, max(interval, left / 3))
    if age < YOUNG or (seen is not None and seen.phase is GenerationPhase.PENDING):
        return interval * 2
    if age <= EXPECTED:
        return interval
    return min(CALM * interval, interval * age / EXPECTED)
