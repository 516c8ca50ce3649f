"""Settling a doubt by a person's word."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from .account_list import read_back
from .clock import Clock, passed_since
from .echo import resembles
from .errors import NotAllowedError
from .provider import Generation, Provider, UnknownGenerationError
from .states import FOUND, AttemptState, JobState
from .store import Store, doubts, outcomes, takeovers, views
from .suspects import Suspect
from .text import folded_id, prompt_key, same_text


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
    waits = job.state == JobState.QUEUED and job.held_back in FOUND
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


async def look_for(store: Store, provider: Provider, clock: Clock, job: Any) -> int:
    """Look once at the account's list for what a doubt could be, and keep what is found.

    Generations of the prompt count, as far back as the doubt may reach, that no attempt has.

    Returns:
        How many there are.

    Raises:
        NotAllowedError: the job is not in doubt.
        ProviderError: the list can't be read.
    """
    _must_be_in_doubt(job)
    attempt = store.read(lambda connection: views.attempts_of(connection, job.id))[-1]
    offset = store.read(lambda connection: doubts.clock_offset(connection, attempt.id))
    suspect = Suspect(
        attempt_id=attempt.id,
        state=attempt.state,
        prompt=attempt.prompt,
        key=prompt_key(attempt.prompt),
        fingerprint=attempt.fingerprint or "",
        sent_from=attempt.intent_at,
        sent_until=attempt.doubt_since or attempt.send_before,
        offset=offset,
    )
    reading = await read_back(provider, clock, suspect.wide_from)
    alike = [one for one in reading.generations if could_be(suspect, one)]

    def keep(connection: Connection) -> int:
        ours = doubts.known(connection, [one.id for one in alike])
        found = [one for one in alike if one.id not in ours]
        if found:
            doubts.note_candidates(connection, attempt.id, found)
        return len(found)

    return store.write(keep)


def could_be(suspect: Suspect, seen: Generation) -> bool:
    """Return whether a generation could be a doubt's: its prompt, and not older than it.

    A list may alter prompts, so one that resembles it counts as well.
    """
    alike = seen.prompt is not None and resembles(suspect.prompt, seen.prompt)
    return alike and (seen.created_at is None or seen.created_at >= suspect.wide_from)


def resolve_never_made(
    store: Store, clock: Clock, job: Any, *, grace: timedelta, force: bool
) -> None:
    """Settle a doubt by a person's word: nothing was created; the job is queued again.

    Raises:
        NotAllowedError: the job is not in doubt, its grace is not known to be over, or there are
            generations that it could be.
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
    if attempt.candidates and not force:
        raise NotAllowedError(
            f"the submission of {job.key!r} could be any of these generations, oldest first: "
            f"{'; '.join(_candidates(attempt.candidates))}. 'batchsora resolve "
            f"{shlex.quote(job.key)} --generation ID' takes one; --force pays again although one "
            "may be its own"
        )
    landed = store.write(
        lambda connection: outcomes.void(
            connection, job.attempt_id, "a person said that it was never made", now, on_word=True
        )
    )
    _must_have_landed(job, landed=landed)


def _candidates(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name generations, oldest first, with their states and times."""
    in_order = sorted(
        found,
        key=lambda one: (one["created_at"] is None, one["created_at"] or "", one["generation_id"]),
    )
    return [
        f"{one['generation_id']}, {one['status']}, {one['created_at'] or 'time unknown'}"
        for one in in_order
    ]


def _must_be_in_doubt(job: Any) -> None:
    if job.attempt_state != AttemptState.IN_DOUBT:
        raise NotAllowedError(f"job {job.key!r} is {job.state}, not in doubt: nothing to resolve")


def _must_have_landed(job: Any, *, landed: bool) -> None:
    if not landed:
        raise NotAllowedError(f"job {job.key!r} is no longer in doubt: it was settled meanwhile")
