"""Settling a doubt by a person's word."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from .clock import Clock, passed_since
from .errors import NotAllowedError
from .provider import Provider, UnknownGenerationError
from .states import AttemptState, JobState
from .store import Store, holding, outcomes, takeovers, views
from .text import folded_id, same_text


async def resolve_as(
    store: Store,
    provider: Provider,
    clock: Clock,
    job: Any,
    generation_id: str,
    *,
    force: bool,
) -> None:
    """Settle a doubt by a person's word: this generation is the job's.

    A queued job that waits because the account may have its video takes it over at no cost.

    Args:
        store: the job table.
        provider: asked whether the generation exists and carries the prompt.
        clock: time.
        job: from :func:`jobs.store.views.find_job`.
        generation_id: as the provider calls it.
        force: take it although its prompt is another.

    Raises:
        NotAllowedError: the job is not in doubt and waits for no video, or the generation is not
            its own.
        ProviderError: the provider did not answer.
    """
    waits = job.state == JobState.QUEUED and job.held_back in holding.FOUND
    if not waits:
        _must_be_in_doubt(job)
    generation_id = folded_id(generation_id)
    owner = store.read(lambda connection: views.attempt_of_generation(connection, generation_id))
    if owner is not None:
        raise NotAllowedError(
            f"generation {generation_id} belongs to job {owner.key!r} of {owner.batch!r} already"
        )
    try:
        found = await provider.generation(generation_id)
    except UnknownGenerationError as error:
        raise NotAllowedError(
            f"the account has no generation {generation_id}; "
            "'batchsora show' and the provider's own page list what there is"
        ) from error
    if not force and (found.prompt is None or not same_text(found.prompt, job.prompt)):
        raise NotAllowedError(
            f"generation {generation_id} was made from another prompt; "
            "say --force if it is this job's all the same"
        )
    now = clock.now()

    def adopt(connection: Connection) -> bool:
        if waits:
            ahead = (provider.clock_ahead or timedelta(0)).total_seconds()
            return takeovers.take_over(connection, job.id, found, now, ahead)
        return outcomes.adopt(connection, job.attempt_id, generation_id, now)

    landed = store.write(adopt)
    _must_have_landed(job, landed=landed)


def resolve_never_made(
    store: Store, clock: Clock, job: Any, *, grace: timedelta, force: bool
) -> None:
    """Settle a doubt by a person's word: nothing was created; the job is queued again.

    Raises:
        NotAllowedError: the job is not in doubt, or its grace is not known to be over.
    """
    _must_be_in_doubt(job)
    now = clock.now()
    attempt = store.read(lambda connection: views.attempts_of(connection, job.id))[-1]
    # not by the wall clock where that can be helped: whoever corrects it must not shorten the grace
    since = max(attempt.doubt_since, attempt.send_before)
    passed = passed_since(attempt.doubt_clock, clock.boot(), since, now)
    if passed is None and not force:
        raise NotAllowedError(
            f"this machine's clock says {now:%Y-%m-%d %H:%M} UTC, and the submission of "
            f"{job.key!r} went in doubt at {since:%Y-%m-%d %H:%M}: one of both is wrong, so "
            "nobody can tell whether it may still turn up. Look at the account's generations, "
            "then say --force"
        )
    if passed is not None and passed < grace and not force:
        ends = now + grace - passed
        raise NotAllowedError(
            f"the submission of {job.key!r} may still turn up until {ends:%H:%M:%S} UTC; "
            "look at the account's generations then, or say --force to pay again if it does"
        )
    landed = store.write(
        lambda connection: outcomes.void(
            connection, job.attempt_id, "a person said that it was never made", now
        )
    )
    _must_have_landed(job, landed=landed)


def _must_be_in_doubt(job: Any) -> None:
    if job.attempt_state != AttemptState.IN_DOUBT:
        raise NotAllowedError(f"job {job.key!r} is {job.state}, not in doubt: nothing to resolve")


def _must_have_landed(job: Any, *, landed: bool) -> None:
    if not landed:
        raise NotAllowedError(f"job {job.key!r} is no longer in doubt: it was settled meanwhile")
