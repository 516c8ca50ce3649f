"""Decides when the list is read for which doubt, and which doubts only a person can settle."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from ..evidence.ours import Acceptance
from ..evidence.suspects import Settlement, SuspectAttempt
from ..model.states import AttemptState
from ..runtime.run_context import RunPolicy

SLOWEST = 60.0  # most seconds between two readings for a doubt that may settle by itself

WATCH_EVERY, WATCH_SLOWEST = 30.0, 600.0  # seconds between two looks for a void

MOST_FAILED_READINGS = 3  # past twice the grace period: then the doubt waits for a person


@dataclass(slots=True)
class Watch:
    """What this process knows of one suspect, in seconds of the monotonic clock.

    Attributes:
        family: whose list may show it.
        since: when it was first seen here.
        credit: how long its request had ended by then, 0 or less: time before this process began is
            known by the wall clock alone, which may have been set, so it never counts.
        look_at: when the list is to be read for it.
        clean_at: when the first clean reading after its grace began.
        failed_readings: readings past twice the grace period that settled nothing.
    """

    family: str
    since: float
    credit: float
    look_at: float
    clean_at: float | None = None
    failed_readings: int = 0

    def age(self, at: float) -> float:
        """Return how many seconds ago its request ended, as far as this process knows."""
        return self.credit + at - self.since

    def had_its_chance(self, began: float, over: float, grace: float) -> bool:
        """Check whether this process had time for two clean readings, a grace period apart."""
        first = self.since if self.clean_at is None else self.clean_at
        return self.age(began) >= over + grace and began - first >= grace

    @property
    def hopeless(self) -> bool:
        """Check whether more readings can settle nothing: a person must decide."""
        return self.failed_readings >= MOST_FAILED_READINGS


class Standing(NamedTuple):
    """How long a suspect has been watched, as :class:`jobs.evidence.suspects.Suspect` says it."""

    past_grace: bool = False
    shown: bool = False
    clean_before: bool = False


class LagMeter:
    """Measures from the readings of one process; ``longest`` is of earlier runs (None: nothing).

    ``coarsest``: seconds between two readings beyond which a first sight is too inexact.
    """

    def __init__(self, longest: float | None, coarsest: float) -> None:
        self.longest = longest
        self._coarsest = coarsest
        self._first: datetime | None = None
        self._before: datetime | None = None
        self._shown: set[str] = set()

    def measured(
        self, began: datetime, shown: Iterable[tuple[str, datetime]], wrong_by: float
    ) -> float | None:
        """Return the longest lag with another reading, in seconds; it is not remembered.

        ``shown``: ids of ours, and when we heard of their acceptance; ``wrong_by``: seconds by
        which our clock was set back and forth in between.
        """
        longest = self.longest
        for name, accepted in shown:
            # only of what was accepted since the first reading is it known that it was not there
            if name in self._shown or self._before is None or self._first is None:
                continue
            if accepted < self._first:
                continue
            least = max(0.0, (self._before - accepted).total_seconds())
            most = max(0.0, (began - accepted).total_seconds())
            if wrong_by > self._coarsest or not 0 <= most - least <= self._coarsest:
                continue
            longest = max(longest or 0.0, most + wrong_by)
        return longest

    def heed(self, began: datetime, shown: Sequence[tuple[str, datetime]], wrong_by: float) -> bool:
        """Learn from a reading (:meth:`measured`); returns whether the longest lag has grown."""
        before, self.longest = self.longest, self.measured(began, shown, wrong_by)
        self._shown.update(name for name, _ in shown)
        self._first, self._before = self._first or began, began
        return self.longest != before


class Lags:
    """How late the list of each family is: a :class:`LagMeter` for each."""

    def __init__(self, longest: Callable[[str], float | None], coarsest: float) -> None:
        self._longest = longest
        self._coarsest = coarsest
        self._meters: dict[str, LagMeter] = {}

    def of(self, family: str) -> LagMeter:
        """Return a family's."""
        if family not in self._meters:
            self._meters[family] = LagMeter(self._longest(family), self._coarsest)
        return self._meters[family]

    def longer(
        self, family: str, began: datetime, ours: Mapping[str, Acceptance], wrong_by: timedelta
    ) -> float | None:
        """Return the longest lag with another reading, in seconds; None: no longer than before."""
        lag = self.of(family)
        longest = lag.measured(began, _bought(ours), wrong_by.total_seconds())
        return None if longest == lag.longest else longest

    def heed(
        self, family: str, began: datetime, ours: Mapping[str, Acceptance], wrong_by: timedelta
    ) -> None:
        """Learn from a reading."""
        self.of(family).heed(began, _bought(ours), wrong_by.total_seconds())


def _bought(ours: Mapping[str, Acceptance]) -> Sequence[tuple[str, datetime]]:
    """Return those of our generations that we bought, and when we heard of the acceptance."""
    return [(name, one.accepted_at) for name, one in ours.items() if one.bought]


class Watches:
    """The suspects of one run."""

    def __init__(self, policy: RunPolicy, lags: Lags) -> None:
        self._grace = policy.grace
        self._poll = policy.poll_interval
        self._send_patience = policy.send_patience
        self._lags = lags
        self._watches: dict[int, Watch] = {}

    def over(self, family: str) -> float:
        """Return the seconds after a request's end from which its absence in the list counts."""
        return self._over(self._lags.of(family).longest)

    def _over(self, lag: float | None) -> float:
        return self._grace + (lag or 0.0)

    def heed(self, suspects: Sequence[SuspectAttempt], now: datetime, at: float) -> None:
        """Take in which suspects there are, without those under way."""
        for row in suspects:
            if row.id not in self._watches:
                passed = (now - row.sent_until).total_seconds()
                # a doubt is looked for at once; a void was looked for when it became one
                later = WATCH_EVERY if row.state == AttemptState.VOID else 0.0
                credit = min(max(passed, -self._send_patience), 0.0)
                self._watches[row.id] = Watch(row.family, at, credit, at + later)
        gone = self._watches.keys() - {row.id for row in suspects}
        for number in gone:
            del self._watches[number]

    def due(self, at: float) -> Collection[str]:
        """Return the families whose lists it is time to read for any of them."""
        return dict.fromkeys(w.family for w in self._watches.values() if w.look_at <= at)

    def hopeless(self) -> frozenset[int]:
        """Return the attempts that wait for a person."""
        return frozenset(number for number, watch in self._watches.items() if watch.hopeless)

    def standing(self, number: int, began: float, lag: float | None) -> Standing:
        """Return how long a suspect has been watched when a reading began, by the monotonic clock.

        The balance may be a grace period late too; so a clean reading counts a grace period later.
        ``lag``: most seconds by which the list is late, with that reading.
        """
        watch = self._watches.get(number)
        if watch is None:
            return Standing()
        over, age = self._over(lag), watch.age(began)
        clean_at = watch.clean_at
        clean_before = clean_at is not None and began - clean_at >= self._grace
        return Standing(age >= over, age >= over + self._grace, clean_before)

    def any_past_grace(self, suspects: Sequence[SuspectAttempt], began: float) -> bool:
        """Check whether a reading began after the grace of any of some suspects in doubt."""
        doubtful = (row for row in suspects if row.state == AttemptState.IN_DOUBT)
        return any(
            self.standing(one.id, began, self._lags.of(one.family).longest).past_grace
            for one in doubtful
        )

    def past_grace(self, at: float) -> frozenset[int]:
        """Return the suspects that were not just sent, as far as this process knows."""
        return frozenset(
            n for n, watch in self._watches.items() if watch.age(at) >= self.over(watch.family)
        )

    def schedule(
        self,
        suspects: Sequence[SuspectAttempt],
        found: Settlement,
        began: float,
        now: datetime,
        at: float,
    ) -> None:
        """Note what was seen of each suspect, and when the list is read for it again."""
        for row in suspects:
            watch = self._watches.get(row.id)
            if watch is None:
                continue
            unstable = row.id in found.unstable
            if row.state == AttemptState.VOID and not unstable:
                watched = 0.0 if row.ended_at is None else (now - row.ended_at).total_seconds()
                watch.look_at = at + min(max(watched, WATCH_EVERY), WATCH_SLOWEST)
                continue
            if row.id in found.clean and watch.clean_at is None:
                watch.clean_at = began
            if row.id in found.contested:
                watch.failed_readings += watch.age(began) >= self.over(watch.family)
            elif row.id in found.passing:
                watch.failed_readings = 0  # a later reading can settle it
            elif watch.had_its_chance(began, self.over(watch.family), self._grace):
                watch.failed_readings += 1
            contested = row.id in found.contested
            watch.look_at = at + self._next_look(watch, at, unstable=unstable, contested=contested)

    def missed(self, families: Collection[str], began: float, at: float) -> list[int]:
        """Note that lists could not be read; returns the doubts that are past their grace."""
        late: list[int] = []
        for number, watch in self._watches.items():
            if watch.look_at > at or watch.family not in families:
                continue
            over = self.over(watch.family)
            if watch.had_its_chance(began, over, self._grace):
                watch.failed_readings += 1
            if watch.age(began) >= over:
                late.append(number)
            watch.look_at = at + self._next_look(watch, at, unstable=False, contested=False)
        return late

    def _next_look(self, watch: Watch, at: float, *, unstable: bool, contested: bool) -> float:
        age = watch.age(at)
        pace = min(max(age / 2, self._poll), SLOWEST)
        if unstable:
            return min(pace, max(self._lags.of(watch.family).longest or 0.0, self._poll))
        if watch.hopeless:
            # a later purchase may settle it, so we keep reading, rarely where two doubts share it
            return WATCH_SLOWEST if contested else SLOWEST
        over = self.over(watch.family)
        if age < over:
            return min(pace, over - age)
        if watch.clean_at is not None and watch.clean_at + self._grace > at:
            return min(pace, watch.clean_at + self._grace - at)
        return pace
