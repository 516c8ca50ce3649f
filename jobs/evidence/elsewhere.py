"""Whether somebody else buys the same on this account: a second machine, a copied database.

Whatever page of the account's list is read during a run, a generation on it that no attempt of ours
has, and that was made since the run began, says what somebody else buys. When a queued row asks for
the same prompt, it is held back instead of bought; and when several prompts that this run has
bought were bought by others too, all that is left of their batches (:mod:`jobs.store.others`).
"""

from collections.abc import Container, Iterable, Mapping, Sequence, Sized
from datetime import datetime, timedelta

from ..model.clock import PRECISION
from ..model.provider import Generation, GenerationPhase
from ..model.text import prompt_key
from .books import GIVEN_UP_WITHIN, REFUNDED_WITHIN
from .echo import Echo, EchoLearner

MARGIN = timedelta(seconds=30)
"""By how much the look before buying may have seen less than was made by then."""

SEVERAL = 3
"""Prompts that this run and others bought at the same time, from which on it is no chance."""

FAILED_WITHIN = REFUNDED_WITHIN + timedelta(days=1)
"""How long after it was made the price of one that failed may be given back: it may end late."""

FAR = FAILED_WITHIN + timedelta(hours=26)
"""How far back the list is read for others' failures; a wrong clock or zone is in it."""

REMEMBERED = 10_000
"""Purchases of a run that are compared with what others buy."""


def since_when(began: datetime, looked_at: datetime | None) -> datetime:
    """Return from when on others' generations are news to a run, by our clock.

    Args:
        began: when the run began: without a look before, older ones are what a person accepted.
        looked_at: when the list was looked through before, if it was.
    """
    return began + PRECISION if looked_at is None else looked_at - MARGIN


class Elsewhere:
    """Remembers what others have made since a time.

    The list may show prompts altered, so each is kept as it is shown, and a prompt of ours is
    looked up as the list would show it, as far as that is known from generations of ours.

    Args:
        since: by our clock; None remembers nothing.
        copies: heed whether others buy what this run has bought.
    """

    def __init__(self, since: datetime | None = None, *, copies: bool = False) -> None:
        self._since = since
        self._copies = copies
        self._learner = EchoLearner()
        self._made: dict[str, dict[str, datetime]] = {}  # by the prompt's key as it is shown
        self._bought: dict[str, int] = {}  # by prompt
        self._shown: dict[str, int] = {}  # the same by its key as it is shown
        self._both: dict[str, tuple[str, int]] = {}

    @property
    def echo(self) -> Echo:
        """Return what the list does to prompts; nothing where that can't be told."""
        return self._learner.echo or Echo()

    def learn(self, samples: Iterable[tuple[str, str]]) -> None:
        """Learn from prompts of ours, as they were sent and as the list shows them."""
        if self._learner.heed(samples):
            self._shown = {self.echo.key(prompt): batch for prompt, batch in self._bought.items()}
            self._both.clear()
            for key, made in self._made.items():
                self._compare(key, made)

    def note(
        self,
        page: Iterable[Generation],
        ahead: timedelta | None,
        known: Container[str],
    ) -> None:
        """Remember what is on a page that is news and nobody's of ours.

        Args:
            page: of the account's list, or any part of it.
            ahead: by how much the provider's times are ahead of ours, at least; None: not known.
            known: generation ids on it that attempts of ours have.
        """
        if self._since is None:
            return
        ahead = ahead or timedelta(0)
        since = self._since + ahead
        news = [one for one in page if one.id not in known and _is_news(one, since)]
        for one in news:
            if one.prompt is not None and one.created_at is not None:
                key = prompt_key(one.prompt)
                self._made.setdefault(key, {})[one.id] = one.created_at - ahead
                self._compare(key, [one.id])

    def _compare(self, key: str, generations: Iterable[str]) -> None:
        """Remember of a shown prompt that this run bought it, and others too."""
        if key in self._shown:
            for one in generations:
                self._both[key] = (one, self._shown[key])

    def bought(self, prompt: str, batch_id: int) -> None:
        """Remember what this run buys itself, the last :data:`REMEMBERED` of it."""
        if not self._copies:
            return
        self._bought.pop(prompt, None)
        self._bought[prompt] = batch_id
        self._shown[self.echo.key(prompt)] = batch_id
        if len(self._bought) > REMEMBERED:
            oldest = next(iter(self._bought))
            del self._bought[oldest]
            self._shown.pop(self.echo.key(oldest), None)

    @property
    def suspicious(self) -> bool:
        """Return whether enough prompts were perhaps bought by others too for a closer look."""
        return self.enough(self._both)

    @staticmethod
    def enough(both: Sized) -> bool:
        """Return whether so many prompts that others bought too are no chance."""
        return len(both) >= SEVERAL

    def both(self) -> Mapping[str, tuple[str, int]]:
        """Map shown prompts that this run bought to a generation of others, and our batch."""
        return dict(self._both)

    def forget(self, both: Mapping[str, tuple[str, int]]) -> None:
        """Forget what was dealt with of :meth:`both`."""
        for key, found in both.items():
            if self._both.get(key) == found:  # else another page has shown more since
                del self._both[key]

    def made(self, prompt: str, after: datetime | None = None) -> Sequence[str]:
        """List the generations of a prompt that others have made, the first seen first.

        An acceptance of ours that was on its way meanwhile may be among them: whoever asks looks
        whether they are still nobody's.

        Args:
            prompt: as it would be sent.
            after: only later ones, by our clock: until then a person has overruled them.
        """
        shown = self._made.get(self.echo.key(prompt), {})
        return tuple(n for n, at in shown.items() if after is None or at > after + PRECISION)


class Strangers:
    """Remembers generations of others that have not ended well: they may be given back."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._uncounted = False

    def note(
        self,
        page: Iterable[Generation],
        now: datetime,
        known: Container[str],
    ) -> None:
        """Remember whose end is not seen on a page of the list, or who failed lately.

        Args:
            page: or any part of it.
            now: by the provider's clock.
            known: generation ids on it that attempts of ours have.
        """
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
        """Count those that were too many to be told apart later, as one."""
        return int(self._uncounted)

    def forget(self, ours: Iterable[str]) -> None:
        """Forget those that turned out to be ours."""
        self._seen.difference_update(ours)


def _is_over(generation: Generation, now: datetime) -> bool:
    """Check whether a generation's price can't be given back any more."""
    failed = generation.phase is GenerationPhase.FAILED
    since = now - (FAILED_WITHIN if failed else GIVEN_UP_WITHIN)
    old = generation.created_at is not None and generation.created_at < since
    return old or generation.phase is GenerationPhase.COMPLETED


def _is_news(generation: Generation, since: datetime) -> bool:
    """Check whether a generation is newer than a time of the provider's, and not dead."""
    return (
        generation.created_at is not None
        and generation.prompt is not None
        and generation.phase is not GenerationPhase.FAILED
        and generation.created_at > since
    )
