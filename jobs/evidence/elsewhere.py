"""Whether somebody else buys the same on this account: a second machine, a copied database.

A generation in the list that no attempt of ours has, and that is newer than the run, is somebody
else's. A queued row with the same prompt is held back. If others also bought several prompts that
this run has bought, all remaining rows of those batches are (:mod:`jobs.store.others`).
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence, Sized
from datetime import datetime, timedelta

from ..model.clock import PRECISION
from ..model.families import family_of
from ..model.provider import Generation, GenerationPhase
from ..model.text import prompt_key
from .books import GIVEN_UP_WITHIN, REFUNDED_WITHIN
from .echo import Echo, EchoLearner

MARGIN = timedelta(seconds=30)  # by how much the look before buying may have been behind
SEVERAL = 3  # how many prompts bought by this run and by others are no coincidence

FAILED_WITHIN = REFUNDED_WITHIN + timedelta(days=1)
"""How long after its creation a failed generation may be refunded: it may fail late."""

FAR = FAILED_WITHIN + timedelta(hours=26)
"""How far back the list is read for others' failures, including a wrong clock or time zone."""

REMEMBERED = 10_000  # most purchases of a run that are compared with what others buy


Key = tuple[str, str]
"""A family, and the key of a prompt as its list shows it."""


def since_when(began: datetime, looked_at: datetime | None) -> datetime:
    """Return since when others' generations are news to a run, by our clock.

    Without a look at the list before it began, a person accepted older ones.
    """
    return began + PRECISION if looked_at is None else looked_at - MARGIN


class Elsewhere:
    """Remembers what others have made since a time by our clock; None: nothing.

    Each prompt is kept as the list of its family shows it; ours are looked up as it would show
    them, as far as that is known. ``copies``: watch whether others buy what this run has bought.
    """

    def __init__(self, since: datetime | None = None, *, copies: bool = False) -> None:
        self._since = since
        self._copies = copies
        self._learners: defaultdict[str, EchoLearner] = defaultdict(EchoLearner)
        self._made: dict[Key, dict[str, datetime]] = {}
        self._bought: dict[tuple[str, str], int] = {}  # by family and prompt
        self._shown: dict[Key, int] = {}  # the same as it is shown
        self._both: dict[Key, tuple[str, int]] = {}

    def echo(self, family: str) -> Echo:
        """Return what a family's list does to prompts; no change if that is unknown."""
        return self._learners[family].echo or Echo()

    def key(self, family: str, prompt: str) -> Key:
        """Return how a list would show a prompt."""
        return family, self.echo(family).key(prompt)

    def learn(self, family: str, samples: Iterable[tuple[str, str]]) -> None:
        """Learn from prompts of ours, as they were sent and as the family's list shows them."""
        if self._learners[family].heed(samples):
            self._shown = {self.key(*asked): batch for asked, batch in self._bought.items()}
            self._both.clear()
            for key, made in self._made.items():
                self._compare(key, made)

    def note(
        self,
        page: Iterable[Generation],
        ahead: timedelta | None,
        known: Container[str],
    ) -> None:
        """Remember the news on a page of the list, or any part of it, but ours (``known``).

        ``ahead``: by how much the provider's times are ahead of ours, at least; None: unknown.
        """
        if self._since is None:
            return
        ahead = ahead or timedelta(0)
        since = self._since + ahead
        news = [one for one in page if one.id not in known and _is_news(one, since)]
        for one in news:
            if one.prompt is not None and one.created is not None:
                key = family_of(one.id), prompt_key(one.prompt)
                self._made.setdefault(key, {})[one.id] = one.created.since - ahead
                self._compare(key, [one.id])

    def _compare(self, key: Key, generations: Iterable[str]) -> None:
        if key in self._shown:
            for one in generations:
                self._both[key] = (one, self._shown[key])

    def bought(self, family: str, prompt: str, batch_id: int) -> None:
        """Remember what this run buys itself, the last :data:`REMEMBERED` of it."""
        if not self._copies:
            return
        asked = (family, prompt)
        self._bought.pop(asked, None)
        self._bought[asked] = batch_id
        self._shown[self.key(*asked)] = batch_id
        if len(self._bought) > REMEMBERED:
            oldest = next(iter(self._bought))
            del self._bought[oldest]
            self._shown.pop(self.key(*oldest), None)

    @property
    def suspicious(self) -> bool:
        """Check whether others may have bought enough of our prompts for a closer look."""
        return self.enough(self._both)

    @staticmethod
    def enough(both: Sized) -> bool:
        """Check whether so many prompts bought by others too are no coincidence."""
        return len(both) >= SEVERAL

    def both(self) -> Mapping[Key, tuple[str, int]]:
        """Map shown prompts that this run bought to a generation of others, and our batch."""
        return dict(self._both)

    def forget(self, both: Mapping[Key, tuple[str, int]]) -> None:
        """Forget those of :meth:`both` that were handled."""
        for key, found in both.items():
            if self._both.get(key) == found:  # otherwise another page has shown more since
                del self._both[key]

    def made(self, family: str, prompt: str, after: datetime | None = None) -> Sequence[str]:
        """List what others have made of a family and a prompt, as sent, the first seen first.

        An acceptance of ours that was on its way may be among them: callers check that. Only those
        after a time by our clock; a person has overruled earlier ones.
        """
        shown = self._made.get(self.key(family, prompt), {})
        return tuple(n for n, at in shown.items() if after is None or at > after + PRECISION)


class Strangers:
    """Remembers generations of others that did not complete: they may be refunded."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._uncounted = False

    def note(
        self,
        page: Iterable[Generation],
        now: datetime,
        known: Container[str],
    ) -> None:
        """Remember those on a page that have not ended, or failed lately by the list's time."""
        page = list(page)
        over = {one.id for one in page if _is_over(one, now)}
        self._seen -= over
        self._seen |= {one.id for one in page if one.id not in over and one.id not in known}
        self._uncounted = self._uncounted or len(self._seen) > REMEMBERED

    @property
    def seen(self) -> frozenset[str]:
        """Return their ids; some may be ours by now."""
        return frozenset(self._seen)

    @property
    def more(self) -> int:
        """Return 1 if there were too many to remember each, else 0."""
        return int(self._uncounted)

    def forget(self, ours: Iterable[str]) -> None:
        """Forget those that turned out to be ours."""
        self._seen.difference_update(ours)


def _is_over(generation: Generation, now: datetime) -> bool:
    failed = generation.phase is GenerationPhase.FAILED
    since = now - (FAILED_WITHIN if failed else GIVEN_UP_WITHIN)
    old = generation.created is not None and generation.created.until < since
    return old or generation.phase is GenerationPhase.COMPLETED


def _is_news(generation: Generation, since: datetime) -> bool:
    """Check whether a generation is newer than a time by the provider's clock, and not failed."""
    return (
        generation.created is not None
        and generation.prompt is not None
        and generation.phase is not GenerationPhase.FAILED
        and generation.created.since > since
    )
