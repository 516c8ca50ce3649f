"""Asking what to do about rows whose prompts exist in the account already."""

from enum import StrEnum
from typing import Protocol

from batchsora.app.ask import ask
from batchsora.app.session import Endpoint
from batchsora.runblob.adapter import RunBlobProvider
from jobs.clock import Clock
from jobs.earlier import EarlierWork, find_earlier, take_over
from jobs.provider import TokenRefusedError, WrongAddressError
from jobs.runner import check_owner
from jobs.states import HeldBack
from jobs.store import Store, holding


class OnExisting(StrEnum):
    """What to do about them."""

    ASK = "ask"
    ADOPT = "adopt"
    BUY = "buy"


class Asker(Protocol):
    """Who is told and asked."""

    def say(self, text: str = "") -> None:
        """Tell a person something."""

    def can_ask(self) -> bool:
        """Say whether somebody can answer."""

    def confirm(self, question: str) -> bool:
        """Ask yes or no."""


def settle_earlier(
    store: Store,
    place: Endpoint,
    batch_ids: list[int],
    choice: OnExisting,
    clock: Clock,
    asker: Asker,
) -> frozenset[int]:
    """Look for earlier work before anything is bought, and do what was said about it.

    Returns:
        The jobs that this run must not buy, because nobody said that it may.

    Raises:
        jobs.provider.ProviderError: the account's list can't be read.
        jobs.errors.DatabaseOwnerError: the database holds another account's generations.
    """
    if choice is OnExisting.BUY:
        for batch_id in batch_ids:
            store.write(lambda c, b=batch_id: holding.release(c, b, holding.FOUND))  # type: ignore[misc]
        return frozenset()

    async def find(provider: RunBlobProvider) -> EarlierWork:
        # another account's generations must not be written here
        await check_owner(store, provider, place.owner)
        return await find_earlier(store, provider, clock, batch_ids)

    try:
        work = ask(place, find)
    except (TokenRefusedError, WrongAddressError):
        return frozenset()  # the run's own look at the balance meets the same, and buys nothing
    if not work.matches:
        return frozenset()
    asker.say(_found(work))
    if choice is OnExisting.ADOPT or (
        asker.can_ask() and asker.confirm("Take them over, at no cost?")
    ):
        taken = take_over(store, work, clock.now())
        asker.say(f"{taken} taken over")
        return frozenset()
    asker.say(
        "they are left out; --adopt-existing takes them over at no cost, --buy-again buys them anew"
    )
    found = {match.job_id: match.generation.id for match in work.matches}
    store.write(lambda c: holding.hold_back(c, found, HeldBack.EXISTS))
    return frozenset(found)


def _found(work: EarlierWork) -> str:
    return (
        f"{len(work.matches)} of these {work.jobs} prompts exist already in this account, "
        f"{work.finished} finished (compared by prompt: the list shows no duration or orientation)"
    )
