"""Handing jobs to the runner that is alive, and saying truthfully who buys them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from batchsora.app import wording
from batchsora.app.progress import statuses
from batchsora.settings import Settings
from jobs.lock import current_runner, is_held, lasting_runner
from jobs.policy import PRICE_CEILING
from jobs.store import Store, handing, holding, room

CHUNK: Final = 500
"""Jobs that one transaction moves, so that a runner never waits for long."""


def chunks(job_ids: Sequence[int]) -> list[Sequence[int]]:
    """Cut a list of jobs into what one transaction changes."""
    return [job_ids[start : start + CHUNK] for start in range(0, len(job_ids), CHUNK)]


@dataclass(slots=True)
class Handed:
    """What became of jobs that were to be handed over.

    Attributes:
        served: a runner takes them up, as soon as nothing is in their way.
        some: False where something is in the way of each of them.
        stuck: what is in the way, for people; it holds for every run.
    """

    served: bool = True
    some: bool = True
    stuck: list[str] = field(default_factory=list)

    def words(self, taken: str) -> str:
        """Say who buys them, where anybody does, and what is in the way of the rest."""
        return "; ".join([*([taken] if self.some else []), *self.stuck])


def hand_over(
    store: Store,
    settings: Settings,
    job_ids: Sequence[int],
    now: datetime,
    *,
    serves_batch: bool = False,
) -> str:
    """Hand jobs, and nothing else of their batches, to the runner that serves, if there is one.

    Args:
        store: for writing.
        settings: of the command.
        job_ids: their numbers.
        now: decides which day's budget counts.
        serves_batch: the runner serves their batch anyway.

    Returns:
        Who buys them, or what is in their way.
    """
    runner = lasting_runner(settings.database)
    held = is_held(settings.database)

    def offer(connection: Connection, chunk: Sequence[int]) -> bool:
        alive = runner is not None and held
        return alive and handing.offer(connection, () if serves_batch else chunk)

    handed = _handed(store, job_ids, now, offer)
    if handed.served:
        return handed.words(f"the runner takes it up ({runner})")
    runner = current_runner(settings.database) if held else None
    later = "" if runner is None else f" when the runner has ended that works just now ({runner})"
    return handed.words(f"'batchsora run' goes on from there{later}")


def ask_for(store: Store, job_ids: Sequence[int], now: datetime) -> Handed:
    """Hand jobs to the runner that serves, also those that nobody had asked for.

    They were looked for; what was found is handed over to nobody. When no runner serves any more,
    the rest stays as it was.
    """

    def work(connection: Connection, chunk: Sequence[int]) -> bool:
        if handing.is_served(connection):
            holding.ask_by_name(connection, chunk)
        return handing.offer(connection, chunk)

    return _handed(store, job_ids, now, work)


def _handed(
    store: Store,
    job_ids: Sequence[int],
    now: datetime,
    offer: Callable[[Connection, Sequence[int]], bool],
) -> Handed:
    """Offer jobs, some in each transaction, until nobody takes them, and see what room they have.

    Args:
        store: for writing.
        job_ids: their numbers.
        now: decides which day's budget counts.
        offer: offers some of them; says whether a runner takes them up.
    """

    def work(connection: Connection, chunk: Sequence[int]) -> tuple[bool, room.Room]:
        there = room.in_the_way(connection, chunk, now, int(PRICE_CEILING))
        return handed.served and offer(connection, chunk), there

    handed, found = Handed(), room.Room(some=False, blocked={})
    for chunk in chunks(job_ids) or [()]:
        handed.served, there = store.write(lambda c, chunk=chunk: work(c, chunk))  # type: ignore[misc]
        found |= there
    handed.some, blocked = found.some, found.blocked
    stand = statuses(store, list(blocked)) if blocked else []
    handed.stuck = wording.some([wording.stuck(one, blocked[one.id]) for one in stand])
    return handed
