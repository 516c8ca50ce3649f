"""Looking for rows while a run goes on, before it buys them: in our own past, and in the list."""

import logging
from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from .context import RunContext
from .earlier import EarlierWork, find_earlier, settled, write_held
from .looked_for import Wish
from .ports.selection import Sought
from .provider import ProviderError, RefusalCause, ThrottledError, TokenRefusedError
from .reconcile import Reconciler
from .states import HeldBack
from .store import holding, late, past, takeovers

log = logging.getLogger(__name__)

NAP = 1.0
"""Seconds between two looks whether a row waits."""

APART = 30.0
"""Seconds between two readings of the list: rows that come to wait meanwhile share one."""


class LateLook:
    """Looks until it is cancelled, whenever a row waits for it.

    Args:
        context: of the run.
        reconciler: looks at what may have come late.
    """

    def __init__(self, context: RunContext, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self._store = context.store
        self._provider = context.provider
        self._clock = context.clock
        self._gate = context.gate
        self._looked_for = context.looked_for
        self._next = 0.0

    async def run(self) -> None:
        """Look for what waits, for ever; ends by itself only on a refused token."""
        while True:
            waiting = self._looked_for.waiting
            if waiting and self._clock.monotonic() >= self._next:
                await self._look(waiting)
                if self._gate.refusal is RefusalCause.TOKEN:
                    return
                self._next = self._clock.monotonic() + APART
                self._gate.wake()
            await self._clock.sleep(NAP)

    async def _look(self, jobs: Collection[int]) -> None:
        """Hold back what the account has already, or what could not be looked for."""
        try:
            if self._looked_for.again & set(jobs):
                await self._reconciler.look_at_voids()
            typed = self._store.read(lambda connection: late.typed(connection, jobs))
            self._looked_for.looked(typed, typed)  # they are wanted anew
            jobs = [number for number in jobs if number not in typed]
            if not jobs:
                return
            sought = await self._store.commit(lambda connection: self._hold_paid(connection, jobs))
            work = await find_earlier(self._store, self._provider, self._clock, sought)
        except (ThrottledError, TokenRefusedError) as error:
            self._gate.heed(error)
            if self._gate.refusal is not RefusalCause.TOKEN:
                await self._hold(jobs, error)
        except ProviderError as error:
            await self._hold(jobs, error)
        else:
            self._looked_for.looked(jobs, await self._store.commit(lambda c: _written(c, work)))
            found = {one.job_id for one in work.matches} & set(jobs)
            if found or work.not_looked:
                log.warning(
                    "%d row(s) are not bought now: of %d the account has a video that nobody here "
                    "bought, and the list does not tell of the others",
                    len(found) + len(work.not_looked),
                    len(found),
                )

    def _hold_paid(self, connection: Connection, jobs: Collection[int]) -> Sought:
        """Hold back what this database has paid for; returns what the list is read for."""
        found = past.hold_late(connection, jobs)
        for one in found:
            self._looked_for.take(one.batch_id, one.paid.attempt_id)
        if found:
            log.warning(
                "%d row(s) are not bought now: this database has paid for the same under another "
                "batch or row",
                len(found),
            )
        left = set(jobs) - {one.job_id for one in found}
        return holding.note(connection, Sought((), jobs=late.with_awaiting(connection, left)))

    async def _hold(self, jobs: Collection[int], error: ProviderError) -> None:
        def work(connection: Connection) -> tuple[int, Mapping[int, Wish]]:
            unsaid = late.without_a_word(connection, jobs)
            said = Sought((), jobs=set(jobs) - set(unsaid))
            held = holding.hold_back(connection, dict.fromkeys(unsaid), HeldBack.NOT_LOOKED)
            return held, takeovers.wishes(connection, said)

        held, wishes = await self._store.commit(work)
        self._looked_for.looked(jobs, wishes)
        if held:
            log.warning(
                "%d row(s) are not bought now: whether the account has them already could not be "
                "looked up: %s",
                held,
                error,
            )


def _written(connection: Connection, work: EarlierWork) -> Mapping[int, Wish]:
    write_held(connection, work)
    return settled(connection, work)
