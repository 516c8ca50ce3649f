"""Which generations of the account may be what a queued row asks for. Pure.

The list shows only the prompt of a request, so rows of one prompt that differ otherwise can't be
told apart: then nothing is taken over automatically.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from ..model.clock import PRECISION, UNMEASURED
from ..model.provider import Generation, GenerationPhase
from ..model.text import text_key
from .echo import ANY_CUT, Echo, Likeness, Sizes, Sort, marks_dropped, sorts, start

STUCK: Final = timedelta(hours=24)
"""A generation that is unfinished for longer will hardly ever complete."""


@dataclass(frozen=True, slots=True)
class WantedRow:
    """A queued row that is looked for before it is bought.

    Attributes:
        fingerprint: of what it asks for, to the letter.
        request: the same, however the prompt is spelled.
        since: only later generations may be its own, by our clock: it has an older one already, and
            waits for a retry. None: any.
        created_since: the same by the provider's clock, where that is known.
        held_back_by: the generation because of which it is held back already.
        overruled_at: when a person said to buy it despite what existed by then; by our clock.
    """

    job_id: int
    prompt: str
    fingerprint: str
    request: str
    since: datetime | None = None
    created_since: datetime | None = None
    held_back: str | None = None
    held_back_by: str | None = None
    overruled_at: datetime | None = None


class Use(StrEnum):
    """What an unclaimed generation of the account means for a row with its prompt."""

    TAKEN_OVER = "taken over"
    WAITS = "waits"
    NOTHING = "nothing"


USES: Final[Mapping[GenerationPhase, tuple[Use, Use]]] = {
    GenerationPhase.COMPLETED: (Use.TAKEN_OVER, Use.WAITS),
    GenerationPhase.PENDING: (Use.TAKEN_OVER, Use.WAITS),
    GenerationPhase.PROCESSING: (Use.TAKEN_OVER, Use.WAITS),
    GenerationPhase.UNKNOWN: (Use.WAITS, Use.WAITS),
    GenerationPhase.FAILED: (Use.NOTHING, Use.NOTHING),
}
"""By phase: what a sound one means; and one without a file, or unfinished for :data:`STUCK`."""


def use_of(generation: Generation, now: datetime) -> Use:
    """Decide what a generation that no attempt has means for a row, by the provider's clock."""
    sound, unsound = USES[generation.phase]
    if generation.phase is GenerationPhase.COMPLETED:
        return sound if generation.video_url else unsound
    created = generation.created_at
    return sound if created is not None and now - created < STUCK else unsound


@dataclass(frozen=True, slots=True)
class Match:
    """A queued job, and a generation of the account with its prompt."""

    job_id: int
    fingerprint: str  # of what the row asked for when it was compared
    generation: Generation
    use: Use
    alike: bool = True  # False: rows with this prompt ask for other videos, and it could be theirs
    sure: bool = True  # False: altered in a way that is not known of this list

    @property
    def takeable(self) -> bool:
        """Check whether it may be taken over; otherwise the job waits for it."""
        return self.alike and self.sure and self.use is Use.TAKEN_OVER


@dataclass(frozen=True, slots=True)
class Shows:
    """How a list shows prompts, as far as that is known."""

    echo: Echo = field(default_factory=Echo)
    shortest: Sizes = ANY_CUT  # the least that an unknown cut leaves, in one of these units
    seen: frozenset[Sort] | None = None  # sorts that are known to be shown as sent; None: all

    def reads(self, prompt: str) -> bool:
        """Check whether it is known how the list shows the letters of a prompt."""
        return self.seen is None or sorts(prompt) <= self.seen

    def seen_too(self, prompts: Iterable[str]) -> frozenset[Sort] | None:
        """Return the sorts known to be shown as sent, including those of some prompts."""
        return None if self.seen is None else self.seen.union(*map(sorts, prompts))


PLAINLY: Final = Shows()


@dataclass(frozen=True, slots=True)
class Clocks:
    """The current time by both clocks.

    Attributes:
        now: by the provider's clock.
        ahead: by how much that is ahead of ours.
        least: by how much the times of generations are, at least: they may be of another time zone.
            None: as much as the clock.
    """

    now: datetime
    ahead: timedelta = timedelta(0)
    least: timedelta | None = None

    def by_theirs(self, ours: datetime) -> datetime:
        """Return the earliest list time of a generation made at that time by our clock."""
        return ours + (self.ahead if self.least is None else self.least)


@dataclass(frozen=True, slots=True)
class Matched:
    """What :func:`match` found."""

    matches: Sequence[Match]
    others: Sequence[WantedRow]  # rows without a match that are kept
    unread: Sequence[tuple[WantedRow, Generation]] = ()  # whose letters may be shown in any way


def match(
    rows: Iterable[WantedRow],
    unknown: Iterable[Generation],
    doubtful: Mapping[str, datetime],
    clocks: Clocks,
    *,
    shows: Shows = PLAINLY,
    keep_others: bool = True,
) -> Matched:
    """Match queued rows with generations of the account that no attempt has.

    Equal rows take the oldest first, one each; rows of one prompt that ask for different videos
    (image, duration, orientation), or whose prompts look the same in the list, all wait. A
    generation that matches no row, and whose prompt could be a row's altered in an unknown way,
    makes that row wait. If it is unknown how the list shows a row's letters (:attr:`Shows.seen`),
    every prompt with the same beginning may be it.

    Args:
        doubtful: when a prompt's first attempt in doubt was sent, by our clock; the prompts as the
            list shows them, folded. Only much older generations are surely not theirs.
        keep_others: False drops unmatched rows that nothing holds back: there may be a million.
    """
    by_key = _by_key(unknown, doubtful, clocks)
    groups: dict[str, list[WantedRow]] = {}
    left: list[WantedRow] = []
    unsure: list[tuple[WantedRow, Sequence[str]]] = []
    unseen: list[WantedRow] = []
    likeness = Likeness(by_key, shows.shortest)
    for row in rows:
        key = shows.echo.text(row.prompt)
        if key in by_key:
            groups.setdefault(key, []).append(row)
        elif like := likeness.of(row.prompt):
            unsure.append((row, like))
        elif by_key and not shows.reads(row.prompt):
            unseen.append(row)
        elif keep_others or row.held_back is not None:
            left.append(row)
    matches: list[Match] = []
    for key, group in groups.items():
        found = sorted(by_key.pop(key), key=lambda one: _order(one, clocks.now))
        made, others = _hand_out(group, found, clocks)
        matches += made
        left += others
    for row, like in unsure:
        own = _first(row, (one for key in like for one in by_key.get(key, ())), clocks)
        if own is not None:
            matches.append(
                Match(row.job_id, row.fingerprint, own, use_of(own, clocks.now), sure=False)
            )
        elif keep_others or row.held_back is not None:
            left.append(row)
    shown = [group[0].prompt for group in groups.values()]  # these it shows as they were sent
    unread = _unread(unseen, replace(shows, seen=shows.seen_too(shown)), by_key, clocks)
    waiting = {row.job_id for row, _ in unread}
    left += [
        row
        for row in unseen
        if row.job_id not in waiting and (keep_others or row.held_back is not None)
    ]
    return Matched(tuple(matches), tuple(left), tuple(unread))


def _unread(
    rows: Sequence[WantedRow],
    shows: Shows,
    by_key: Mapping[str, Sequence[Generation]],
    clocks: Clocks,
) -> list[tuple[WantedRow, Generation]]:
    """Find rows whose letters the list may show in any way, each with one that begins alike."""
    waiting = [row for row in rows if not shows.reads(row.prompt)]
    if not waiting:
        return []
    starts = Starts(one for left in by_key.values() for one in left)
    found = ((row, _first(row, starts.of(row.prompt), clocks)) for row in waiting)
    return [(row, generation) for row, generation in found if generation is not None]


class Starts:
    """Finds generations that begin like a prompt, up to its first non-ASCII character."""

    def __init__(self, generations: Iterable[Generation]) -> None:
        shown = [(marks_dropped(one.prompt or ""), one) for one in generations]
        shown.sort(key=lambda pair: pair[0])
        self._texts = [text for text, _ in shown]
        self._shown = [one for _, one in shown]
        oldest = datetime.min.replace(tzinfo=UTC)
        self._newest = sorted(self._shown, key=lambda one: one.created_at or oldest)[-1:]

    def of(self, prompt: str) -> Sequence[Generation]:
        """List some that may be a prompt's own; if there are many, only the newest of all."""
        begins = start(prompt)
        first = bisect_left(self._texts, begins)
        end = bisect_left(self._texts, f"{begins}\U0010ffff", lo=first)
        return self._newest if end - first > MANY else self._shown[first:end]


MANY: Final = 100
"""Most generations that are compared one by one with each row."""


def _by_key(
    unknown: Iterable[Generation], doubtful: Mapping[str, datetime], clocks: Clocks
) -> dict[str, list[Generation]]:
    found: dict[str, list[Generation]] = {}
    for generation in unknown:
        if generation.prompt and use_of(generation, clocks.now) is not Use.NOTHING:
            key = text_key(generation.prompt)
            if key not in doubtful or _is_before(generation, doubtful[key] + clocks.ahead):
                found.setdefault(key, []).append(generation)
    return found


def _is_before(generation: Generation, sent: datetime) -> bool:
    """Check whether a generation is too old to be one sent then, by the provider's clock."""
    return generation.created_at is not None and generation.created_at < sent - UNMEASURED


_LAST: Final = datetime.max.replace(tzinfo=UTC)


def _order(generation: Generation, now: datetime) -> tuple[bool, datetime]:
    return use_of(generation, now) is not Use.TAKEN_OVER, generation.created_at or _LAST


def _hand_out(
    rows: Sequence[WantedRow], found: Sequence[Generation], clocks: Clocks
) -> tuple[list[Match], list[WantedRow]]:
    """Match the rows of one prompt with its generations.

    Equal rows are matched by count. If they differ, any generation may be any row's, so each row
    waits: a generation is offered to several rows, each of them once before any is repeated.
    """
    alike = len({row.request for row in rows}) == 1
    offered, made, left = deque(found), [], []
    for row in rows:
        own = _first(row, offered, clocks)
        if own is None:
            left.append(row)
            if alike and row.overruled_at is not None and offered:
                offered.popleft()  # it was this row's; no other row gets it now
            continue
        offered.remove(own)
        if not alike:
            offered.append(own)
        made.append(Match(row.job_id, row.fingerprint, own, use_of(own, clocks.now), alike))
    return made, left


def _first(row: WantedRow, offered: Iterable[Generation], clocks: Clocks) -> Generation | None:
    return next((one for one in offered if _later(one, row, clocks)), None)


def _later(generation: Generation, row: WantedRow, clocks: Clocks) -> bool:
    """Check whether a generation is newer than what a row has already, or a person overruled."""
    if row.overruled_at is not None:
        made = generation.created_at
        if made is None or made <= clocks.by_theirs(row.overruled_at) + PRECISION:
            return False
    if row.since is None or generation.created_at is None:
        return True
    return generation.created_at > (row.created_since or clocks.by_theirs(row.since))
