"""The engine's provider: errors of the client become outcomes, models become generations."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final

import jobs.model.provider as engine
from batchsora.providers.model import START
from batchsora.providers.runblob import causes, errors
from batchsora.providers.runblob.asked import asked_of
from batchsora.providers.runblob.catalog import FAMILIES, MARKS, MODELS, SORA
from batchsora.providers.runblob.client import RunBlobClient
from batchsora.providers.runblob.failures import failure_kind
from batchsora.providers.runblob.models import GenerationInfo, usable_named_id
from jobs.model.families import FIRST_MODEL, Kind, Times, family_of, named_id
from jobs.model.money import Micros, to_micros
from jobs.model.states import FailureKind

GATEWAY: Final = frozenset({407, 502, 503, 504, 520, 521, 522, 523, 524})
"""Statuses with which something in front of the API answers: a proxy, a load balancer."""

_CAUSES: Final[dict[causes.Cause | None, engine.RefusalCause]] = {
    causes.Cause.FUNDS: engine.RefusalCause.FUNDS,
    causes.Cause.ACCOUNT: engine.RefusalCause.ACCOUNT,
}

_PHASES: Final = {phase.value: phase for phase in engine.GenerationPhase}


class RunBlobProvider:
    """The engine's provider; ``patience``: seconds a submission waits for other images."""

    list_limit = 100
    families = FAMILIES

    def __init__(self, client: RunBlobClient, patience: float = 10.0) -> None:
        self._client = client
        self._patience = patience

    @property
    def clock_ahead(self) -> timedelta | None:
        """Return how far the API's clock is ahead of ours, by its last answer."""
        return self._client.clock_ahead

    def kind(self, request: engine.GenerationRequest) -> Kind:
        """Return which price the request has."""
        return MODELS[request.model].kind_of(request)

    def times(self, kind: str) -> Times:
        """Return how long generations of a kind take."""
        # a database may know models that are sold no longer
        return MODELS.get(Kind.parse(kind).model, SORA).times

    def marked(self, request: engine.GenerationRequest, secret: str) -> engine.Marked:
        """Put a seed made of the secret into a request of a model that shows it in its list."""
        return marked(request, secret)

    async def submit(
        self, request: engine.GenerationRequest, idempotency_key: str, may_send: Callable[[], bool]
    ) -> engine.SubmitOutcome:
        """Buy one generation; its images were looked at before ``may_send`` is asked."""
        if (unknown := unknown_in(request)) is not None:
            return engine.Rejected(FailureKind.VALIDATION, unknown)
        images = {**({START: request.image} if request.image else {}), **request.images}
        asked = asked_of(
            MODELS[request.model],
            request.prompt,
            request.orientation,
            request.duration,
            request.callback_url,
            request.parameters,
            images,
        )
        try:
            made = await self._client.send(asked, idempotency_key, may_send, self._patience)
        except errors.RunBlobError as error:
            return outcome_of(error, request.prompt, with_image=bool(images))
        return engine.Accepted(
            made.generation_id, None if made.price is None else to_micros(made.price)
        )

    async def generation(self, generation_id: str) -> engine.Generation:
        """Look up one generation."""
        if usable_named_id(generation_id) is None:
            raise engine.UnknownGenerationError("not a valid generation id")
        with _reading():
            return generation_of(await self._client.status(generation_id), generation_id)

    async def generations(
        self, family: str, limit: int, offset: int
    ) -> Sequence[engine.Generation]:
        """Read one page of a family's list, newest first, nothing left out."""
        with _reading():
            found = await self._client.list_generations(limit, offset, family=family)
            return [generation_of(item, item.generation_id, family) for item in found]

    async def balance(self) -> Micros:
        """Read the account's money."""
        try:
            with _reading():
                return to_micros(await self._client.get_balance())
        except engine.ForbiddenError as error:  # this request should work: it is the token's
            raise engine.TokenRefusedError(str(error)) from error


@contextmanager
def _reading() -> Iterator[None]:
    """Raise the engine's error for one of a read."""
    try:
        yield
    except errors.RunBlobError as error:
        raise read_error_of(error) from error


def read_error_of(error: errors.RunBlobError) -> engine.ProviderError:
    """Return what an error of a read means for the engine."""
    if isinstance(error, errors.RateLimitedError):
        return engine.ThrottledError(str(error), error.retry_after)
    for kind, meaning in _READ_ERRORS:
        if isinstance(error, kind):
            return meaning(str(error))
    return engine.ProviderError(str(error))


def marked(request: engine.GenerationRequest, secret: str) -> engine.Marked:
    """Put a seed made of the secret into a request of a model that shows it in its list."""
    model = MODELS[request.model]
    if model.mark is None or model.mark in request.parameters:
        return engine.Marked(request)
    rule = model.parameters[model.mark]
    least, most = int(rule.least or 0), int(rule.most or 0)
    made = int.from_bytes(hashlib.sha256(secret.encode()).digest(), "big")
    value = least + made % (most - least + 1)
    parameters = {**request.parameters, model.mark: value}
    return engine.Marked(replace(request, parameters=parameters), mark_of(model.mark, value))


def unknown_in(request: engine.GenerationRequest) -> str | None:
    """Return what of a request can't be sent, for people; None if all of it can."""
    if (model := MODELS.get(request.model)) is None:
        return f"unknown model {request.model!r}; available: {', '.join(MODELS)}"
    unknown = sorted(request.parameters.keys() - model.parameters.keys())
    return f"the model {model.name} does not support {', '.join(unknown)}" if unknown else None


_REFUSALS: Final = (
    (errors.ForbiddenError, engine.RefusalCause.ACCESS),  # 403; before its base, 401
    (errors.BadTokenError, engine.RefusalCause.TOKEN),
    (errors.AccountError, engine.RefusalCause.ACCOUNT),
    (errors.InsufficientCreditsError, engine.RefusalCause.FUNDS),
    (errors.WrongAddressError, engine.RefusalCause.ADDRESS),
)
"""Errors of ``generate`` that stand for every submission."""


_ASKS_WORDS: Final = frozenset({400, 403, 422})
"""Statuses that leave it to the words what was refused: they may be about this one row."""


def outcome_of(
    error: errors.RunBlobError, prompt: str = "", *, with_image: bool
) -> engine.SubmitOutcome:
    """Return what an error of ``generate`` means: a whitelist, everything else is in doubt."""
    message = str(error)
    for kind, cause in _REFUSALS:
        if isinstance(error, kind):
            return engine.Refused(cause, message, sure=error.status not in _ASKS_WORDS)
    match error:
        case errors.ValidationError():
            return _rejected(error, prompt, with_image=with_image)
        case errors.RateLimitedError():
            return engine.Throttled(error.retry_after, message)
        case errors.UnreachableError():
            return engine.Unsent(message, unreachable=True)
        case errors.WithheldError():
            return engine.Unsent(message, unreachable=False)
    doubted_for = _CAUSES.get(causes.cause_of(error.details, prompt))
    return engine.InDoubt(message, doubted_for, gateway=error.status in GATEWAY)


def _rejected(error: errors.ValidationError, prompt: str, *, with_image: bool) -> engine.Rejected:
    kind = FailureKind.VALIDATION
    if with_image and isinstance(error, errors.ImageError):
        kind = FailureKind.IMAGE
    elif error.status == 403:  # noqa: PLR2004 - moderation, see batchsora.providers.runblob.answers
        kind = FailureKind.CONTENT
    return engine.Rejected(
        kind, str(error), about_of(error, prompt), causes.gist(error.details, prompt)
    )


def about_of(error: errors.ValidationError, prompt: str = "") -> engine.About:
    """Return what a refusal is about, by the API's words."""
    if causes.names_callback(error.details):
        return engine.About.CALLBACK
    # before anything was sent there is no status: then it is our own reading of the row's image
    if error.status in (None, 413) or causes.is_the_rows(error.details, prompt):
        return engine.About.ROW
    return engine.About.UNCLEAR if causes.names_row(error.details) else engine.About.UNKNOWN


_READ_ERRORS: Final = (
    (errors.ForbiddenError, engine.ForbiddenError),
    (errors.BadTokenError, engine.TokenRefusedError),
    (errors.NotFoundError, engine.UnknownGenerationError),
    (errors.WrongAddressError, engine.WrongAddressError),
    (errors.UnreachableError, engine.UnreachableError),
    (errors.ServerError, engine.UnreachableError),
)


def generation_of(
    found: GenerationInfo, generation_id: str | None, family: str = FIRST_MODEL
) -> engine.Generation:
    """Turn a generation of the wire into the engine's.

    One without a usable id keeps its place in the list, under a name that no generation has and
    without a prompt: it can't be adopted, and still keeps a doubt from being settled as "never
    made". Nothing final is concluded from an unknown state.
    """
    phase = _PHASES.get(found.status or "", engine.GenerationPhase.UNKNOWN)
    failed = phase is engine.GenerationPhase.FAILED
    usable = generation_id is not None
    return engine.Generation(
        id=generation_id or named_id(family, _stand_in(found)),
        phase=phase,
        prompt=found.prompt if usable else None,
        created_at=found.created_at,
        video_url=found.video_url,
        percent=found.progress_pct,
        queue_position=found.progress_pos_in_queue,
        failure=(found.failure_kind or failure_kind(found.error_message)) if failed else None,
        message=found.error_message or (_end_of(found) if failed else None),
        said_state=found.said_state if phase is engine.GenerationPhase.UNKNOWN else None,
        mark=_mark(found, generation_id),
    )


def mark_of(parameter: str, value: int) -> str:
    """Write a mark, as the engine compares it."""
    return f"{parameter}={value}"


_LONGEST_SEED: Final = 20  # digits


def _seed(value: object) -> int | None:
    """Read a seed, from a number or digits; None if it is not one."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value) if len(value) <= _LONGEST_SEED else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _mark(found: GenerationInfo, generation_id: str | None) -> str | None:
    """Read a mark; one that nobody can have asked for is hidden: it must not look like others'."""
    marked = None if generation_id is None else MARKS.get(family_of(generation_id))
    if marked is None:
        return None
    parameter, rule = marked
    value = _seed(found.get(parameter))
    return mark_of(parameter, value) if value is not None and rule.takes(value) else None


def _end_of(found: GenerationInfo) -> str | None:
    """Return how it ended, if the provider only gives a word for the end."""
    if found.said_state is None or found.said_state.lower() == "failed":
        return None
    return f"the provider says {found.said_state!r} and gives no reason"


def _stand_in(found: GenerationInfo) -> str:
    # its own fields alone: what else the API says may be nested without end
    content = repr([(name, getattr(found, name)) for name in GenerationInfo.model_fields])
    return f"unusable-{hashlib.sha256(content.encode('utf-8', 'replace')).hexdigest()[:16]}"
