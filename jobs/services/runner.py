"""The runner: takes over what an earlier run left, then submits and polls until the run is over.

The caller holds the lock (:func:`jobs.database.lock.runner_lock`) and has upgraded the database.
"""

import asyncio
import logging
import random
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..evidence.elsewhere import Elsewhere, since_when
from ..evidence.looked_for import LookedFor
from ..evidence.suspects import WATCHED
from ..model.clock import Clock
from ..model.errors import OtherApiError, OtherToken, OtherTokenError
from ..model.families import family_of
from ..model.provider import (
    Provider,
    ProviderError,
    RefusalCause,
    TokenRefusedError,
    UnknownGenerationError,
)
from ..model.states import Reason
from ..ports.account import AccountStore
from ..ports.job_store import JobStore
from ..ports.purchases import Breach, LeftBehind, Lost, PurchaseStore, Recovery
from ..reconciliation.reconciler import Reconciler
from ..runtime.balance_monitor import BalanceMonitor
from ..runtime.provider_health import ProviderHealth
from ..runtime.run_context import Checkpoint, RunContext, RunPolicy, nothing
from ..runtime.troubles import TokenCheck
from ..store import Store
from .late_look import LateLook
from .poller import Poller
from .run_outcome import REFUSED, Ending
from .scheduler import Scheduler

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Owner:
    """Whose generations a database holds: an API and a token (kept out of every repr)."""

    origin: str
    token: str


class Runner:
    """One run over some batches of a database, and over jobs that are handed to it during the run.

    A ``checkpoint`` is called at named points (docs/development.md). ``binds``: the database is
    known to be the owner's, or a person said so. Otherwise it is not bound to the token, because
    from then on it would count as the owner's.
    """

    def __init__(
        self,
        store: Store,
        provider: Provider,
        owner: Owner,
        policy: RunPolicy,
        clock: Clock,
        chance: random.Random,
        checkpoint: Checkpoint = nothing,
        *,
        binds: bool = True,
    ) -> None:
        self._store = store
        self._purchases: PurchaseStore = store.purchases
        self._binds = binds
        self._provider = provider
        self._owner = owner
        self._clock = clock
        self._words = policy.words
        self.health = ProviderHealth(clock, chance, policy.unreachable_patience)
        elsewhere = Elsewhere(
            since_when(clock.now(), policy.looked_at), copies=policy.looked_at is not None
        )
        token = TokenCheck(provider, clock)
        self.id = f"{chance.getrandbits(64):016x}"
        context = RunContext(
            store,
            provider,
            clock,
            policy,
            self.health,
            chance,
            checkpoint,
            token,
            self.id,
            elsewhere=elsewhere,
            looked_for=LookedFor(
                policy.looked_for,
                self._purchases.newest_attempt(),
                past=policy.looked_at is not None,
            ),
        )
        self._looked_for = context.looked_for
        self._balance = BalanceMonitor(context)
        self._reconciler = Reconciler(context)
        self._scheduler = Scheduler(context, self._balance, self._reconciler)
        self._poller = Poller(context)
        self._late_look = LateLook(context, self._reconciler)
        self.recovery = Recovery(0, 0)
        self.left = LeftBehind((), (), 0)
        """What it served, once it has ended."""

    @property
    def reappeared(self) -> int:
        """Count the generations that turned up late, and are their rows' videos."""
        return self._reconciler.reappeared

    def stop(self) -> None:
        """Submit nothing more; end once the outcome of what is under way is written down."""
        self.health.stop()

    async def run(self, batch_ids: Iterable[int]) -> Ending:
        """Serve these batches, and jobs that are handed over during the run, until it is over.

        If it is cancelled, submissions under way are in doubt. DatabaseOwnerError,
        DatabaseUnusableError: the database is another account's, or can't be written any more.

        Raises:
            DatabaseOwnerError: the database belongs to another account or API.
            DatabaseUnusableError: the database can't be written any more.
        """
        wanted = list(batch_ids)
        self._take_over()
        if self.recovery.doubts:
            log.warning("%d submissions of an earlier run are in doubt", self.recovery.doubts)
        try:
            await check_owner(self._store, self._provider, self._owner)
        except TokenRefusedError as error:
            self.health.refuse(RefusalCause.TOKEN, str(error))
        if self.health.refusal is None and await self._balance.first_reading():
            await self._bind()
        if self._balance.age == float("inf"):
            ending = self._ending_before_start()
            self._purchases.refused(self._clock.now(), ending.reason, ending.message)
            return ending
        return await self._run(wanted)

    async def _run(self, wanted: Sequence[int]) -> Ending:
        await self._look_at_latecomers()
        self._purchases.serve(wanted, self._clock.now())
        ending: Ending | None = None
        try:
            ending = self._checked(await self._serve())
            if ending.reason not in (
                Reason.DATABASE,
                Reason.INTERRUPTED,
                Reason.UNREACHABLE,
                Reason.TOKEN,
            ):
                await self._balance.refresh()  # what the account holds now, for the status
            waits = self._words.after(ending.reason, ending.message)
            if waits is not None:
                self._purchases.wait(dict.fromkeys(wanted, waits), self._clock.now())
        except asyncio.CancelledError:
            ending = Ending(Reason.INTERRUPTED)
            raise
        else:
            return ending
        finally:
            self._leave(ending)

    async def _look_at_latecomers(self) -> None:
        """Look at what may have turned up late, before its replacement is bought.

        If that fails, the rows of voids are looked for again before they are bought.
        """
        since = self._clock.now() - WATCHED
        voided = self._purchases.follow_voids(since)
        for look in (self._reconciler.look_at_voids, self._poller.look_at_given_up):
            try:
                await look()
            except ProviderError as error:
                self._looked_for.forget(voided)
                log.info("late arrivals could not be checked: %s", error)

    async def settle(self, *, wait: bool) -> None:
        """Settle what is in doubt in any batch, and buy nothing; without ``wait`` by one look.

        DatabaseOwnerError, ProviderError: it is another account's; no token or no answer.

        Raises:
            DatabaseOwnerError: the database belongs to another account or API.
            ProviderError: the provider does not take the token, or does not answer.
        """
        self._take_over()
        await check_owner(self._store, self._provider, self._owner)
        await self._bind()
        self._reconciler.polls = False
        if wait:
            await self._reconciler.look_at_voids()
        self._reconciler.notice()
        await self._reconciler.look()
        looking = asyncio.create_task(self._reconciler.run(), name="reconciler")
        try:
            while (
                wait
                and not looking.done()
                and self._reconciler.resolvable(self._purchases.doubts())
            ):
                await self.health.pause(1.0)
            if looking.done():
                looking.result()  # the token is refused now, or it is a bug
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _serve(self) -> Ending:
        scheduling = asyncio.create_task(self._scheduler.run(), name="scheduler")
        looking = (
            asyncio.create_task(self._poller.run(), name="poller"),
            asyncio.create_task(self._reconciler.run(), name="reconciler"),
            asyncio.create_task(self._late_look.run(), name="late look"),
        )
        tasks: set[asyncio.Task[Any]] = {scheduling, *looking}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in looking:
                if task.done():
                    task.result()  # ends only on a refused token, or on a bug
            return await scheduling
        finally:
            # submissions first, before anything is awaited: a second Ctrl-C means now
            self._scheduler.abandon()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, *self._scheduler.sending, return_exceptions=True)

    def _take_over(self) -> None:
        now = self._clock.now()
        self.recovery = self._purchases.take_over(self.id, now, self._clock.boot())

    def _checked(self, ending: Ending) -> Ending:
        """Return how a run really ended: without its own database, it never finished."""
        lost = self._purchases.lost(self.id)
        if lost is None:
            return ending
        return Ending(Reason.DATABASE, breach=self._rescued(lost))

    def _rescued(self, lost: Lost) -> Breach:
        """Return why the run may buy nothing more; copy the content of a file that is gone.

        A deleted lock, or a database that was restored or replaced during a run, would let a row be
        bought twice, or write purchases where no later run reads them.
        """
        path = self._store.path
        if lost in (Lost.TAKEN, Lost.LINKED):
            return Breach(path, lost)
        try:
            copy = self._store.rescue(f"rescued-{self._clock.now():%Y%m%d-%H%M%S}")
        except (OSError, sqlite3.Error) as error:
            log.exception("the lost database could not be copied")
            return Breach(path, lost, trouble=str(error) or type(error).__name__)
        return Breach(path, lost, copy)

    def _leave(self, ending: Ending | None) -> None:
        self.left = self._purchases.leave(
            self.id,
            self._clock.now(),
            self._clock.boot(),
            self._reconciler.surplus,
            None if ending is None else ending.reason,
            "" if ending is None else ending.message,
        )

    def _ending_before_start(self) -> Ending:
        if self.health.stopping:
            return Ending(Reason.INTERRUPTED)
        if self.health.refusal is None:
            return Ending(Reason.UNREACHABLE)
        return Ending(REFUSED[self.health.refusal], self.health.refusal_message)

    async def _bind(self) -> None:
        owner, account = self._owner, self._store.account
        if self._binds and account.ownership(owner.origin, owner.token).ours is not True:
            await account.bind(owner.origin, owner.token)


async def check_owner(store: JobStore, provider: Provider, owner: Owner) -> None:
    """Raise DatabaseOwnerError unless a database is of this API and account, or of none yet."""
    held = store.account.ownership(owner.origin, owner.token)
    if held.ours is not False:
        return
    if held.origin != owner.origin:
        raise OtherApiError(store.path, str(held.origin), owner.origin)
    # same API, another token: a renewed token of the same account can see our generations
    if not held.witnesses:
        if held.unsettled:
            raise OtherTokenError(store.path, OtherToken.UNSETTLED)
        return
    troubles = await _unless_shown(store.account, provider, held.witnesses)
    if troubles is None:
        return
    if isinstance(troubles, UnknownGenerationError):
        raise OtherTokenError(store.path, OtherToken.STRANGER, held.witnesses[0]) from troubles
    raise OtherTokenError(store.path, OtherToken.UNSEEN, str(troubles)) from troubles


async def _unless_shown(
    account: AccountStore, provider: Provider, known: Sequence[str]
) -> ProviderError | None:
    """Return why no generation of ours is shown, or None; a single one may be gone or refused.

    =======================================  ===========================================
    one of the newest is shown by its id     ours
    one of ours is on the list's first page  ours
    none of these, and one was 404           another account's, most likely
    none of these                            unknown
    =======================================  ===========================================

    Raises TokenRefusedError if the token is refused.
    """
    met: list[ProviderError] = []
    for generation_id in known:
        try:
            await provider.generation(generation_id)
        except TokenRefusedError:
            raise
        except ProviderError as error:
            met.append(error)
        else:
            return None
    for family in {family_of(generation_id) for generation_id in known}:
        try:
            page = await provider.generations(family, provider.list_limit, 0)
        except TokenRefusedError:
            raise
        except ProviderError as error:
            met.append(error)
        else:
            if account.listed([generation.id for generation in page]).known:
                return None
    unknown = [error for error in met if isinstance(error, UnknownGenerationError)]
    return (unknown or met)[0]
