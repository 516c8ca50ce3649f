"""Looks for rows during a run, before it buys them: in our own past, and in the list."""

import logging
from collections.abc import Collection

from ..model.provider import ProviderError, RefusalCause, ThrottledError, TokenRefusedError
from ..ports.selection import Sought
from ..reconciliation.adoption import find_earlier
from ..reconciliation.reconciler import Reconciler
from ..runtime.run_context import RunContext

log = logging.getLogger(__name__)

NAP = 1.0
"""Seconds between two checks whether a row waits."""

APART = 30.0
"""Seconds between two readings of the list: rows that begin to wait in between share one."""


class LateLook:
    """Looks until it is cancelled, whenever a row waits for it."""

    def __init__(self, context: RunContext, reconciler: Reconciler) -> None:
        self._run = context
        self._reconciler = reconciler
        self._next = 0.0

    async def run(self) -> None:
        """Look for what waits; ends only on a refused token."""
        while True:
            waiting = self._run.looked_for.waiting
            if waiting and self._run.clock.monotonic() >= self._next:
                await self._look(waiting)
                if self._run.health.refusal is RefusalCause.TOKEN:
                    return
                self._next = self._run.clock.monotonic() + APART
                self._run.health.wake()
            await self._run.clock.sleep(NAP)

    async def _look(self, jobs: Collection[int]) -> None:
        """Hold back what the account has already, or what could not be looked for."""
        try:
            if self._run.looked_for.again & set(jobs):
                await self._reconciler.look_at_voids()
            typed = self._run.store.adoption.typed(jobs)
            self._run.looked_for.looked(typed, typed)  # wanted again, as they were typed
            jobs = [number for number in jobs if number not in typed]
            if not jobs:
                return
            sought = await self._hold_paid(jobs)
            work = await find_earlier(self._run.store, self._run.provider, self._run.clock, sought)
        except (ThrottledError, TokenRefusedError) as error:
            self._run.health.heed(error)
            if self._run.health.refusal is not RefusalCause.TOKEN:
                await self._hold(jobs, error)
        except ProviderError as error:
            await self._hold(jobs, error)
        else:
            self._run.looked_for.looked(jobs, await self._run.store.adoption.hold_found(work))
            found = {one.job_id for one in work.matches} & set(jobs)
            if found or work.not_looked:
                log.warning(
                    "%d row(s) are not bought now: for %d the account has a video that was bought "
                    "elsewhere, and the list does not show the others",
                    len(found) + len(work.not_looked),
                    len(found),
                )

    async def _hold_paid(self, jobs: Collection[int]) -> Sought:
        """Hold back what this database has paid for; return what the list is read for.

        It is remembered before any later turn; a turn in the same transaction may let another row
        wait for the same purchase, which buys nothing.
        """
        held = await self._run.store.adoption.hold_paid(jobs)
        for batch_id, attempt_id in held.taken:
            self._run.looked_for.take(batch_id, attempt_id)
        if held.taken:
            log.warning(
                "%d row(s) are not bought now: this database has paid for the same in another "
                "batch or row",
                len(held.taken),
            )
        return held.sought

    async def _hold(self, jobs: Collection[int], error: ProviderError) -> None:
        unlooked = await self._run.store.adoption.hold_unlooked(jobs)
        self._run.looked_for.looked(jobs, unlooked.wishes)
        if unlooked.held:
            log.warning(
                "%d row(s) are not bought now: could not check whether the account has them: %s",
                unlooked.held,
                error,
            )
