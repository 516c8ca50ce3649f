"""Whether the look before buying may believe the account's list. Pure.

What a list does to the generations that we know is what it does to those that we look for: it may
leave some out, stand still, or show their prompts altered (money.md, *Earlier work*).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ..model.provider import Generation, GenerationPhase
from ..model.text import text_key
from .echo import ANY_CUT, Echo, learn_most, plain
from .letters import Sizes, Sort, readable, sizes, sorts
from .matching import Shows
from .witness import Acceptance

NEWEST: Final = 10
"""Generations of ours, the newest, that every list must show, however far back it goes."""

RECENT: Final = timedelta(days=2)
"""How long every list must show what we bought; a provider may delete what is older."""

MOST_ASKED: Final = 100
"""Generations that are asked for by their ids in one look, as the list lacks them."""

YOUNG: Final = timedelta(seconds=30)
"""How long a list may take to show what was accepted, where it was not measured."""

WORD: Final = 24
"""Characters by which cuts between words differ in length."""


@dataclass(frozen=True, slots=True)
class Bought:
    """A generation of ours that a list must show, and when we heard of its acceptance."""

    generation_id: str
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class Sight:
    """What a reading of the list is good for.

    Attributes:
        trouble: why what it does not show may be there all the same, for people; empty where it is
            believed.
        shows: how it shows prompts.
        readable: False where what it does to prompts can't be told: equal ones prove nothing.
        young: it only lacks what was accepted a moment ago: a later reading may show it.
        missing: what it lacks for longer.
    """

    trouble: str = ""
    shows: Shows = field(default_factory=Shows)
    readable: bool = True
    young: bool = False
    missing: Sequence[Bought] = ()


def see(
    shown: Mapping[str, Generation],
    known: Mapping[str, Acceptance],
    due: Sequence[Bought],
    now: datetime,
    lag: float | None,
) -> Sight:
    """Find out what a reading is good for.

    Args:
        shown: what it showed, by id.
        known: those of them that attempts of ours have.
        due: what it must show.
        now: when it began, by our clock.
        lag: seconds after which the list shows what was accepted, as measured; None: never yet.
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
    """List what a list lacks, newest first, where all of it may have been deleted at the provider.

    A list that stands still lacks the newest: so newer purchases of ours must be on it, or what it
    lacks is older than :data:`RECENT`, and perhaps than the provider keeps anything.

    Args:
        sight: of the list.
        shown: generations of ours that it shows.
        now: by our clock.
    """
    newest = max((one.accepted_at for one in shown if one.bought), default=now - RECENT)
    kept_from = max(newest, now - RECENT)
    if len(sight.missing) > MOST_ASKED or any(
        one.accepted_at >= kept_from for one in sight.missing
    ):
        return ()
    return sorted(sight.missing, key=lambda one: one.accepted_at, reverse=True)


def samples(shown: Iterable[Generation], known: Mapping[str, Acceptance]) -> list[tuple[str, str]]:
    """Pair prompts of ours, as they were sent, with what the list shows.

    Those that were taken over count where nothing was bought: a person may have taken another's.
    """
    ours = [(known[one.id], one.prompt) for one in shown if one.id in known and one.prompt]
    bought = [pair for pair in ours if pair[0].bought] or ours
    return [(one.prompt, prompt) for one, prompt in bought]


def _shortest(shown: Iterable[Generation], pairs: Sequence[tuple[str, str]]) -> Sizes:
    """Return what a cut that is not known leaves at least, by each thing that it may count.

    It leaves whole what is not longer, so no prompt of the list is; but one between words may
    leave a word less.
    """
    every = [sizes(text_key(one.prompt)) for one in shown if one.prompt]
    whole = [sizes(text_key(shown)) for sent, shown in pairs if plain(sent) == plain(shown)]
    longest = [tuple(size - WORD for size in one) for one in every]
    characters, units, octets = map(max, zip(ANY_CUT, *longest, *whole, strict=True))
    return characters, units, octets


def _seen(
    shown: Iterable[Generation], pairs: Sequence[tuple[str, str]], echo: Echo | None
) -> frozenset[Sort]:
    """Find which sorts of characters a list shows as they were sent.

    Prompts of ours tell it; where there are none, all that can be read.
    """
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
    """Return whose prompt is not shown; others' may be of no video, where ours are shown."""
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
