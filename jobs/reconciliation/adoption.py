"""Earlier work: rows whose prompts exist in the account already, but not in this database.

After a lost database, a restored backup, a run on another machine, or videos made by hand, a person
decides whether to take the videos over at no cost, or to buy them again (money.md, *Orphans and
earlier work*).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from ..evidence.account_list import MOST_PAGES, Walk
from ..evidence.echo import Echo
from ..evidence.matching import Clocks, Match, WantedRow, match, use_of
from ..evidence.sight import NEWEST, RECENT, Bought, Sight, may_be_deleted, see
from ..model.clock import Clock
from ..model.families import Family, Kind, kinds_of
from ..model.provider import (
    Generation,
    GenerationPhase,
    Provider,
    ProviderError,
    UnknownGenerationError,
)
from ..model.states import HeldBack
from ..model.text import text_key
from ..ports.adoption import Comparison, Found, Listed, ListShown, RowsSnapshot
from ..ports.job_store import JobStore
from ..ports.selection import Sought

READ_AGAIN: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Seconds after which the list is read again, while only the latest purchases are missing."""

FAR_OFF: Final = timedelta(hours=26)
"""Largest error of a wrong clock or time zone, if the provider's own time is unknown."""


@dataclass(frozen=True, slots=True)
class ListLook:
    """What was seen of a family's list, newest first, each once."""

    generations: Sequence[Generation]
    whole: bool  # it was read to its end, in pages that join
    began: datetime | None = None  # when it was read, by our clock; None if none was read
    due_by: datetime | None = None  # it need not show later acceptances; None: all
    deleted: frozenset[str] = frozenset()  # ours that the provider does not know by id
    family: Family | None = None  # whose list; None if none was read


@dataclass(frozen=True, slots=True)
class EarlierWork(Found):
    """What was found, and how many jobs were looked for among how many generations."""

    jobs: int = 0
    looked: int = 0
    trouble: str = ""  # why the list is not trusted, for people; empty if it is, or was not whole
    shown: str = ""  # how it shows prompts, for people; empty if it shows them as they were sent
    ahead: timedelta = timedelta(0)  # of the provider's times over ours, at least

    @property
    def finished(self) -> int:
        """Count the videos that are there already."""
        return sum(m.generation.phase is GenerationPhase.COMPLETED for m in self.matches)


async def find_earlier(
    store: JobStore,
    provider: Provider,
    clock: Clock,
    sought: Sought,
    seen: Callable[[int], object] = lambda _: None,
) -> EarlierWork:
    """Search the lists of the rows' families for the prompts of rows that may be bought.

    Generations of our attempts are left out, and prompts of attempts in doubt: those may be theirs.
    A blind family has no list: nothing is found of its rows. ``seen`` is called after each page
    with the number of new generations.

    Raises:
        ProviderError: a list can't be read: nothing is known then, and nothing may be bought.
    """
    jobs: Counter[str] = Counter()
    for kind, number in store.adoption.count(sought).items():
        jobs[Kind.parse(kind).family] += number
    found: list[EarlierWork] = []
    for name, number in jobs.items():
        # what the provider does not know can't be bought
        if (family := provider.families.get(name)) is not None:
            ours = replace(sought, kinds=kinds_of(family.provider, name))
            work = await _find(store, provider, clock, family, ours, seen)
            found.append(replace(work, jobs=number))
    # what is queued in the run is looked for in it (:mod:`jobs.services.late_look`)
    return _together(found)


async def _find(
    store: JobStore,
    provider: Provider,
    clock: Clock,
    family: Family,
    sought: Sought,
    seen: Callable[[int], object],
) -> EarlierWork:
    look = NOTHING_SHOWN
    if family.has_list:
        # during a run something was always bought a moment ago
        lag = store.account.list_lag(family.name) if sought.jobs is not None else None
        lately = timedelta(seconds=lag or 0.0)
        look = await _read_what_is_due(store, provider, clock, family, seen, lately)
    clocks = _clocks(provider, clock)
    found = store.adoption.compare(comparison(sought, look, clocks))
    return await _with_addresses(provider, found, clocks.now)


def _together(found: Sequence[EarlierWork]) -> EarlierWork:
    """Return what was found in several lists."""
    if len(found) == 1:
        return found[0]
    return EarlierWork(
        matches=tuple(match for one in found for match in one.matches),
        not_looked=[number for one in found for number in one.not_looked],
        released=[row for one in found for row in one.released],
        looked_for=[sought for one in found for sought in one.looked_for],
        looked_at={number: wish for one in found for number, wish in one.looked_at.items()},
        jobs=sum(one.jobs for one in found),
        looked=sum(one.looked for one in found),
        trouble="; ".join(dict.fromkeys(one.trouble for one in found if one.trouble)),
        shown=" and ".join(dict.fromkeys(one.shown for one in found if one.shown)),
        ahead=min((one.ahead for one in found), default=timedelta(0)),
    )


def _clocks(provider: Provider, clock: Clock) -> Clocks:
    ahead = provider.clock_ahead or timedelta(0)
    return Clocks(clock.now() + ahead, ahead)


async def _read_what_is_due(
    store: JobStore,
    provider: Provider,
    clock: Clock,
    family: Family,
    seen: Callable[[int], object],
    lag: timedelta,
) -> ListLook:
    """Read the list, again while only the latest purchases are missing, or raise ProviderError.

    Purchases during the reading are not waited for; nor what was accepted ``lag`` before it.
    """
    due_by, asked = clock.now() - lag, False
    look = replace(await read_list(provider, clock, family, seen), due_by=due_by)
    waits = list(READ_AGAIN)
    while True:
        clocks = _clocks(provider, clock)
        shows = _shown(look, clocks)
        listed = None if shows is None else store.adoption.listed(shows)
        sight, ours = _sight(listed, look), {} if listed is None else listed.ours
        if sight.missing and not asked:
            lacking = may_be_deleted(sight, ours.values(), clocks.now - clocks.ahead)
            shown = next(iter(ours), None) or next((g.id for g in look.generations), None)
            look = replace(look, deleted=await deleted_of(provider, lacking, shown))
            asked = True
        elif sight.young and waits:
            await clock.sleep(waits.pop(0))
            again = await read_list(provider, clock, family)
            look = replace(again, due_by=due_by, deleted=look.deleted)
        else:
            return look


NOTHING_SHOWN: Final = ListLook((), whole=True)
"""An empty list that is trusted: for a plan, which reads no list."""


def _shown(look: ListLook, clocks: Clocks) -> ListShown | None:
    if look.began is None or look.family is None:
        return None
    created = [one.created_at for one in look.generations if one.created_at]
    oldest = min(created, default=clocks.now)
    return ListShown(
        look.family,
        [generation.id for generation in look.generations],
        accepted_since=min(clocks.now - RECENT, oldest + FAR_OFF) - clocks.ahead,
        created_since=oldest,
        due_by=look.due_by or look.began,
        newest=NEWEST,
    )


def _sight(listed: Listed | None, look: ListLook) -> Sight:
    if listed is None or look.began is None:
        return Sight()
    shown = {generation.id: generation for generation in look.generations}
    due = [one for one in listed.must_show if one.generation_id not in look.deleted]
    return see(shown, listed.ours, due, look.began, listed.lag)


def comparison(sought: Sought, look: ListLook, clocks: Clocks) -> Comparison[EarlierWork]:
    """Return how rows are compared with what the list showed."""
    return Comparison(
        sought,
        _shown(look, clocks),
        at=clocks.now - clocks.ahead,
        decide=lambda snapshot: _compared(snapshot, sought, look, clocks),
    )


def _compared(
    snapshot: RowsSnapshot, sought: Sought, look: ListLook, clocks: Clocks
) -> EarlierWork:
    shown = {generation.id: generation for generation in look.generations}
    sight = _sight(snapshot.listed, look)
    known = {} if snapshot.listed is None else snapshot.listed.ours
    # times may be in another zone than the provider's clock; our purchases show it
    clocks = replace(clocks, least=snapshot.offset.at_least(clocks.ahead))
    whole, echo = look.whole and not sight.trouble, sight.shows.echo
    doubtful: dict[str, datetime] = {}
    for prompt, sent in snapshot.doubtful.items():  # the first is the last of these
        doubtful[echo.text(prompt)] = min(sent, doubtful.get(echo.text(prompt), sent))
    nobodys = {name for name in shown if name not in known}
    found = match(
        snapshot.rows,
        [generation for name, generation in shown.items() if name in nobodys],
        doubtful,
        clocks,
        shows=sight.shows,
        keep_others=not whole,
    )
    # a row with a doubt of its prompt was not compared: what it waits for is there, and unclaimed
    free = {
        row.job_id: row
        for row in (*found.others, *(row for row, _ in found.unread))
        if not _stays(row, shown, echo)
        and not (echo.text(row.prompt) in doubtful and (row.held_back_by or "") in nobodys)
    }
    unread = {row.job_id for row, _ in found.unread}
    not_looked = [
        number
        for number, row in free.items()
        if number in unread or not (whole or snapshot.words.cover(row.overruled_at))
    ]
    return EarlierWork(
        matches=_told_apart(snapshot.alike, found.matches, sight),
        looked=len(shown),
        not_looked=not_looked,
        trouble=sight.trouble or _unread(found.unread),
        shown=str(echo) if echo.altered else "",
        released=[row for number, row in free.items() if whole and number not in unread],
        ahead=clocks.by_theirs(clocks.now) - clocks.now,
        looked_for=(sought,) if whole else (),
        looked_at=snapshot.wishes,
    )


def _unread(found: Sequence[tuple[WantedRow, Generation]]) -> str:
    """Return why rows wait whose letters the list may show in any way."""
    if not found:
        return ""
    row, generation = found[0]
    odd = next(one for one in row.prompt if not one.isascii())
    return (
        f"no video of this database tells how the account's list shows letters like {odd!r}, and "
        f"generation {generation.id} may have such a prompt"
    )


def _told_apart(
    alike: Callable[[Collection[str], Echo], Mapping[str, Collection[str]]],
    matches: Sequence[Match],
    sight: Sight,
) -> Sequence[Match]:
    """Mark matches that may be another row's: rows look alike in a list that alters prompts."""
    echo = sight.shows.echo
    if sight.readable and not echo.altered:
        return matches
    keys = {text_key(one.generation.prompt or "") for one in matches}
    like = alike(keys, echo) if keys else {}

    def told(one: Match) -> Match:
        alone = len(like.get(text_key(one.generation.prompt or ""), ())) <= 1
        return replace(one, alike=one.alike and alone and sight.readable)

    return [told(one) for one in matches]


def _stays(row: WantedRow, shown: Mapping[str, Generation], echo: Echo) -> bool:
    """Check whether a row stays held back: its reason may exist although it is not shown now."""
    reason = shown.get(row.held_back_by or "")
    if reason is None:
        return row.held_back_by is not None
    if (
        row.held_back == HeldBack.ELSEWHERE
    ):  # others buy besides this database: a person must decide
        failed = reason.phase is GenerationPhase.FAILED
        return not (failed and text_key(reason.prompt or "") == echo.text(row.prompt))
    return False


async def read_list(
    provider: Provider,
    clock: Clock,
    family: Family,
    seen: Callable[[int], object] = lambda _: None,
) -> ListLook:
    """Read a family's list to its end; ProviderError: a page can't be read.

    Raises:
        ProviderError: any page can't be read.
    """
    walk, whole, began = Walk(provider, clock, family.name), True, clock.now()
    for _ in range(MOST_PAGES):
        page = await walk.turn()
        whole = whole and page.joined and not page.gap
        if page.ends:
            return ListLook(
                tuple(walk.found.values()), whole and not page.again, began, family=family
            )
        if page.fresh:
            seen(len(page.fresh))
    return ListLook(tuple(walk.found.values()), whole=False, began=began, family=family)


async def _with_addresses(provider: Provider, work: EarlierWork, now: datetime) -> EarlierWork:
    """Look up finished ones singly that the list shows without a video URL."""
    turns = asyncio.Semaphore(TOGETHER)

    async def looked(found: Match) -> Match:
        generation = found.generation
        if generation.phase is not GenerationPhase.COMPLETED or generation.video_url:
            return found
        async with turns:
            try:
                return replace(found, use=use_of(await provider.generation(generation.id), now))
            except ProviderError:
                return found  # it waits

    return replace(work, matches=tuple(await asyncio.gather(*map(looked, work.matches))))


def take_over(store: JobStore, work: EarlierWork, now: datetime) -> int:
    """Make the matched generations the jobs' own, at no cost; return how many landed."""
    takeable = [one for one in work.matches if one.takeable]
    return store.adoption.take_over(takeable, now, work.ahead.total_seconds())


TOGETHER: Final = 8  # single looks at the same time


async def deleted_of(
    provider: Provider, lacking: Sequence[Bought], shown: str | None
) -> frozenset[str]:
    """Look up missing generations by id: a person may delete them, and a provider old ones.

    Returns all their ids, if the provider knows none of them, and knows the one that the list shows
    (None: it shows none).
    """
    if not lacking or (shown is not None and await _exists(provider, shown) is not True):
        return frozenset()
    for start in range(0, len(lacking), TOGETHER):
        some = lacking[start : start + TOGETHER]
        found = await asyncio.gather(*(_exists(provider, one.generation_id) for one in some))
        if any(exists is not False for exists in found):
            return frozenset()
    return frozenset(one.generation_id for one in lacking)


async def _exists(provider: Provider, generation_id: str) -> bool | None:
    """Ask whether the provider knows a generation; None if its answer does not say."""
    try:
        await provider.generation(generation_id)
    except UnknownGenerationError:
        return False
    except ProviderError:
        return None
    return True
