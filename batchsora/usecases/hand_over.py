"""Hand jobs to the active runner, and say who buys them.

Jobs that ``retry`` and ``resume`` queue again (:func:`hand_over`), and what a page loads or
continues (:func:`look_and_hand`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from batchsora.composition.ownership import Endpoint
from batchsora.presentation import messages, run_end
from batchsora.settings import Settings
from batchsora.usecases.bought_already import OnExisting, settle_earlier
from batchsora.usecases.user_interface import UserInterface
from jobs.database.lock import current_runner, is_held, lasting_runner
from jobs.model.clock import Clock
from jobs.model.states import ASKED_BY_NAME
from jobs.ports.control import Handing, Room
from jobs.ports.selection import Sought
from jobs.runtime.run_context import PRICE_CEILING
from jobs.store import Store

CHUNK: Final = 500
"""Jobs that one transaction moves, so that a runner never waits for long."""


def chunks(job_ids: Sequence[int]) -> list[Sequence[int]]:
    """Split a list of jobs into parts for one transaction each."""
    return [job_ids[start : start + CHUNK] for start in range(0, len(job_ids), CHUNK)]


@dataclass(slots=True)
class Handed:
    """What became of jobs that were to be handed over.

    Attributes:
        served: a runner takes them, as soon as nothing is in their way.
        some: False if something is in the way of each of them.
        stuck: what is in the way of every run, for people.
    """

    served: bool = True
    some: bool = True
    stuck: list[str] = field(default_factory=list)

    def words(self, taken: str) -> str:
        """Return who buys them, if anyone does, and what is in the way of the rest."""
        return "; ".join([*([taken] if self.some else []), *self.stuck])


def hand_over(
    store: Store,
    settings: Settings,
    job_ids: Sequence[int],
    now: datetime,
    *,
    serves_batch: bool = False,
) -> str:
    """Hand jobs, and nothing else of their batches, to the active runner, if there is one.

    Args:
        now: decides which day's budget counts.
        serves_batch: the runner already serves their batch.
    """
    runner = lasting_runner(settings.database)
    held = is_held(settings.database)
    how = Handing.SERVED if serves_batch else Handing.ASKED
    handed = _handed(store, job_ids, now, how if runner is not None and held else Handing.NOTHING)
    if handed.served:
        return handed.words(f"the active run takes over ({runner})")
    runner = current_runner(settings.database) if held else None
    later = "" if runner is None else f" when the active run has ended ({runner})"
    return handed.words(f"'batchsora run' buys them{later}")


def look_and_hand(
    store: Store,
    place: Endpoint,
    batch_id: int,
    choice: OnExisting,
    clock: Clock,
    ui: UserInterface,
    *,
    jobs: Collection[int] | None = None,
) -> tuple[Handed | None, frozenset[int]]:
    """Search for rows as a run does before it buys, and hand over what does not exist yet.

    That includes rows nobody had asked for. If no runner is active any more, the rest is unchanged.

    Args:
        place: whose list is read.
        choice: what to do about what exists.
        jobs: only these, which were shown; None: the whole batch, unless any of it waits.

    Returns:
        What became of them, and those that wait; None if nothing was left to hand over.

    Raises:
        jobs.model.provider.ProviderError: the search failed, so nothing was handed over.
    """
    waiting: frozenset[int] = frozenset()
    if jobs is None or jobs:
        waiting = settle_earlier(store, place, Sought([batch_id]), choice, clock, ui).waiting
    if jobs is None and waiting:
        return None, waiting
    free = [job.id for job in store.queries.queued(batch_id, ASKED_BY_NAME)]
    meant = free if jobs is None else [number for number in jobs if number in set(free)]
    handed = _handed(store, meant, clock.now(), Handing.BY_NAME)
    return handed if free or not jobs else None, waiting


def _handed(store: Store, job_ids: Sequence[int], now: datetime, how: Handing) -> Handed:
    """Offer jobs in parts until no runner takes them, and see what room they have."""
    handed, found = Handed(), Room(some=False, blocked={})
    for chunk in chunks(job_ids) or [()]:
        offered = store.control.offer(
            chunk, now, how if handed.served else Handing.NOTHING, int(PRICE_CEILING)
        )
        handed.served = offered.served
        found |= offered.room
    handed.some, blocked = found.some, found.blocked
    stand = store.queries.statuses(list(blocked)) if blocked else []
    handed.stuck = messages.some([run_end.stuck(one, blocked[one.id]) for one in stand])
    return handed
