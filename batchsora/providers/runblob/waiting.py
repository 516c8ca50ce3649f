"""Waiting until a generation is finished: politely, and through an API that stumbles."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Final

from batchsora.providers.runblob.errors import (
    GenerationFailedError,
    RateLimitedError,
    ServerError,
    StillRunningError,
    UnreachableError,
)
from batchsora.providers.runblob.models import GenerationInfo

Look = Callable[[str], Awaitable[GenerationInfo]]
"""From an id to the generation as it is now."""

Sleep = Callable[[float], Awaitable[object]]
"""Lets that many seconds pass."""

Watcher = Callable[[GenerationInfo], object]
"""Told of each status; what it returns is awaited when it can be."""

LONGEST_PAUSE: Final = 60.0
"""Seconds to which the pause grows while the API can't be read."""


async def wait_until_finished(
    generation_id: str,
    look: Look,
    *,
    poll_interval: float,
    timeout: float,  # noqa: ASYNC109 - no cancellation: a read that is under way is finished
    watcher: Watcher | None,
    sleep: Sleep,
    monotonic: Callable[[], float],
) -> GenerationInfo:
    """Look again and again until a generation is completed.

    A read that fails for a reason that passes is repeated: after as long as the API asks for, or
    after pauses that double. The API is not asked during a ``Retry-After``, not even at the end.

    Args:
        generation_id: of the generation.
        look: looks once.
        poll_interval: seconds between two looks.
        timeout: seconds after which it is not looked at any more; it is looked at once at least.
        watcher: told of each status.
        sleep: lets time pass.
        monotonic: the time, in seconds.

    Raises:
        GenerationFailedError: it failed.
        StillRunningError: the time is over.
        ValueError: an interval or a timeout that is none.
        RunBlobError: it can't be looked at, for a reason that does not pass.
    """
    if not (poll_interval > 0 and timeout >= 0):
        raise ValueError("poll_interval must be more than 0 seconds, and timeout not less than 0")
    end = monotonic() + timeout
    last: GenerationInfo | None = None
    pause = poll_interval
    while True:
        quiet = 0.0
        trouble: Exception | None = None
        try:
            last = await look(generation_id)
        except (RateLimitedError, ServerError, UnreachableError) as error:
            trouble = error
            quiet = (error.retry_after or 0.0) if isinstance(error, RateLimitedError) else 0.0
            pause = min(pause * 2, max(LONGEST_PAUSE, poll_interval))
        else:
            await _tell(watcher, last)
            if last.status == "completed":
                return last
            if last.status == "failed":
                raise GenerationFailedError(last)
            pause = poll_interval
        left = end - monotonic()
        if left > 0:
            await sleep(min(max(pause, quiet), left))
        if left <= quiet:
            raise StillRunningError(generation_id, last, timeout) from trouble


async def _tell(watcher: Watcher | None, info: GenerationInfo) -> None:
    answer = None if watcher is None else watcher(info)
    if inspect.isawaitable(answer):
        await answer
