"""What the engine asks of a provider of videos: a Protocol, and the outcomes as types.

The engine knows no wire format. An adapter (``batchsora.providers.runblob.adapter``) turns each end
of an HTTP exchange into an outcome, by the whitelist of the money protocol: only what is *known* to
have created nothing is :class:`Unsent`, :class:`Throttled`, :class:`Refused` or :class:`Rejected`;
everything else is :class:`InDoubt`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

from .families import FIRST_MODEL, Family, Kind, Times
from .money import Micros
from .states import FailureKind


@dataclass(frozen=True, slots=True)
class ImageRef:
    """The image of a job.

    Attributes:
        source: as the manifest wrote it: a path, a URL, or a data URI.
        path: the resolved local file; None for a URL or data URI.
        sha256: of the file's bytes at load; the sender refuses the file when it has changed.
        size: of the file in bytes.
        media_type: by content: ``image/jpeg``, ``image/png`` or ``image/webp``.
    """

    source: str
    path: str | None = None
    sha256: str | None = None
    size: int | None = None
    media_type: str | None = None


Parameter = str | int | float | bool  # A value of a request's parameter


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One video to buy: what the POST says.

    Attributes:
        orientation: ``"9:16"``, ``"16:9"`` or another one that the model takes.
        duration: in seconds; None: the model leaves no choice.
        image: the start image, or None.
        callback_url: where the provider may announce the end, or None.
        parameters: what the model takes beside these fields, by the provider's names; an adapter
            refuses what it does not know, and leaves nothing out.
        images: others than the start image, by their roles: ``end``, ``reference_1`` …
    """

    prompt: str
    orientation: str
    duration: int | None
    image: ImageRef | None = None
    callback_url: str | None = None
    model: str = FIRST_MODEL
    parameters: Mapping[str, Parameter] = field(default_factory=dict, hash=False)
    images: Mapping[str, ImageRef] = field(default_factory=dict, hash=False)


class Marked(NamedTuple):
    """A request as it is sent, and what the list shows of its attempt alone; None: nothing."""

    request: GenerationRequest
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider created the generation, and charged it; ``price`` None: it can't be read."""

    generation_id: str
    price: Micros | None


class About(StrEnum):
    """What a refused request is refused for, as far as the provider's words show."""

    ROW = "row"
    CALLBACK = "callback"
    UNCLEAR = "unclear"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rejected:
    """Known not created, and the same request would be refused again (400, 413, 415, 422).

    Attributes:
        about: ``row``: its content, its image or a field of it is wrong; ``callback``: the address
            for callbacks; ``unclear``: something of the row is named, and not what is wrong with
            it; ``unknown``: the words name nothing of the row.
        gist: the words without what they quote of the prompt, to compare refusals by; empty: the
            message is compared.
    """

    kind: FailureKind
    message: str
    about: About = About.ROW
    gist: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Unsent:
    """Known not created: nothing left this machine, or no connection came to be."""

    reason: str
    unreachable: bool  # could not be connected to, so that waiting may help


@dataclass(frozen=True, slots=True)
class Throttled:
    """Known not created: too many requests; ``retry_after`` in seconds, None if it did not say."""

    retry_after: float | None
    message: str = ""


class RefusalCause(StrEnum):
    """Why every further request would be refused as well."""

    TOKEN = "token"  # noqa: S105 - a cause, not a secret
    FUNDS = "funds"
    ADDRESS = "address"
    ACCOUNT = "account"
    ACCESS = "access"
    REQUEST = "request"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Refused:
    """Known not created, for a reason that holds for every request.

    401: token; 402: funds; 403: access; 404, 405: address; and whatever the provider says of the
    account in so many words (suspended, a quota that is used up).

    Attributes:
        sure: False if the status is one for wrong requests too (400, 403, 422): the words may be
            about this row alone. For money, the balance decides. The run stops only for a sure one.
    """

    cause: RefusalCause
    message: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Nobody knows whether a generation was created and charged."""

    reason: str
    cause: RefusalCause | None = None  # why every further submission would fail too
    gateway: bool = False  # something in front of the provider answered (407, 502, 503, 504)


SubmitOutcome = Accepted | Rejected | Unsent | Throttled | Refused | InDoubt


class Span(NamedTuple):
    """When something was created: at the earliest, and at the latest."""

    since: datetime
    until: datetime


class GenerationPhase(StrEnum):
    """The provider's state of a generation."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation as the provider shows it.

    Attributes:
        created_at: aware UTC; None when absent or unreadable.
        placed: where a list shows no times, what its order says (:mod:`jobs.evidence.order`); None:
            nothing is known of its time, which keeps doubts unsettled.
        prompt: as echoed; None when absent.
        percent: 0 to 100 while processing.
        queue_position: while pending.
        failure: why it failed, when it did; ``unknown``: the reason is not understood.
        message: the provider's words, cleaned of control characters.
        said_state: the provider's own word for the state, where ``phase`` is ``unknown``.
        mark: what the provider shows of the mark that was put into its request; None: nothing.
    """

    id: str
    phase: GenerationPhase
    prompt: str | None = None
    created_at: datetime | None = None
    placed: Span | None = None
    video_url: str | None = None
    percent: int | None = None
    queue_position: int | None = None
    failure: FailureKind | None = None
    message: str | None = None
    said_state: str | None = None
    mark: str | None = None

    @property
    def created(self) -> Span | None:
        """Return when it was created, by the provider's clock, as far as that is known."""
        return self.placed if self.created_at is None else Span(self.created_at, self.created_at)


class ProviderError(Exception):
    """A read (status, list, balance) did not succeed; reads are free and can be repeated."""


class UnreachableError(ProviderError):
    """No answer, or a 5xx: try again later."""


class ThrottledError(ProviderError):
    """Too many requests (429); ``retry_after`` in seconds, None if the provider did not say."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TokenRefusedError(ProviderError):
    """401, or a balance that answers 403: every request fails until the token is replaced."""


class ForbiddenError(ProviderError):
    """403 on one read: it concerns that read, unless the balance is refused as well."""


class UnknownGenerationError(ProviderError):
    """404 on a status: never an end by itself (money.md, *Overdue*)."""


class WrongAddressError(ProviderError):
    """404 or 405 on a call that has no id, or an answer of another shape: not this API."""


class Provider(Protocol):
    """A provider of videos; all reads may raise :class:`ProviderError`.

    Ids of generations are those of :func:`named_id`, in and out.
    """

    list_limit: int
    """Generations on one page of the list, at most."""

    families: Mapping[str, Family]
    """All that it has, by name."""

    @property
    def clock_ahead(self) -> timedelta | None:
        """Return by how much the provider's clock is ahead, by its last answer; None: unknown."""

    def kind(self, request: GenerationRequest) -> Kind:
        """Return which price the request has."""

    def times(self, kind: str) -> Times:
        """Return how long generations of a kind take, by its key."""

    def marked(self, request: GenerationRequest, secret: str) -> Marked:
        """Put a mark made of a random secret into a request, as :attr:`Generation.mark` shows it.

        It stays as it is where it can't be marked. What a user has chosen is never replaced by one.
        """

    async def submit(
        self, request: GenerationRequest, idempotency_key: str, may_send: Callable[[], bool]
    ) -> SubmitOutcome:
        """Buy one generation: one POST, sent at most once, never repeated by any layer below.

        It never raises for anything that the network or the provider does; cancellation passes
        through, and whoever cancels must treat the attempt as in doubt.

        Args:
            request: with its mark (:meth:`marked`).
            idempotency_key: a UUID kept with the attempt.
            may_send: asked once, just before the request is written; False means :class:`Unsent`,
                because the process slept past its intent.
        """

    async def generation(self, generation_id: str) -> Generation:
        """Look one generation up."""

    async def generations(self, family: str, limit: int, offset: int) -> Sequence[Generation]:
        """Read one page of a family's list, newest first; never of a ``blind`` one."""

    async def balance(self) -> Micros:
        """Read the account's money. Raises :class:`ProviderError`."""
