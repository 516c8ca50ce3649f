"""How fast to submit, and when to look at a generation again."""

from collections import defaultdict, deque
from dataclasses import dataclass, field

from ..model.clock import Clock
from ..model.families import Times
from ..model.provider import Generation, GenerationPhase

NEARLY_DONE = 90  # from this percentage on only the interval limits looks
CALM = 12  # most intervals between two looks, while there is only progress to see
HALFWAY = 6  # most intervals between two looks, while the percentage shows when it will be done
LATELY = 50  # finished generations of a kind whose durations are remembered
LONGER = 4 * LATELY  # looks at unfinished generations of a kind that are remembered
ENOUGH = 5  # how many finished generations make their durations significant
EARLY = 0.9  # the share of the shortest duration seen lately from which on a generation may be done
RELIED_ON = 12.0  # intervals between two looks once every end is announced by a callback
TRUST = 0.5  # intervals added between looks for each announced end
LOOP_TURN = 0.05  # seconds of one turn of a busy event loop: what falls due in it starts together


class Pacer:
    """A token bucket that lets submissions start evenly, hardly ever two at once.

    A burst would gain nothing over a night, and a crash during it would put all of it in doubt.
    ``rate`` is in submissions per second; 0: no limit.
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
        """Return the seconds until the next submission may start; never so few that we spin."""
        if self._rate <= 0 or self._tokens >= 1:
            return 0.0
        return max(0.01, (1 - self._tokens) / self._rate)


def _remembering(number: int) -> defaultdict[str, deque[float]]:
    return defaultdict(lambda: deque(maxlen=number))


@dataclass(slots=True)
class Durations:
    """How long generations of each kind took lately in this run: ages in seconds, by kind."""

    finished: defaultdict[str, deque[float]] = field(default_factory=lambda: _remembering(LATELY))
    unfinished: defaultdict[str, deque[float]] = field(default_factory=lambda: _remembering(LONGER))

    def copy(self) -> "Durations":
        """Return another one that remembers the same."""
        found = Durations()
        found.finished.update((kind, ages.copy()) for kind, ages in self.finished.items())
        found.unfinished.update((kind, ages.copy()) for kind, ages in self.unfinished.items())
        return found

    def take(self, other: "Durations") -> None:
        """Replace what is remembered by what another one remembers."""
        self.finished, self.unfinished = other.finished, other.unfinished

    def note(self, kind: str, seconds: float) -> None:
        """Remember how old a generation was when it was seen finished."""
        if seconds > 0:  # a clock that was set back shows nothing
            self.finished[kind].append(seconds)
            self.unfinished[kind].append(0.0)  # what was seen unfinished is forgotten in time

    def note_unfinished(self, kind: str, seconds: float) -> None:
        """Remember how old a generation was when it was not finished yet."""
        self.unfinished[kind].append(seconds)

    def earliest(self, kind: str) -> float:
        """Return how many seconds old a generation is before it may be done; 0: unknown.

        Less than the shortest duration seen, so that it can shrink. If all take about the same, it
        is between the ages seen unfinished and those seen finished.
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
    """How much rarer looks become because callbacks announce ends, as this run saw it.

    A few ends without one bring the usual interval back: a lost callback must cost a minute, never
    the night.
    """

    def __init__(self, intervals: float = 1.0) -> None:
        self._intervals = intervals

    def copy(self) -> "Announcements":
        """Return another one that remembers the same."""
        return Announcements(self._intervals)

    def found(self, *, announced: bool) -> None:
        """Remember whether a callback came for a generation that was seen finished."""
        if announced:
            self._intervals = min(RELIED_ON, self._intervals + TRUST)
        else:
            self._intervals = max(1.0, self._intervals / 2)

    def stretched(self, delay: float, interval: float) -> float:
        """Return a longer delay in seconds until a look whose end will be announced."""
        return max(delay, self._intervals * interval)


def look_delay(
    times: Times,
    age: float,
    interval: float,
    seen: Generation | None = None,
    earliest: float = 0.0,
) -> float:
    """Return how many seconds to let pass before the next look at a generation of that age.

    ``earliest``: the age from which on it may be done (:class:`Durations`).
    """
    percent = None if seen is None else seen.percent
    if percent is not None and percent >= NEARLY_DONE:
        return interval
    if age + interval < earliest:
        return min(CALM * interval, earliest - age)
    if percent:
        left = age * (100 - percent) / percent
        return min(HALFWAY * interval, max(interval, left / 3))
    if age < times.young or (seen is not None and seen.phase is GenerationPhase.PENDING):
        return interval * 2
    if age <= times.expected:
        return interval
    return min(CALM * interval, interval * age / times.expected)
