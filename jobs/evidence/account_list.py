"""Reading the account's list of generations, newest first, as far back as is asked for.

Pages shift while they are read, because others append at the top, and a provider may leave things
out. So pages overlap, and a reading says of itself whether it can prove that something is absent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..model.clock import Clock
from ..model.provider import (
    Generation,
    Provider,
    ProviderError,
    ThrottledError,
    TokenRefusedError,
    UnreachableError,
)

WAITS = (0.5, 1.0, 2.0)
"""Seconds between the tries of one page."""

LONGEST_WAIT = 60.0
OVERLAP = 10
"""Entries that two neighbouring pages share at least, so that nothing slips through between."""

THE_SAME = 3
"""How often running a page without news must be the same one, to be the last of its list."""

MOST_PAGES = 1000
"""Pages that one reading has at most: ninety thousand generations."""

DISORDER = timedelta(minutes=10)
"""How far the list may be from its order by time, before it proves nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading of the list showed.

    Attributes:
        generations: newest first, each once.
        began: when it began, by our clock.
        whole: True when the pages fit together without a gap: what is not in it, the list had not.
        to_the_end: True when it reached the list's end.
    """

    generations: Sequence[Generation]
    began: datetime
    whole: bool
    to_the_end: bool

    def covers(self, since: datetime) -> bool:
        """Check whether all that was created since is in it; ``since`` in the provider's time."""
        if not self.whole:
            return False
        return self.to_the_end or _past(self.generations, since)


async def read_page(
    provider: Provider, clock: Clock, offset: int, limit: int | None = None
) -> Sequence[Generation]:
    """Read one page; a provider that stumbles is asked again, a little later each time.

    Args:
        provider: whose list it is.
        clock: time.
        offset: entries before it.
        limit: entries that it has at most; None for as many as the provider gives.

    Raises:
        ProviderError: it went on to fail.
    """
    limit = limit or provider.list_limit
    for wait in WAITS:
        try:
            return await provider.generations(limit, offset)
        except ThrottledError as error:
            await clock.sleep(min(error.retry_after or wait, LONGEST_WAIT))
        except UnreachableError:
            await clock.sleep(wait)
    return await provider.generations(limit, offset)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list, and how it goes with those before it.

    Attributes:
        entries: as it was read.
        fresh: those of them that were not seen before.
        joined: False where something may lie between it and the one before, or, where the list
            ends, behind the last entry that was seen.
        again: True where it begins as the first page did, or never changes and is not the tail of
            the list: one that heeds no offset, or none beyond some bound.
        ends: True where the list ends here.
        gap: True where one before it showed nothing new, and this one does.
    """

    entries: Sequence[Generation]
    fresh: Sequence[Generation]
    joined: bool
    again: bool
    ends: bool
    gap: bool


class Walk:
    """Goes through the list page by page, from its newest entry on.

    Pages overlap, because others append at the top meanwhile, and a provider may give fewer entries
    than it was asked for.
    """

    def __init__(self, provider: Provider, clock: Clock) -> None:
        self._provider = provider
        self._clock = clock
        self._offset = self._overlap = 0
        self._longest = 0
        self._had_room = True  # on the page of the last entry, for what might follow it
        self._first: str | None = None
        self._last: str | None = None
        self._stale: list[Sequence[str]] = []  # the last pages without news, as ids
        self.found: dict[str, Generation] = {}
        """All that was seen, newest first, by id."""

    async def turn(self) -> Page:
        """Read the next page.

        Raises:
            ProviderError: it can't be read.
        """
        page, passed_over = await self._read()
        fresh = [generation for generation in page if generation.id not in self.found]
        # what the page before ended with must be here again, or something lies between them
        # (a page of one entry shares none with the next)
        shared = any(generation.id == self._last for generation in page)
        joined = shared or (self._last is None and not (self.found and fresh))
        joined = joined and not passed_over
        again = len(page) > self._overlap and page[0].id == self._first
        gap = bool(self._stale and fresh)  # something was hidden behind a page without news
        ids = [generation.id for generation in page]
        self._stale = [] if fresh else [*self._stale, ids][-THE_SAME:]
        stands = self._stands()
        ends = is_the_end(page, fresh, sure=again or stands)
        again = again or (stands and not await self._is_the_tail(page))
        self._longest = max(self._longest, len(page))
        if fresh or shared:
            self._had_room = len(page) < self._longest
        if not page:
            joined = joined and (self._had_room or await self._is_all())
        if fresh:
            self.found |= {generation.id: generation for generation in fresh}
            self._first = self._first or page[0].id
            self._overlap = min(OVERLAP, len(page) // 2)
            self._last = page[-1].id if self._overlap else None
            self._offset += len(page) - self._overlap
        else:
            # a page that is shorter than the overlap hides what follows it: look behind it as well
            self._offset, self._last, self._overlap = self._offset + len(page), None, 0
        return Page(page, fresh, joined, again, ends, gap)

    async def _read(self) -> tuple[Sequence[Generation], bool]:
        """Read the next page; one without entries is not believed at once.

        The first one may be so once, and is read a second time. And a provider may cut its pages
        before it leaves entries out of them: then more stands behind one without entries, so that a
        whole page further back is looked at as well.

        Returns:
            The page, empty only where the list ends; and whether entries may lie before it that
            were not seen.
        """
        page = await read_page(self._provider, self._clock, self._offset)
        if not (page or self.found):
            page = await read_page(self._provider, self._clock, self._offset)
        if page:
            return page, False
        further = self._offset + self._provider.list_limit
        page = await read_page(self._provider, self._clock, further)
        if page:
            self._offset = further
        return page, bool(page)

    async def _is_all(self) -> bool:
        """Check that the list had no entry but the one that was seen, when its next page was empty.

        The list may have shrunk between the two. Where that entry is there still, alone, it was
        alone then.
        """
        if len(self.found) > 1:
            return False
        page = await read_page(self._provider, self._clock, 0)
        return [generation.id for generation in page] == list(self.found)

    def _stands(self) -> bool:
        """Check whether the list gives its last page again, however far behind it one looks.

        A list that grows meanwhile shows other entries each time, or goes on.
        """
        return len(self._stale) == THE_SAME and all(page == self._stale[0] for page in self._stale)

    async def _is_the_tail(self, page: Sequence[Generation]) -> bool:
        """Check that a page which is given again and again ends the list.

        A provider that looks no further back than some offset gives one again and again, too. When
        fewer entries are asked for, the end of the list is its last ones, and that is the first.
        """
        if len(page) == 1:
            return self._longest > 1
        half = await read_page(self._provider, self._clock, self._offset, len(page) // 2)
        return 0 < len(half) < len(page) and half[-1].id == page[-1].id


def is_the_end(page: Sequence[Generation], fresh: Sequence[Generation], *, sure: bool) -> bool:
    """Check whether the list ends here: an empty page, or one that it gives again and again.

    An empty page is one behind which a further page is empty too (:meth:`Walk._read`). A short page
    never is the end: a provider may cap its pages, or leave entries out of them.

    Args:
        page: as it was read.
        fresh: what of it was not seen before.
        sure: whether one that shows nothing new can't hide what follows it.
    """
    return not page or (sure and not fresh)


async def read_back(provider: Provider, clock: Clock, since: datetime) -> Reading:
    """Read the list until entries are older than a time of the provider's, or until its end.

    Where a later page can't be read, what was read so far counts, and the end is not known.

    Raises:
        ProviderError: the list can't be read.
    """
    began, walk = clock.now(), Walk(provider, clock)
    whole, short, size = True, False, 0
    for _ in range(MOST_PAGES):
        try:
            page = await walk.turn()
        except TokenRefusedError:
            raise
        except ProviderError:
            if not walk.found:
                raise
            return _reading(walk.found, began, whole=whole, to_the_end=False)
        whole = whole and page.joined
        if page.ends:
            return _reading(walk.found, began, whole=whole and not page.again, to_the_end=True)
        if not page.fresh:
            continue
        whole = whole and not short and not page.gap  # a short page in the middle
        size = size or len(page.entries)
        short = len(page.entries) < size
        if _past(list(walk.found.values()), since):
            return _reading(walk.found, began, whole=whole, to_the_end=False)
    return _reading(walk.found, began, whole=False, to_the_end=False)


def _reading(
    found: dict[str, Generation], began: datetime, *, whole: bool, to_the_end: bool
) -> Reading:
    generations = tuple(found.values())
    return Reading(generations, began, whole and _in_order(generations), to_the_end)


def _past(generations: Sequence[Generation], since: datetime) -> bool:
    """Return whether the last entries are all older: one alone could stand in the wrong place."""
    times = [g.created_at for g in generations[-OVERLAP:] if g.created_at is not None]
    return bool(times) and len(generations) >= OVERLAP and max(times) < since


def _in_order(generations: Sequence[Generation]) -> bool:
    earliest: datetime | None = None
    for created in (g.created_at for g in generations if g.created_at is not None):
        if earliest is not None and created > earliest + DISORDER:
            return False
        earliest = created if earliest is None else min(earliest, created)
    return True
