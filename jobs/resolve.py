"""Settling a doubt by a person's word."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from .account_list import Reading, read_back
from .clock import Clock, passed_since
from .echo import resembles
from .errors import NotAllowedError
from .provider import Generation, Provider, UnknownGenerationError
from .states import FOUND, AttemptState, JobState
from .store import Store, accounts, doubts, outcomes, takeovers, views
from .suspects import WIDE, Suspect
from .text import folded_id, prompt_key, same_text
from .witness import judge


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
    store.read(lambda connection: _refuse_taken(connection, generation_id))
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
        _refuse_taken(connection, generation_id)  # a run may have found its attempt meanwhile
        if waits:
            ahead = (provider.clock_ahead or timedelta(0)).total_seconds()
            return takeovers.take_over(connection, job.id, found, now, ahead)
        return outcomes.adopt(connection, job.attempt_id, generation_id, now)

    landed = store.write(adopt)
    _must_have_landed(job, landed=landed)


def _refuse_taken(connection: Connection, generation_id: str) -> None:
    owner = views.attempt_of_generation(connection, generation_id)
    if owner is not None:
        raise NotAllowedError(
            f"generation {generation_id} belongs to job {owner.key!r} of {owner.batch!r} already"
        )


@dataclass(frozen=True, slots=True)
class Search:
    """What one look at the account's list says of a doubt.

    Attributes:
        found: how many generations the doubt could be.
        trouble: why it proves nothing that it shows no other, for people; empty where it does.
    """

    found: int
    trouble: str = ""


async def look_for(
    store: Store, provider: Provider, clock: Clock, job: Any, grace: timedelta
) -> Search:
    """Look once at the account's list for what a doubt could be, and keep what is found.

    Generations of the prompt count, as far back as the doubt may reach, that no attempt has.

    Args:
        store: the job table.
        provider: whose list is read.
        clock: time.
        job: from :func:`jobs.store.views.find_job`.
        grace: for which the list may be behind, at least.

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
        request=attempt.request_key or "",
        sent_from=attempt.intent_at,
        sent_until=attempt.doubt_since or attempt.send_before,
        offset=offset,
    )
    reading = await read_back(provider, clock, suspect.wide_from)
    alike = [one for one in reading.generations if could_be(suspect, one)]

    def keep(connection: Connection) -> Search:
        ours = doubts.known(connection, [one.id for one in alike])
        found = [one for one in alike if one.id not in ours]
        if found:
            doubts.note_candidates(connection, attempt.id, found)
        return Search(len(found), _trouble(connection, suspect, reading, grace))

    return store.write(keep)


def _trouble(connection: Connection, suspect: Suspect, reading: Reading, grace: timedelta) -> str:
    """Say why a reading proves nothing of a doubt; empty where it shows all that we know."""
    if not reading.covers(suspect.wide_from):
        return f"the list could not be read back to {suspect.wide_from:%Y-%m-%d %H:%M} without gaps"
    since = suspect.sent_from - WIDE + timedelta(minutes=1)
    known = doubts.known(connection, [one.id for one in reading.generations])
    expected = doubts.expected(connection, suspect.attempt_id, since)
    ours = reading.to_the_end and bool(accounts.known_generations(connection))
    if not (known or expected or ours):
        return ""  # nothing is known that it would have to show
    lag = accounts.list_lag(connection)
    tolerance = timedelta(seconds=max(grace.total_seconds(), lag or 0.0))
    return judge(reading, list(known.values()), expected, tolerance, lag).trouble


def could_be(suspect: Suspect, seen: Generation) -> bool:
    """Return whether a generation could be a doubt's: its prompt, and not older than it.

    A list may alter prompts, so one that resembles it counts as well.
    """
    alike = seen.prompt is not None and resembles(suspect.prompt, seen.prompt)
    return alike and (seen.created_at is None or seen.created_at >= suspect.wide_from)


def resolve_never_made(
    store: Store, clock: Clock, job: Any, *, grace: timedelta, force: bool, trouble: str = ""
) -> None:
    """Settle a doubt by a person's word: nothing was created; the job is queued again.

    Args:
        store: the job table.
        clock: time.
        job: from :func:`jobs.store.views.find_job`.
        grace: after which nothing turns up any more.
        force: whatever stands against it.
        trouble: why a look at the list proves nothing, for people.

    Raises:
        NotAllowedError: the job is not in doubt, its grace is not known to be over, there are
            generations that it could be, or nothing shows that there is none.
    """
    _must_be_in_doubt(job)
    now = clock.now()
    attempt = store.read(lambda connection: views.attempts_of(connection, job.id))[-1]
    # not by the wall clock where that can be helped: whoever corrects it must not shorten the grace
    since = max(attempt.doubt_since or attempt.send_before, attempt.send_before)
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
    if trouble and not force:
        raise NotAllowedError(
            f"whether {job.key!r} was made can't be seen: {trouble}. Look at the account's "
            "generations on the provider's own page, then say --force to pay again if it was"
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
