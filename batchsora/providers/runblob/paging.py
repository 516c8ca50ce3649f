"""Reading the account's whole list, page by page, while it grows at the top."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from batchsora.providers.runblob.models import GenerationInfo

ReadPage = Callable[[int, int], Awaitable[Sequence[GenerationInfo]]]
"""From a limit and an offset to a page."""

_MOST_STALE: Final = 2
"""Pages in a row without anything new after which the API must be ignoring the offset."""


async def every_generation(read_page: ReadPage, page_size: int) -> AsyncIterator[GenerationInfo]:
    """Return each generation once, newest first.

    What is made meanwhile pushes older entries onto the next page, where they are seen again. A
    page may have fewer entries than were asked for, so only an empty one is the end.
    """
    seen: set[str] = set()
    offset = stale = 0
    while stale < _MOST_STALE and (page := await read_page(page_size, offset)):
        offset += len(page)
        stale += 1
        for info in page:
            if info.generation_id is not None and info.generation_id not in seen:
                seen.add(info.generation_id)
                stale = 0
                yield info
