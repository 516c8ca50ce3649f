"""Whether the look before buying may believe the account's list. Pure.

A list treats the generations that we look for as it treats those that we know: it may leave some
out, be frozen, or alter prompts (money.md, *Earlier work*).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ..model.provider import Generation, GenerationPhase
from ..model.text import text_key
from .echo import ANY_CUT, Echo, Sizes, Sort, learn_most, plain, readable, sizes, sorts
from .matching import Shows
from .ours import Acceptance

NEWEST: Final = 10  # how many of our newest generations every list must show, however short it is
RECENT: Final = timedelta(days=2)  # how long a list must show ours; older ones may be deleted
MOST_ASKED: Final = 100  # most generations missing in the list that one look asks for by id
YOUNG: Final = timedelta(seconds=30)  # how late a list may be, if its lag was not measured
WORD: Final = 24  # characters by which cuts between words differ in length


@dataclass(frozen=True, slots=True)
class Bought:
    """A generation of ours that a list must show, and when we heard of its acceptance."""

    generation_id: str
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class Sight:
    """What a reading of the list can prove."""

    trouble: str = ""  # why generations that it does not show may exist; empty if it is trusted
    shows: Shows = field(default_factory=Shows)
    readable: bool = True  # False if it is unknown how it alters prompts: equal ones prove nothing
    young: bool = False  # only the last acceptances are missing: a later reading may show them
    missing: Sequence[Bought] = ()  # what has been missing for longer


def see(
    shown: Mapping[str, Generation],
    known: Mapping[str, Acceptance],
    due: Sequence[Bought],
    now: datetime,
    lag: float | None,
) -> Sight:
    """Return what a reading can prove that began at a time by our clock, and must show what is due.

    ``lag``: measured seconds until the list shows an acceptance; None: not measured yet.
    """
    pairs = samples(shown.values(), known)
    echo = learn_most(pairs)
    missing = [one for one in due if one.generation_id not in shown]
    within = max(YOUNG, timedelta(seconds=lag or 0.0))
    lost = [one for one in missing if now - one.accepted_at >= within]
    shows = Shows(
        Echo() if echo is None else echo,
        _shortest(shown.values(), pairs),
        _seen(shown.values(), pairs, echo),
    )
    return Sight(
        _missing(missing) or _hidden(shown, known) or _rewritten(echo, shown, known),
        shows,
        readable=echo is not None,
        young=len(lost) < len(missing) and not lost,
        missing=lost,
    )


def may_be_deleted(sight: Sight, shown: Iterable[Acceptance], now: datetime) -> Sequence[Bought]:
    """Return what is missing in a list, newest first, if all of it may have been deleted there.

    A frozen list lacks the newest entries: so it must show newer purchases of ours, or all that is
    missing must be older than :data:`RECENT`, for which a provider may not keep it.
    """
    newest = max((one.accepted_at for one in shown if one.bought), default=now - RECENT)
    kept_from = max(newest, now - RECENT)
    if len(sight.missing) > MOST_ASKED or any(
        one.accepted_at >= kept_from for one in sight.missing
    ):
        return ()
    return sorted(sight.missing, key=lambda one: one.accepted_at, reverse=True)


def samples(shown: Iterable[Generation], known: Mapping[str, Acceptance]) -> list[tuple[str, str]]:
    """Pair prompts as sent and shown; those taken over count only if nothing was bought."""
    ours = [(known[one.id], one.prompt) for one in shown if one.id in known and one.prompt]
    bought = [pair for pair in ours if pair[0].bought] or ours
    return [(one.prompt, prompt) for one, prompt in bought]


def _shortest(shown: Iterable[Generation], pairs: Sequence[tuple[str, str]]) -> Sizes:
    """Return the least that an unknown cut leaves, in each unit that it may count.

    A cut leaves shorter prompts whole, so it is at least as long as any prompt of the list; a cut
    between words may leave a word less.
    """
    every = [sizes(text_key(one.prompt)) for one in shown if one.prompt]
    whole = [sizes(text_key(shown)) for sent, shown in pairs if plain(sent) == plain(shown)]
    longest = [tuple(size - WORD for size in one) for one in every]
    characters, units, octets = map(max, zip(ANY_CUT, *longest, *whole, strict=True))
    return characters, units, octets


def _seen(
    shown: Iterable[Generation], pairs: Sequence[tuple[str, str]], echo: Echo | None
) -> frozenset[Sort]:
    """Find which sorts of characters a list shows as sent; all it has if no prompt is ours."""
    if not pairs:
        return readable(one.prompt for one in shown if one.prompt)
    if echo is None:
        return frozenset()
    return frozenset().union(
        *(sorts(shown) for sent, shown in pairs if echo.explains(sent, shown)),
        # it leaves these out, or alters no letter by them; at a prompt's end it may cut by them
        *(sorts(_to_last_letter(sent)) for sent, shown in pairs if plain(sent) == plain(shown)),
    )


def _to_last_letter(prompt: str) -> str:
    return prompt[: max((n for n, one in enumerate(prompt, 1) if one.isalnum()), default=0)]


def _missing(missing: Sequence[Bought]) -> str:
    if not missing:
        return ""
    newest = max(missing, key=lambda one: one.accepted_at)
    return (
        f"the account's list does not show generation {newest.generation_id}, which this database "
        f"bought at {newest.accepted_at:%Y-%m-%d %H:%M:%S} UTC"
    )


def _hidden(shown: Mapping[str, Generation], known: Mapping[str, Acceptance]) -> str:
    """Return which prompt is not shown; others' do not matter if ours are shown."""
    asked = [name for name, ours in known.items() if ours.bought] or list(known) or list(shown)
    for name in asked:
        one = shown[name]
        if not one.prompt and one.phase is not GenerationPhase.FAILED:
            return f"the account's list shows generation {name} without its prompt"
    return ""


def _rewritten(
    echo: Echo | None, shown: Mapping[str, Generation], known: Mapping[str, Acceptance]
) -> str:
    if echo is not None:
        return ""
    for name, ours in known.items():
        prompt = shown[name].prompt
        if prompt and plain(prompt) != plain(ours.prompt):
            return f"the account's list shows generation {name} with other words than were sent"
    return "the account's list shows prompts in other words than were sent"
