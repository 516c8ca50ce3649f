"""Everything that can go wrong with a call of the API.

Of a ``generate`` that raised, only :class:`InDoubtError` may have created and charged something:
look at the account's generations before paying again. Nothing here ever contains the token.
"""

from collections.abc import Sequence

from batchsora.providers.runblob.failures import failure_kind
from batchsora.providers.runblob.models import GenerationInfo


class RunBlobError(Exception):
    """Base of all errors of the client.

    Args:
        message: without control characters and the token.
        status: the HTTP status, if there was an answer.
        details: one line for each problem that the API found.

    Attributes:
        retryable: the same call may succeed later and costs nothing to repeat.
        in_doubt: a generation may exist although the call failed.
    """

    retryable: bool = False
    in_doubt: bool = False

    def __init__(
        self, message: str, *, status: int | None = None, details: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.details = tuple(details)


class BadTokenError(RunBlobError):
    """401: the token is missing, wrong, expired or may not do this; every call will fail."""


class ForbiddenError(BadTokenError):
    """403: access was refused, perhaps to every call, perhaps to this one alone."""


class AccountError(RunBlobError):
    """The account is suspended, or one of its quotas or limits is used up."""


class InsufficientCreditsError(RunBlobError):
    """402, or its words: the account has too little money."""


class ValidationError(RunBlobError):
    """400, 413, 415, 422: the request would be refused again; ``details`` say where."""


class ImageError(ValidationError):
    """The request is wrong because of its image; also raised before anything was sent."""


class NotFoundError(RunBlobError):
    """404 on a call with an id: the account has no such generation."""


class WrongAddressError(RunBlobError):
    """404 or 405 without an id, a redirect, not JSON: this is not the API."""


class RateLimitedError(RunBlobError):
    """429: too many requests; nothing was created.

    Args:
        retry_after: seconds that the API asks to wait; None if it did not say.
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        status: int | None = 429,
        details: Sequence[str] = (),
    ) -> None:
        super().__init__(message, status=status, details=details)
        self.retry_after = retry_after


class ServerError(RunBlobError):
    """5xx on a read."""

    retryable = True


class UnreachableError(RunBlobError):
    """No connection was made; for a read also: no whole answer came."""

    retryable = True


class WithheldError(RunBlobError):
    """The caller's ``may_send`` returned False when the request was about to be written."""

    retryable = True


class InDoubtError(RunBlobError):
    """Nobody knows whether a generation was created and charged."""

    in_doubt = True


class GenerationFailedError(RunBlobError):
    """A generation ended without a video; another one has to be bought.

    Args:
        info: the generation as the API shows it.

    Attributes:
        kind: ``"image"``, ``"content"``, ``"timeout"``, ``"system"`` or ``"unknown"``, read from
            the API's words and codes; ``timeout`` and ``system`` are the provider's own fault, and
            may pass when the same is bought again.
    """

    def __init__(self, info: GenerationInfo) -> None:
        self.info = info
        self.generation_id = info.generation_id
        self.kind = info.failure_kind or failure_kind(info.error_message)
        said = info.error_message or "the API does not say why"
        if info.error_message is None and info.said_state not in (None, "failed"):
            said = f"the API says {info.said_state!r}"
        super().__init__(f"the generation {info.generation_id} failed ({self.kind}): {said}")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.info,)


class StillRunningError(RunBlobError, TimeoutError):
    """A generation is not finished; it continues at the provider, and it was paid for.

    Args:
        info: the generation when last seen; None if it could not be read.
        waited: seconds of waiting; None without waiting.
    """

    retryable = True

    def __init__(
        self, generation_id: str, info: GenerationInfo | None, waited: float | None = None
    ) -> None:
        self.generation_id = generation_id
        self.info = info
        self._waited = waited
        when = "" if waited is None else f" after {waited:g} s"
        super().__init__(
            f"the generation {generation_id} is not finished{when} ({_seen(info)}). It is still "
            "running and was paid for, so don't buy it again: ask for it later with "
            f"wait_for_completion({generation_id!r})"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.generation_id, self.info, self._waited)


class DownloadError(RunBlobError):
    """A video's file could not be fetched; the video is still there, and trying again is free."""

    retryable = True


def _seen(info: GenerationInfo | None) -> str:
    """Return what was last seen of a generation."""
    if info is None:
        return "its status could not be read"
    words = [f"last seen: {info.said_state or info.status or 'no status'}"]
    if info.progress_pos_in_queue is not None:
        words.append(f"place {info.progress_pos_in_queue} in the queue")
    if info.progress_pct is not None:
        words.append(f"{info.progress_pct} %")
    return ", ".join(words)
