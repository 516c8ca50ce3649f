"""Reading the account's list of generations, newest first, as far back as is asked for.

Pages shift while they are read, because others append at the top, and a provider may leave things
out. So pages overlap, and a reading says of itself whether it can prove that something is absent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .clock import Clock
from .provider import (
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
        """Say whether everything that was created since is in it; ``since`` in provider's time."""
        if not self.whole:
            return False
        return self.to_the_end or _past(self.generations, since)


async def read_page(provider: Provider, clock: Clock, offset: int) -> Sequence[Generation]:
    """Read one page; a provider that stumbles is asked again, a little later each time.

    Raises:
        ProviderError: it went on to fail.
    """
    for wait in WAITS:
        try:
            return await provider.generations(provider.list_limit, offset)
        except ThrottledError as error:
            await clock.sleep(min(error.retry_after or wait, LONGEST_WAIT))
        except UnreachableError:
            await clock.sleep(wait)
    return await provider.generations(provider.list_limit, offset)


async def read_back(provider: Provider, clock: Clock, since: datetime) -> Reading:
    """Read the list until entries are older than a time of the provider's, or until its end.

    A short page is no end: that is an empty page, or one that repeats what was seen. Where a later
    page can't be read, what was read so far counts, and the end is not known.

    Raises:
        ProviderError: the list can't be read.
    """
    began = clock.now()
    found: dict[str, Generation] = {}
    whole, short, size, offset, overlap = True, False, 0, 0, 0
    last: str | None = None
    repeated = False
    for _ in range(MOST_PAGES):
        try:
            page = await read_page(provider, clock, offset)
        except TokenRefusedError:
            raise
        except ProviderError:
            if not found:
                raise
            return _reading(found, began, whole=whole, to_the_end=False)
        fresh = [generation for generation in page if generation.id not in found]
        # what the page before ended with must be here again, or something lies between them
        whole = whole and (last is None or any(generation.id == last for generation in page))
        if not fresh:
            # nothing is new; a full page of old entries is a list that heeds no offset
            whole = whole and len(page) < overlap + OVERLAP // 2
            if not page or repeated or not whole:
                return _reading(found, began, whole=whole, to_the_end=True)
            # a page that is shorter than the overlap hides what follows it: look behind it as well
            repeated, offset, last, overlap = True, offset + len(page), None, 0
            continue
        whole = whole and not short and not repeated  # a short page in the middle
        size = size or len(page)
        short = len(page) < size
        found |= {generation.id: generation for generation in fresh}
        if _past(list(found.values()), since):
            return _reading(found, began, whole=whole, to_the_end=False)
        overlap = min(OVERLAP, len(page) // 2)
        last = page[-1].id if overlap else None
        offset += len(page) - overlap
    return _reading(found, began, whole=False, to_the_end=False)


def _reading(
    found: dict[str, Generation], began: datetime, *, whole: bool, to_the_end: bool
) -> Reading:
    generations = tuple(found.values())
    return Reading(generations, began, whole and _in_order(generations), to_the_end)


def _past(generations: Sequence[Generation], since: datetime) -> bool:
    """Say whether the last entries are all older: one alone could stand in the wrong place."""
    times = [g.created_at for g in generations[-OVERLAP:] if g.created_at is not None]
    return bool(times) and len(generations) >= OVERLAP and max(times) < since


def _in_order(generations: Sequence[Generation]) -> bool:
    earliest: datetime | None = None
    for created in (g.created_at for g in generations if g.created_at is not None):
        if earliest is not None and created > earliest + DISORDER:
            return False
        earliest = created if earliest is None else min(earliest, created)
    return True
