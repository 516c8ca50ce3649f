"""Waiting for a generation: it was paid for, so its id is never lost on the way."""

from collections.abc import Callable
from inspect import isawaitable
from numbers import Real
from typing import Final

from batchsora.providers.runblob import errors
from batchsora.providers.runblob.models import GenerationInfo
from batchsora.providers.runblob.saving import Look, Sleep
from batchsora.providers.runblob.words import clean

Watcher = Callable[[GenerationInfo], object]
"""Called with each status; what it returns is awaited when it can be."""

LONGEST_PAUSE: Final = 60.0
"""Seconds to which the pause grows while the API can't be read."""


async def wait(
    generation_id: str,
    poll_interval: float,
    patience: float,
    callback: Watcher | None,
    *,
    look: Look,
    monotonic: Callable[[], float],
    sleep: Sleep,
) -> GenerationInfo:
    """Look until a generation is completed; repeat reads that fail for a while.

    Args:
        poll_interval: seconds between two polls.
        patience: seconds after which to stop.
        look: reads a generation.

    Raises:
        GenerationFailedError: it failed.
        StillRunningError: the patience is over.
        ValueError: not a valid interval or patience.
        TypeError: the callback can't be called.
    """
    _check(poll_interval, patience, callback)
    end = monotonic() + patience
    last: GenerationInfo | None = None
    pause = poll_interval
    while True:
        quiet = 0.0  # the API is not asked during a Retry-After, not even at the end
        trouble: Exception | None = None
        try:
            last = await look(generation_id)
        except (errors.RateLimitedError, errors.ServerError, errors.UnreachableError) as error:
            trouble = error
            if isinstance(error, errors.RateLimitedError):
                quiet = error.retry_after or 0.0
            pause = min(pause * 2, max(LONGEST_PAUSE, poll_interval))
        else:
            answer = None if callback is None else callback(last)
            if isawaitable(answer):
                await answer
            if last.status == "completed":
                return last
            if last.status == "failed":
                raise errors.GenerationFailedError(last)
            pause = poll_interval
        left = end - monotonic()
        if left > 0:
            await sleep(min(max(pause, quiet), left))
        if left <= quiet:
            raise errors.StillRunningError(generation_id, last, patience) from trouble


def note(error: BaseException, generation_id: object) -> None:
    """Add the id to an error that ends the waiting, unless it has it; a traceback shows it."""
    if getattr(error, "generation_id", None) is None:
        named = clean(str(generation_id), longest=130)
        error.add_note(
            f"this ended the waiting for the generation {named}: it was paid for and may still be "
            "running. Ask for it again by its id, and don't buy it again"
        )


def _check(poll_interval: object, patience: object, callback: object) -> None:
    """Check what was asked for, before the first look."""
    given = (poll_interval, patience)
    if any(isinstance(one, bool) or not isinstance(one, Real) for one in given):
        raise ValueError("poll_interval and timeout must be numbers of seconds")
    # written so that NaN fails
    if not (poll_interval > 0 and patience >= 0):  # type: ignore[operator]
        raise ValueError("poll_interval must be more than 0 seconds, and timeout not less than 0")
    if callback is not None and not callable(callback):
        raise TypeError(
            f"callback must be a function that takes a status, not a {type(callback).__name__}"
        )
