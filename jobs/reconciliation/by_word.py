"""Settling a doubt on a person's word."""

from dataclasses import dataclass, replace
from datetime import timedelta

from ..evidence.account_list import Reading, read_back
from ..evidence.echo import resembles
from ..evidence.suspects import WIDE, Suspect
from ..evidence.witness import judge
from ..model.clock import Clock, passed_since
from ..model.errors import (
    CandidatesError,
    NotInDoubtError,
    NotIts,
    NotItsGenerationError,
    TakenGenerationError,
    TooEarlyError,
    UnprovenError,
    WrongClockError,
)
from ..model.provider import (
    Generation,
    Provider,
    UnknownGenerationError,
)
from ..model.states import FOUND, AttemptState, JobState
from ..model.text import folded_id, prompt_key, same_text
from ..ports.doubts import Searched
from ..ports.job_store import JobStore
from ..ports.seen import GenerationOwner, JobRow
from .account_lists import order_of


async def resolve_as(
    store: JobStore,
    provider: Provider,
    clock: Clock,
    job: JobRow,
    generation_id: str,
    *,
    force: bool,
) -> None:
    """Settle a doubt on a person's word: this generation is the job's.

    A queued job that waits because the account may have its video takes it over at no cost.
    ``force``: take it although its prompt differs.

    Raises:
        NotAllowedError: the job does not wait for it, or the generation is not its own.
        ProviderError: the provider did not answer.
    """
    waits = job.state == JobState.QUEUED and job.held_back in FOUND
    attempt_id = None if waits else _must_be_in_doubt(job)
    generation_id = folded_id(generation_id)
    _refuse_taken(generation_id, store.doubts.owner_of(generation_id))
    try:
        found = await provider.generation(generation_id)
    except UnknownGenerationError as error:
        raise NotItsGenerationError(generation_id, NotIts.UNKNOWN) from error
    if not force and (found.prompt is None or not same_text(found.prompt, job.prompt)):
        raise NotItsGenerationError(generation_id, NotIts.OTHER_PROMPT)
    now = clock.now()
    landed: GenerationOwner | bool
    if attempt_id is None:
        ahead = (provider.clock_ahead or timedelta(0)).total_seconds()
        landed = store.adoption.take_over_by_word(job.id, found, now, ahead)
    else:
        landed = store.doubts.adopt(attempt_id, generation_id, now)
    if isinstance(landed, GenerationOwner):  # a run has found its attempt in between
        _refuse_taken(generation_id, landed)
    else:
        _must_have_landed(job, landed=landed)


def _refuse_taken(generation_id: str, owner: GenerationOwner | None) -> None:
    if owner is not None:
        raise TakenGenerationError(generation_id, owner.key, owner.batch)


@dataclass(frozen=True, slots=True)
class Search:
    """How many generations a doubt could be, by one look at the list."""

    found: int
    trouble: str = ""  # why the absence of others proves nothing, for people


async def look_for(
    store: JobStore, provider: Provider, clock: Clock, job: JobRow, grace: timedelta
) -> Search:
    """Search the account's list once for what a doubt could be, and keep what is found.

    Generations with its prompt that no attempt has count, as far back as the doubt may reach. The
    list may be late by ``grace``, at least. NotAllowedError: the job is not in doubt.

    Raises:
        NotAllowedError: the job is not in doubt.
        ProviderError: the list can't be read.
    """
    _must_be_in_doubt(job)
    doubt = store.doubts.of_job(job.id)
    attempt = doubt.attempt
    order = order_of(store, provider.families[attempt.family], {})
    offset = doubt.offset if order is None or doubt.offset.measured else doubt.offset.by_order()
    suspect = Suspect(attempt, prompt_key(attempt.prompt), offset)
    reading = await read_back(provider, clock, attempt.family, suspect.wide_from, order)
    if not reading.by_order:
        suspect = replace(suspect, offset=doubt.offset)
    alike = [one for one in reading.generations if could_be(suspect, one)]
    since = attempt.intent_at - WIDE + timedelta(minutes=1)
    known = store.doubts.search(attempt.id, reading, alike, since)
    return Search(known.found, _trouble(suspect, reading, known, grace))


def _trouble(suspect: Suspect, reading: Reading, known: Searched, grace: timedelta) -> str:
    """Return why a reading proves nothing of a doubt; empty if it shows all that we know."""
    if not reading.covers(suspect.wide_from):
        return f"the list could not be read back to {suspect.wide_from:%Y-%m-%d %H:%M} without gaps"
    if not (known.ours or known.expected or (reading.to_the_end and known.any_ours)):
        return ""  # nothing is known that it would have to show
    tolerance = timedelta(seconds=max(grace.total_seconds(), known.lag or 0.0))
    ours = list(known.ours.values())
    return judge(reading, ours, known.expected, tolerance, known.lag).trouble


def could_be(suspect: Suspect, seen: Generation) -> bool:
    """Check whether a generation could be a doubt's: a prompt that resembles it, and not older."""
    alike = seen.prompt is not None and resembles(suspect.attempt.prompt, seen.prompt)
    return alike and (seen.created is None or seen.created.until >= suspect.wide_from)


def resolve_never_made(
    store: JobStore,
    clock: Clock,
    job: JobRow,
    *,
    grace: timedelta,
    force: bool,
    trouble: str = "",
) -> None:
    """Settle a doubt on a person's word: nothing was created; the job is queued again.

    ``grace``: after which nothing turns up any more; ``trouble``: why a look at the list proves
    nothing, for people; ``force``: ignore all objections.

    Raises:
        NotAllowedError: the job is not in doubt, its grace is not known to be over, there are
            generations that it could be, or nothing proves that there is none.
    """
    attempt_id = _must_be_in_doubt(job)
    now = clock.now()
    doubt = store.doubts.of_job(job.id)
    # by the wall clock only if nothing better exists: correcting it must not shorten the grace
    since = max(doubt.attempt.sent_until, doubt.send_before)
    passed = passed_since(doubt.doubt_clock, clock.boot(), since, now)
    if passed is None and not force:
        raise WrongClockError(job.key, now, since)
    if passed is not None and passed < grace and not force:
        raise TooEarlyError(job.key, now + grace - passed)
    if doubt.candidates and not force:
        raise CandidatesError(job.key, doubt.candidates)
    if trouble and not force:
        raise UnprovenError(job.key, trouble)
    landed = store.doubts.void(attempt_id, "a person said that it was never made", now)
    _must_have_landed(job, landed=landed)


def _must_be_in_doubt(job: JobRow) -> int:
    if job.attempt_id is None or job.attempt_state != AttemptState.IN_DOUBT:
        raise NotInDoubtError(job.key, job.state)
    return job.attempt_id


def _must_have_landed(job: JobRow, *, landed: bool) -> None:
    if not landed:
        raise NotInDoubtError(job.key, "")
