"""Earlier work: rows whose prompts exist in the account already, made by nobody in this database.

A lost database, a run on another machine, videos made by hand: before such rows are bought, a
person says whether they are to be taken over at no cost, or bought again (money.md, *Orphans and
earlier work*). The list shows prompts, not durations or orientations: so does the comparison.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from .account_list import read_page
from .clock import Clock
from .provider import Generation, GenerationPhase, Provider
from .store import Store, takeovers
from .text import text_key

MOST_PAGES = 20
"""Pages of the list that are looked through: the account's last 2,000 generations."""


@dataclass(frozen=True, slots=True)
class Match:
    """A queued job, and a generation of the account with its prompt."""

    job_id: int
    generation: Generation


@dataclass(frozen=True, slots=True)
class EarlierWork:
    """What was found.

    Attributes:
        matches: jobs that need not be bought.
        jobs: how many jobs were looked for.
    """

    matches: Sequence[Match]
    jobs: int

    @property
    def finished(self) -> int:
        """Count the videos that are there already."""
        return sum(m.generation.phase is GenerationPhase.COMPLETED for m in self.matches)


async def find_earlier(
    store: Store, provider: Provider, clock: Clock, batch_ids: Sequence[int]
) -> EarlierWork:
    """Look through the account's list for the prompts of jobs that were never submitted.

    What belongs to an attempt of ours is none of it, nor are prompts of attempts in doubt: those
    may be theirs.

    Raises:
        ProviderError: the list can't be read.
    """
    jobs = store.read(lambda connection: takeovers.count_new(connection, batch_ids))
    found = await _unknown_generations(store, provider, clock) if jobs else []
    if not found:
        return EarlierWork((), jobs)
    by_text: dict[str, deque[Generation]] = {}
    for generation in sorted(found, key=lambda g: g.phase is not GenerationPhase.COMPLETED):
        by_text.setdefault(text_key(generation.prompt or ""), deque()).append(generation)

    def match(connection: Connection) -> list[Match]:
        doubtful = {text_key(prompt) for prompt in takeovers.doubtful_prompts(connection)}
        matches: list[Match] = []
        for job_id, prompt in takeovers.new_jobs(connection, batch_ids):
            key = text_key(prompt)
            candidates = None if key in doubtful else by_text.get(key)
            if candidates:
                matches.append(Match(job_id, candidates.popleft()))
        return matches

    return EarlierWork(tuple(store.read(match)), jobs)


async def _unknown_generations(store: Store, provider: Provider, clock: Clock) -> list[Generation]:
    """Read the list; failed generations are no work that could be taken over."""
    found: dict[str, Generation] = {}
    for page in range(MOST_PAGES):
        seen = await read_page(provider, clock, page * provider.list_limit)
        found |= {g.id: g for g in seen if g.prompt and g.phase is not GenerationPhase.FAILED}
        if len(seen) < provider.list_limit:
            break
    ours = store.read(lambda connection: takeovers.known_ids(connection, list(found)))
    return [generation for generation in found.values() if generation.id not in ours]


def take_over(store: Store, work: EarlierWork, now: datetime) -> int:
    """Make the matched generations the jobs' own, at no cost; returns how many landed."""

    def write(connection: Connection) -> int:
        return sum(
            takeovers.take_over(connection, match.job_id, match.generation.id, now)
            for match in work.matches
        )

    return store.write(write)
