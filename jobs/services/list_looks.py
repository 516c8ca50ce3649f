"""Looks at generations by the account's list: one page shows up to a hundred of them.

The list is newest first, and a page may begin anywhere. How many of our generations are newer than
one gives its place; what other clients of the account make pushes it down.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ..model.families import EvidenceClass, family_of
from ..model.provider import Generation, GenerationPhase, ProviderError, ThrottledError
from ..ports.updates import FAR, Due
from ..runtime.run_context import RunContext
from ..runtime.troubles import Troubles, backed_off

log = logging.getLogger(__name__)

PASSES = 2  # how often the list is read through for one look, before the rest is looked at singly
SHOW_UNFINISHED = (EvidenceClass.MARKED, EvidenceClass.LISTED, EvidenceClass.ORDERED)
"""Classes whose lists show what has not ended; what others have is looked at singly."""

LIST_FROM = 3  # so many due generations on a page, and it is read instead of single ones


def next_page(
    places: Mapping[str, int], limit: int, unsure: int = 0, fewest: int = LIST_FROM
) -> tuple[int | None, list[str]]:
    """Return where the page begins that shows the newest of some generations, and its ids of them.

    Args:
        places: where in the list each generation is expected, from 0.
        limit: generations on a page.
        unsure: submissions under way, which may have pushed all of them down already.
        fewest: with fewer the page is not worth reading: its offset is None then.
    """
    # the list moves while it is read, and was not made in quite the order of our intents
    margin = limit // 20
    begin = max(0, min(places.values()) - margin)
    end = begin + limit - margin - min(unsure, limit // 2)
    members = [name for name, place in places.items() if place < end]
    return (begin if len(members) >= fewest else None), members


class ListLooks:
    """Reads the lists where generations are expected, and no further; ``write`` keeps a page."""

    def __init__(
        self, context: RunContext, write: Callable[[Sequence[Generation]], Awaitable[None]]
    ) -> None:
        self._families = {
            name: FamilyLooks(context, name, write)
            for name, family in context.provider.families.items()
            if family.evidence in SHOW_UNFINISHED
        }

    async def look(self, due: Sequence[Due], troubles: Troubles) -> tuple[list[Due], bool]:
        """Look at due generations as :meth:`FamilyLooks.look` does, in each family's list."""
        by_family: dict[str, list[Due]] = {}
        for item in due:
            by_family.setdefault(family_of(item.generation_id), []).append(item)
        missing: list[Due] = []
        read = False
        for name, items in by_family.items():
            if name not in self._families:
                missing += items
                continue
            unseen, was_read = await self._families[name].look(items, troubles)
            missing += unseen
            read |= was_read
        return missing, read


class FamilyLooks:
    """Reads a family's list where generations are expected, and no further."""

    def __init__(
        self,
        context: RunContext,
        family: str,
        write: Callable[[Sequence[Generation]], Awaitable[None]],
    ) -> None:
        self._run = context
        self._family = family
        self._write = write
        self._pushed_down = 0
        self._failed = 0
        self._rests_until = 0.0

    async def look(self, due: Sequence[Due], troubles: Troubles) -> tuple[list[Due], bool]:
        """Read the list where due generations are expected: several at once, and those in trouble.

        If the list fails, its generations are looked at singly, and it is tried again ever more
        rarely. Returns those not seen, and whether it was read; a refused token raises
        TokenRefusedError.
        """
        missing = {item.generation_id: item for item in due}
        read = False
        if self._run.clock.monotonic() < self._rests_until:
            return list(missing.values()), False
        try:
            if len(due) >= LIST_FROM:
                await self._search(missing, dict(missing), LIST_FROM)
                read = True
            troubled = {k: item for k, item in missing.items() if item.attempt_id in troubles}
            if troubled:
                await self._search(missing, troubled, 1)
                read = True
            self._failed = 0 if read else self._failed
        except ProviderError as error:
            await self._run.token.check(error)
            self._failed += 1
            rest = backed_off(self._failed, self._run.policy.poll_interval)
            if isinstance(error, ThrottledError):
                rest = max(rest, error.retry_after or 0.0)
            self._rests_until = self._run.clock.monotonic() + rest
            log.warning("the list could not be read (%s): single looks for %.0f s", error, rest)
        return list(missing.values()), read

    async def _search(
        self, missing: dict[str, Due], unmatched: dict[str, Due], fewest: int
    ) -> None:
        """Read the pages that should show at least ``fewest``; the list moves while it is read.

        ``missing`` is struck off as they are seen; places are computed again before each page.
        """
        before = len(missing)
        for _ in range(PASSES):
            if len(unmatched) < fewest:
                break
            unmatched, ended = await self._pass(missing, unmatched, fewest)
            if len(missing) == before:  # ever deeper; from the top again when the list has ended
                deeper = 2 * self._pushed_down + self._run.provider.list_limit
                self._pushed_down = 0 if ended or deeper > FAR else deeper

    async def _pass(
        self, missing: dict[str, Due], listed: dict[str, Due], fewest: int
    ) -> tuple[dict[str, Due], bool]:
        """Read where some are expected; return those that were elsewhere, and if the list ended."""
        met: list[tuple[int, int]] = []
        unmatched: dict[str, Due] = {}
        ended = False
        while listed and not ended:
            places, unsure = self._places(listed)
            begin, members = next_page(places, self._run.provider.list_limit, unsure, fewest)
            taken = {name: listed.pop(name) for name in members}
            if begin is not None:
                unmatched |= taken
                ended = await self._page(begin, missing, places, met)
        self._learn_places(met)
        return {name: item for name, item in unmatched.items() if name in missing}, ended

    async def _page(
        self,
        offset: int,
        missing: dict[str, Due],
        places: Mapping[str, int],
        met: list[tuple[int, int]],
    ) -> bool:
        """Read a page, and strike off what it shows; returns whether the list ends there."""
        seen = await self._run.provider.generations(
            self._family, self._run.provider.list_limit, offset
        )
        self._run.health.answered()
        self._run.note_others(seen)
        await self._write(seen)
        for place, generation in enumerate(seen, offset):
            if generation.id in places:
                met.append((place, places[generation.id]))
            if generation.phase is not GenerationPhase.COMPLETED or generation.video_url:
                missing.pop(generation.id, None)  # otherwise a single look may give the address
        return not seen  # a short page is no end

    def _places(self, listed: Mapping[str, Due]) -> tuple[dict[str, int], int]:
        numbers = [item.attempt_id for item in listed.values()]
        found = self._run.store.updates.places(self._family, numbers)
        places = {
            item.generation_id: found.newer.get(item.attempt_id, FAR) + self._pushed_down
            for item in listed.values()
        }
        return places, found.under_way

    def _learn_places(self, met: Sequence[tuple[int, int]]) -> None:
        """Learn how far what other clients of the account made pushes ours down the list.

        ``met``: where generations were, and were expected. Those of one moment may be in any order,
        so only the order of places counts.
        """
        if met:
            stood, expected = (sorted(places) for places in zip(*met, strict=True))
            off = sorted(place - due for place, due in zip(stood, expected, strict=True))
            self._pushed_down = max(0, self._pushed_down + off[len(off) // 2])
