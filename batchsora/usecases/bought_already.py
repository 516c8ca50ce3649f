"""Ask what to do with rows that are already paid for, in this database or in the account."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from tqdm import tqdm

from batchsora.composition.ownership import Endpoint
from batchsora.composition.session import ask
from batchsora.presentation.messages import BUY_THEM, SHOWN, paid_before, wait_or_take
from batchsora.usecases.progress import PATIENCE
from batchsora.usecases.user_interface import UserInterface
from jobs.evidence.looked_for import Wish
from jobs.model.clock import Clock
from jobs.model.provider import Provider, ProviderError, TokenRefusedError
from jobs.model.states import HeldBack
from jobs.ports.selection import Sought
from jobs.reconciliation.adoption import EarlierWork, find_earlier, take_over
from jobs.services.runner import check_owner
from jobs.store import Store


class OnExisting(StrEnum):
    """What to do about them."""

    ASK = "ask"
    ADOPT = "adopt"
    BUY = "buy"


class Earlier(NamedTuple):
    """What was found before anything is bought.

    Attributes:
        waiting: queued jobs that may not be bought yet.
        looked_at: as :meth:`jobs.ports.adoption.Found.unchanged` names them.
    """

    waiting: frozenset[int] = frozenset()
    looked_at: Mapping[int, Wish] = MappingProxyType({})


def settle_earlier(
    store: Store,
    place: Endpoint,
    sought: Sought,
    choice: OnExisting,
    clock: Clock,
    ui: UserInterface,
    *,
    quiet: bool = True,
) -> Earlier:
    """Look for earlier work before anything is bought, and do what was chosen.

    Rows that must wait are held back in the database, so that no runner buys them.

    Args:
        place: whose list is read.
        sought: the rows that may be bought.
        quiet: show no progress.

    Raises:
        jobs.model.provider.ProviderError: the account's list can't be read, so nothing may be
            bought.
        jobs.model.errors.DatabaseOwnerError: the database holds another account's generations.
    """
    store.control.follow_voids()  # before it is noted which attempts the rows have
    if not sought.noted:
        sought = store.loading.note_sought(sought)
    if choice is OnExisting.BUY:
        store.control.overrule(sought, clock.now())
        return Earlier()
    rows = _Rows(store, sought, choice, clock, ui)
    rows.settle_past()
    work = rows.look(place, quiet=quiet)
    store.adoption.hold_back(work)
    if work.matches:
        rows.settle_found(work)
    if work.not_looked:
        rows.settle_not_looked(work)
    rows.settle_elsewhere()
    with store.queries.snapshot() as seen:
        waiting = frozenset(seen.waiting(sought.batch_ids))
        return Earlier(waiting, work.unchanged(seen.wishes(work.compared, free=True)))


def tell_of_others(store: Store, batch_ids: list[int], ui: UserInterface) -> None:
    """Report how many rows were held back because somebody else is buying the same."""
    elsewhere = store.queries.held_for(Sought(batch_ids), HeldBack.ELSEWHERE)
    if elsewhere:
        ui.say(
            f"{elsewhere} row(s) were not bought: somebody else is buying the same rows on this "
            "account. 'batchsora run --adopt-existing' takes over their videos at no cost, "
            f"{BUY_THEM}"
        )


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows that may be bought, and what to do with those that exist already."""

    store: Store
    sought: Sought
    choice: OnExisting
    clock: Clock
    ui: UserInterface

    def asks(self, question: str) -> bool:
        """Return whether a person says yes, if one can answer."""
        return self.ui.can_ask() and self.ui.confirm(question)

    def settle_elsewhere(self) -> None:
        """Ask about rows that an earlier run held back because others bought the same."""
        held = self.store.queries.held_for(self.sought, HeldBack.ELSEWHERE)
        if held and self.choice is OnExisting.ASK and self.ui.can_ask():
            self.ui.say(
                f"{held} row(s) are held back: somebody else bought the same rows on this account "
                "during an earlier run, and the account does not show these"
            )
            if self.ui.confirm(f"Buy those {held}?"):
                self.store.control.overrule(self.sought, self.clock.now(), HeldBack.ELSEWHERE)

    def settle_past(self) -> None:
        """Hold back rows that another batch of this database paid for, or share its videos."""
        found = self.store.control.hold_paid_before(self.sought)
        if not found:
            return
        self.ui.say(paid_before([one.paid for one in found]))
        finished = [one for one in found if one.paid.video_url is not None]
        adopts = self.choice is OnExisting.ADOPT
        if finished and (adopts or self.asks("Take over those videos, at no cost?")):
            self.ui.say(f"{self.store.control.share(finished, self.clock.now())} taken over")
            if unfinished := len(found) - len(finished):
                self.ui.say(
                    f"{unfinished} of them have no finished video to take over, so they are held "
                    f"back; {BUY_THEM}"
                )
            return
        self.ui.say(wait_or_take([one.paid for one in found]))

    def look(self, place: Endpoint, *, quiet: bool) -> EarlierWork:
        """Search the account's list; raise a ProviderError if it can't be read."""

        async def find(provider: Provider) -> EarlierWork:
            # another account's generations must not be written here
            await check_owner(self.store, provider, place.owner)
            with tqdm(
                desc="reading the account's list",
                unit=" generations",
                leave=False,
                file=sys.stderr,
                delay=PATIENCE,
                disable=True if quiet else None,
                dynamic_ncols=True,
            ) as bar:
                return await find_earlier(self.store, provider, self.clock, self.sought, bar.update)

        try:
            return ask(place, find)
        except ProviderError as error:
            renew = "renew the token and run again" if isinstance(error, TokenRefusedError) else ""
            raise type(error)(
                f"could not check whether the account has these videos already: {error}. "
                f"Nothing was bought; {renew and f'{renew}, or '}--buy-again skips this check, and "
                "may buy what the account has already"
            ) from error

    def settle_found(self, work: EarlierWork) -> None:
        """Take over what the account has, if wanted."""
        self.ui.say(
            f"{len(work.matches)} of these {work.jobs} prompts already exist in this account, "
            f"{work.finished} finished (compared by prompt; the list shows no duration or "
            f"orientation{work.shown and f', and shows prompts {work.shown}'})"
        )
        for line in _not_taken(work):
            self.ui.say(line)
        if not any(match.takeable for match in work.matches):
            return
        if self.choice is OnExisting.ADOPT or self.asks("Take them over, at no cost?"):
            self.ui.say(f"{take_over(self.store, work, self.clock.now())} taken over")
            return
        self.ui.say(f"They are held back: --adopt-existing takes them over at no cost, {BUY_THEM}")

    def settle_not_looked(self, work: EarlierWork) -> None:
        """Ask about rows of which the list proves nothing."""
        rows = f"{len(work.not_looked)} row(s)"
        self.ui.say(
            f"{work.trouble}, so it proves nothing: {rows} were not found in it, but may have been "
            "bought already"
            if work.trouble
            else f"only the newest {work.looked} generations of the account were checked: "
            f"{rows} were not found there, but may be among the others"
        )
        question = f"Buy those {len(work.not_looked)} anyway?"
        if self.choice is OnExisting.ASK and self.asks(question):
            self.store.control.buy_unlooked(self.sought, work.not_looked, self.clock.now())
            return
        self.ui.say(f"They are held back; {BUY_THEM}")


def _not_taken(work: EarlierWork) -> Iterator[str]:
    """Return what can't be taken over automatically, and why."""
    unsure = [match for match in work.matches if not match.sure]
    if unsure:
        names = list(dict.fromkeys(match.generation.id for match in unsure))
        yield (
            f"{len(unsure)} row(s) may be in the account under a prompt that was cut or altered "
            f"({_some(names)}), so they are held back: 'batchsora resolve JOB --generation ID' "
            f"takes one over, {BUY_THEM}"
        )
    unlike = [match for match in work.matches if match.sure and not match.alike]
    if unlike:
        names = list(dict.fromkeys(match.generation.id for match in unlike))
        share = (
            f"can't be told apart in a list that shows prompts {work.shown or 'altered'}"
            if work.shown or work.trouble
            else "share a prompt and differ in image, duration or orientation, which the list does "
            "not show"
        )
        yield (
            f"{len(unlike)} row(s) {share}, so they are held back. Oldest first, the account has "
            f"{_some(names)}: 'batchsora resolve JOB --generation ID' takes one "
            f"over, {BUY_THEM}"
        )
    unsound = sum(match.alike and match.sure and not match.takeable for match in work.matches)
    if unsound:
        yield (
            f"{unsound} of them have no file, or are unfinished after a day, so their rows are "
            f"held back; {BUY_THEM}"
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
