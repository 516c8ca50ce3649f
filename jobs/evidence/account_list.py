"""Reading the account's list of generations, newest first, as far back as needed.

Others append at the top while pages are read, and a provider may leave entries out. So pages
overlap, and a reading knows whether it can prove that something is absent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate

from ..model.clock import Clock
from ..model.provider import (
    Generation,
    Provider,
    ProviderError,
    ThrottledError,
    TokenRefusedError,
    UnreachableError,
)
from .order import Order

WAITS = (0.5, 1.0, 2.0)  # seconds between the tries of one page

LONGEST_WAIT = 60.0
OVERLAP = 10  # entries that neighbouring pages share at least: none is missed in between
THE_SAME = 3  # how often in a row a page without news must be the same, to be the last of its list
MOST_PAGES = 1000  # most pages of one reading: ninety thousand generations
DISORDER = timedelta(minutes=10)  # entries may be out of order by this and still prove something


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading of a family's list showed, newest first, each once; by our clock.

    Attributes:
        whole: the pages join without a gap, in order: what is missing here was not in the list.
        to_the_end: it reached the list's end.
        reaches: where it shows no times, since when it shows all, by the provider's clock; None:
            not known.
    """

    family: str
    generations: Sequence[Generation]
    began: datetime
    whole: bool
    to_the_end: bool
    reaches: datetime | None = None

    def covers(self, since: datetime) -> bool:
        """Check whether all that was created since is in it; ``since`` in the provider's time."""
        if not self.whole:
            return False
        by_order = self.reaches is not None and self.reaches < since
        return self.to_the_end or by_order or _past(self.generations, since)

    @property
    def by_order(self) -> bool:
        """Check whether only its order says when something was created."""
        return any(one.placed is not None for one in self.generations)


async def read_page(
    provider: Provider, clock: Clock, family: str, offset: int, limit: int | None = None
) -> Sequence[Generation]:
    """Read one page after some entries; after a failure it is tried again, ever later.

    ``limit``: most entries; None: as many as the provider gives. ProviderError: it kept failing.

    Raises:
        ProviderError: it kept failing.
    """
    limit = limit or provider.list_limit
    for wait in WAITS:
        try:
            return await provider.generations(family, limit, offset)
        except ThrottledError as error:
            await clock.sleep(min(error.retry_after or wait, LONGEST_WAIT))
        except UnreachableError:
            await clock.sleep(wait)
    return await provider.generations(family, limit, offset)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list, and how it fits to those before it.

    Attributes:
        fresh: entries that were not seen before.
        joined: False if something may lie between it and the page before or, at the end of the
            list, after the last entry that was seen.
        again: it begins like the first page, or never changes and is not the end of the list: the
            provider ignores the offset, or offsets beyond some bound.
        ends: the list ends here.
        gap: a page before it showed nothing new, and this one does.
    """

    entries: Sequence[Generation]
    fresh: Sequence[Generation]
    joined: bool
    again: bool
    ends: bool
    gap: bool


class Walk:
    """Reads a family's list page by page, from its newest entry on."""

    def __init__(self, provider: Provider, clock: Clock, family: str) -> None:
        self._provider = provider
        self._family = family
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
        """Read the next page, or raise ProviderError."""
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
            # a page that is shorter than the overlap hides what follows it: look after it too
            self._offset, self._last, self._overlap = self._offset + len(page), None, 0
        return Page(page, fresh, joined, again, ends, gap)

    async def _read(self) -> tuple[Sequence[Generation], bool]:
        """Read the next page, empty only if the list ends; return whether it skipped some.

        An empty first page is read again. A provider may also cut its pages before it leaves
        entries out of them: then more follows after an empty page, so a whole page further back is
        read too, and entries before it may be missing.
        """
        page = await read_page(self._provider, self._clock, self._family, self._offset)
        if not (page or self.found):
            page = await read_page(self._provider, self._clock, self._family, self._offset)
        if page:
            return page, False
        further = self._offset + self._provider.list_limit
        page = await read_page(self._provider, self._clock, self._family, further)
        if page:
            self._offset = further
        return page, bool(page)

    async def _is_all(self) -> bool:
        """Check that the list has only the one entry that was seen, as its next page was empty.

        The list may have shrunk in between. If that entry is still there, alone, it was alone then.
        """
        if len(self.found) > 1:
            return False
        page = await read_page(self._provider, self._clock, self._family, 0)
        return [generation.id for generation in page] == list(self.found)

    def _stands(self) -> bool:
        """Check whether the list returns its last page again for every later offset.

        A list that grows in between shows other entries each time, or continues.
        """
        return len(self._stale) == THE_SAME and all(page == self._stale[0] for page in self._stale)

    async def _is_the_tail(self, page: Sequence[Generation]) -> bool:
        """Check that a page which is returned again and again is the end of the list.

        A provider that ignores offsets beyond some bound repeats a page, too. If fewer entries are
        asked for, the end of the list gives its last ones, but a repeated page its first ones.
        """
        if len(page) == 1:
            return self._longest > 1
        half = await read_page(
            self._provider, self._clock, self._family, self._offset, len(page) // 2
        )
        return 0 < len(half) < len(page) and half[-1].id == page[-1].id


def is_the_end(page: Sequence[Generation], fresh: Sequence[Generation], *, sure: bool) -> bool:
    """Check whether the list ends here: an empty page, or one that is returned again and again.

    An empty page counts only if a page further back is empty too (:meth:`Walk._read`). A short page
    is never the end: a provider may cap its pages, or leave entries out of them. ``sure``: a page
    without news can't hide what follows it.
    """
    return not page or (sure and not fresh)


async def read_back(
    provider: Provider, clock: Clock, family: str, since: datetime, order: Order | None = None
) -> Reading:
    """Read a family's list until entries are older than a time by its clock, or to its end.

    If a later page can't be read, what was read so far counts, and the end is unknown;
    ProviderError: none can.

    Args:
        order: says when something was created, if the list shows no times; None: nothing does.

    Raises:
        ProviderError: the list can't be read.
    """
    began, walk = clock.now(), Walk(provider, clock, family)
    nothing = Reading(family, (), began, whole=True, to_the_end=False)
    reading = await _read_back(provider, walk, nothing, since, order)
    if order is None:
        return reading
    ahead = provider.clock_ahead or timedelta(0)
    placed = order.placed(reading.generations, clock.now(), ahead)
    if placed is None:
        return replace(reading, whole=False)
    return replace(reading, generations=placed, reaches=order.reaches(_sure(walk), ahead))


async def _read_back(
    provider: Provider, walk: Walk, reading: Reading, since: datetime, order: Order | None
) -> Reading:
    whole, short, size = True, False, 0
    for _ in range(MOST_PAGES):
        try:
            page = await walk.turn()
        except TokenRefusedError:
            raise
        except ProviderError:
            if not walk.found:
                raise
            return _reading(reading, walk, whole=whole, to_the_end=False)
        whole = whole and page.joined
        if page.ends:
            return _reading(reading, walk, whole=whole and not page.again, to_the_end=True)
        if not page.fresh:
            continue
        whole = whole and not short and not page.gap  # a short page in the middle
        size = size or len(page.entries)
        short = len(page.entries) < size
        reaches = None
        if order is not None:
            order.heed(page.fresh)
            reaches = order.reaches(_sure(walk), provider.clock_ahead or timedelta(0))
        passed = reaches is not None and reaches < since
        if passed or _past(list(walk.found.values()), since):
            return _reading(reading, walk, whole=whole, to_the_end=False)
    return _reading(reading, walk, whole=False, to_the_end=False)


def _reading(reading: Reading, walk: Walk, *, whole: bool, to_the_end: bool) -> Reading:
    generations = tuple(walk.found.values())
    in_order = whole and _in_order(generations)
    return replace(reading, generations=generations, whole=in_order, to_the_end=to_the_end)


def _sure(walk: Walk) -> Sequence[str]:
    """List the ids without the last ones, one of which could be out of order."""
    return list(walk.found)[:-OVERLAP]


def _past(generations: Sequence[Generation], since: datetime) -> bool:
    """Return whether the last entries are all older: a single one could be out of order."""
    times = [g.created_at for g in generations[-OVERLAP:] if g.created_at is not None]
    return bool(times) and len(generations) >= OVERLAP and max(times) < since


def _in_order(generations: Sequence[Generation]) -> bool:
    times = [g.created_at for g in generations if g.created_at is not None]
    return all(
        a <= least + DISORDER for a, least in zip(times[1:], accumulate(times, min), strict=False)
    )
