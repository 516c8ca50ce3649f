"""Ask what to do with rows that are already paid for, in this database or in the account."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from tqdm import tqdm

from batchsora.composition.endpoints import Endpoint
from batchsora.composition.session import ask
from batchsora.presentation.messages import BUY_THEM, SHOWN, paid_before, wait_or_take
from batchsora.usecases.progress import PATIENCE
from batchsora.usecases.user_interface import UserInterface
from jobs.evidence.looked_for import Wish
from jobs.model.clock import Clock
from jobs.model.provider import Provider, ProviderError, TokenRefusedError
from jobs.model.states import HeldBack
from jobs.ports.selection import Sought
from jobs.reconciliation.adoption import EarlierWork, find_earlier, hold_back, take_over
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
        looked_at: as :meth:`jobs.reconciliation.adoption.EarlierWork.unchanged` names them.
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
    settle_past(store, sought, choice, clock, ui)
    work = _look(store, place, sought, clock, quiet=quiet)
    hold_back(store, work)
    if work.matches:
        _settle_found(store, work, choice, clock, ui)
    if work.not_looked:
        _settle_not_looked(store, sought, work, choice, clock, ui)
    _settle_elsewhere(store, sought, choice, clock, ui)
    with store.queries.snapshot() as seen:
        waiting = frozenset(seen.waiting(sought.batch_ids))
        return Earlier(waiting, work.unchanged(seen.wishes(work.compared, free=True)))


def tell_of_others(store: Store, batch_ids: list[int], ui: UserInterface) -> None:
    """Say how many rows were held back because somebody else is buying the same."""
    elsewhere = store.queries.held_for(Sought(batch_ids), HeldBack.ELSEWHERE)
    if elsewhere:
        ui.say(
            f"{elsewhere} row(s) were not bought: somebody else is buying the same rows on this "
            "account. 'batchsora run --adopt-existing' takes over their videos at no cost, "
            f"{BUY_THEM}"
        )


def _settle_elsewhere(
    store: Store, sought: Sought, choice: OnExisting, clock: Clock, ui: UserInterface
) -> None:
    """Ask about rows that an earlier run held back because others bought the same."""
    held = store.queries.held_for(sought, HeldBack.ELSEWHERE)
    if held and choice is OnExisting.ASK and ui.can_ask():
        ui.say(
            f"{held} row(s) are held back: somebody else bought the same rows on this account "
            "during an earlier run, and the account does not show these"
        )
        if ui.confirm(f"Buy those {held}?"):
            store.control.overrule(sought, clock.now(), HeldBack.ELSEWHERE)


def settle_past(
    store: Store, sought: Sought, choice: OnExisting, clock: Clock, ui: UserInterface
) -> None:
    """Hold back rows that another batch of this database paid for, or share its videos."""
    found = store.control.hold_paid_before(sought)
    if not found:
        return
    ui.say(paid_before([one.paid for one in found]))
    finished = [one for one in found if one.paid.video_url is not None]
    if finished and (
        choice is OnExisting.ADOPT
        or (ui.can_ask() and ui.confirm("Take over those videos, at no cost?"))
    ):
        taken = store.control.share(finished, clock.now())
        ui.say(f"{taken} taken over")
        found = [one for one in found if one.paid.video_url is None]
        if found:
            ui.say(
                f"{len(found)} of them have no finished video to take over, so they are held "
                f"back; {BUY_THEM}"
            )
        return
    ui.say(wait_or_take([one.paid for one in found]))


def _look(
    store: Store, place: Endpoint, sought: Sought, clock: Clock, *, quiet: bool
) -> EarlierWork:
    """Search the account's list.

    Raises:
        jobs.model.provider.ProviderError: it can't be read.
    """

    async def find(provider: Provider) -> EarlierWork:
        # another account's generations must not be written here
        await check_owner(store, provider, place.owner)
        with _counted(quiet=quiet) as bar:
            return await find_earlier(store, provider, clock, sought, bar.update)

    try:
        return ask(place, find)
    except ProviderError as error:
        renew = "renew the token and run again" if isinstance(error, TokenRefusedError) else ""
        raise type(error)(
            f"could not check whether the account has these videos already: {error}. "
            f"Nothing was bought; {renew and f'{renew}, or '}--buy-again skips this check"
        ) from error


@contextmanager
def _counted(*, quiet: bool) -> "Iterator[tqdm[Any]]":
    """Show how many generations were looked at, when it takes long."""
    with tqdm(
        desc="reading the account's list",
        unit=" generations",
        leave=False,
        file=sys.stderr,
        delay=PATIENCE,
        disable=True if quiet else None,
        dynamic_ncols=True,
    ) as bar:
        yield bar


def _settle_found(
    store: Store, work: EarlierWork, choice: OnExisting, clock: Clock, ui: UserInterface
) -> None:
    ui.say(
        f"{len(work.matches)} of these {work.jobs} prompts already exist in this account, "
        f"{work.finished} finished (compared by prompt; the list shows no duration or orientation"
        f"{work.shown and f', and shows prompts {work.shown}'})"
    )
    for line in _not_taken(work):
        ui.say(line)
    if not any(match.takeable for match in work.matches):
        return
    if choice is OnExisting.ADOPT or (ui.can_ask() and ui.confirm("Take them over, at no cost?")):
        taken = take_over(store, work, clock.now())
        ui.say(f"{taken} taken over")
        return
    ui.say(f"They are held back: --adopt-existing takes them over at no cost, {BUY_THEM}")


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


def _settle_not_looked(
    store: Store,
    sought: Sought,
    work: EarlierWork,
    choice: OnExisting,
    clock: Clock,
    ui: UserInterface,
) -> None:
    rows = f"{len(work.not_looked)} row(s)"
    ui.say(
        f"{work.trouble}, so it proves nothing: {rows} were not found in it, but may have been "
        "bought already"
        if work.trouble
        else f"only the newest {work.looked} generations of the account were checked: "
        f"{rows} were not found there, but may be among the others"
    )
    if (
        choice is OnExisting.ASK
        and ui.can_ask()
        and ui.confirm(f"Buy those {len(work.not_looked)} anyway?")
    ):
        store.control.buy_unlooked(sought, work.not_looked, clock.now())
        return
    ui.say(f"They are held back; {BUY_THEM}")
