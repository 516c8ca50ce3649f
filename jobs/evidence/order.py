"""When a generation was created that a list shows without a time, by its neighbours. Pure.

A list that shows its newest first says of each entry that it is newer than those below and older
than those above. Of our own we know when we asked for them and when the answer came (money.md,
*Classes*, ordered).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import accumulate

from ..model.clock import EARLIEST, PRECISION
from ..model.provider import Generation, Span
from .ours import Acceptance


class Order:
    """What the order of one list says, while it is read.

    Args:
        ours: finds those of ours among some ids.
        shown_by: when some were shown already, by our clock, as the times of ours.
    """

    def __init__(
        self,
        ours: Callable[[Sequence[str]], Mapping[str, Acceptance]],
        shown_by: Mapping[str, datetime],
    ) -> None:
        self._find = ours
        self._ours: dict[str, Acceptance] = {}
        self._shown_by = shown_by
        self._times = False

    def heed(self, fresh: Iterable[Generation]) -> None:
        """Take in more of the list."""
        fresh = list(fresh)
        self._times = self._times or any(one.created_at is not None for one in fresh)
        found = self._find([one.id for one in fresh])
        # what was adopted may be older than its attempt
        self._ours |= {name: one for name, one in found.items() if one.bought and one.answered}

    def reaches(self, sure: Iterable[str], ahead: timedelta) -> datetime | None:
        """Return since when the list shows all, by the provider's clock; None: not known.

        That is when the oldest of ours was accepted; None too if the list shows times.

        Args:
            sure: ids above all that was not read, even if a few are out of order.
            ahead: by how much the provider's clock is ahead of ours.
        """
        known = [self._ours[name].accepted_at for name in sure if name in self._ours]
        return None if self._times or not known else min(known) + ahead + PRECISION

    def placed(
        self, generations: Sequence[Generation], now: datetime, ahead: timedelta
    ) -> Sequence[Generation] | None:
        """Say between which times each was created; None: ours are out of order.

        They stay as they are if the list shows times; so do those that came up later than others
        both above and below them: such a list is not in order, or loses some.

        Args:
            generations: newest first.
            now: after all were read.
            ahead: by how much the provider's clock is ahead of ours.
        """
        if self._times:
            return generations
        owns = [self._ours.get(one.id) for one in generations]
        shown = [self._shown_by.get(one.id, now) for one in generations]
        late = _later_than_both_sides(shown)
        latest = [
            min(by, now if own is None else own.accepted_at)
            for by, own in zip(shown, owns, strict=True)
        ]
        earliest = [EARLIEST if own is None else own.intent_at for own in owns]
        until = list(accumulate(latest, min))
        since = list(accumulate(reversed(earliest), max))[::-1]
        if any(first > last + PRECISION for first, last in zip(since, until, strict=True)):
            return None
        return [
            one
            if came_late
            else replace(one, placed=Span(first + ahead - PRECISION, last + ahead + PRECISION))
            for one, first, last, came_late in zip(generations, since, until, late, strict=True)
        ]


def _later_than_both_sides(shown: Sequence[datetime]) -> Sequence[bool]:
    """Say which entries came up later than one above and one below them."""
    above = list(accumulate(shown, min))
    below = list(accumulate(reversed(shown), min))[::-1]
    return [
        max(least_above, least_below) < one
        for one, least_above, least_below in zip(shown, above, below, strict=True)
    ]
