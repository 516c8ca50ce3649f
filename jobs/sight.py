"""Whether the look before buying may believe the account's list. Pure.

What a list does to the generations that we know is what it does to those that we look for: it may
leave some out, stand still, or show their prompts altered (money.md, *Earlier work*).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from .echo import SHORTEST_CUT, Echo, learn_most, plain
from .matching import Shows
from .provider import Generation, GenerationPhase
from .text import text_key
from .witness import Acceptance

NEWEST: Final = 10
"""Generations of ours, the newest, that every list must show, however far back it goes."""

RECENT: Final = timedelta(days=2)
"""How long every list must show what we bought; a provider may delete what is older."""

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
    """

    trouble: str = ""
    shows: Shows = field(default_factory=Shows)
    readable: bool = True
    young: bool = False


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
    shows = Shows(Echo() if echo is None else echo, _shortest(shown.values(), pairs))
    return Sight(
        _missing(missing) or _hidden(shown, known) or _rewritten(echo, shown, known),
        shows,
        readable=echo is not None,
        young=bool(missing) and all(now - one.accepted_at < within for one in missing),
    )


def samples(shown: Iterable[Generation], known: Mapping[str, Acceptance]) -> list[tuple[str, str]]:
    """Pair prompts of ours, as they were sent, with what the list shows.

    Those that were taken over count where nothing was bought: a person may have taken another's.
    """
    ours = [(known[one.id], one.prompt) for one in shown if one.id in known and one.prompt]
    bought = [pair for pair in ours if pair[0].bought] or ours
    return [(one.prompt, prompt) for one, prompt in bought]


def _shortest(shown: Iterable[Generation], pairs: Sequence[tuple[str, str]]) -> int:
    """Return how many characters a cut that is not known leaves at least.

    It leaves whole what is not longer, so no prompt of the list is; but one between words may
    leave a word less.
    """
    longest = max((len(text_key(one.prompt)) for one in shown if one.prompt), default=0)
    whole = [len(text_key(shown)) for sent, shown in pairs if plain(sent) == plain(shown)]
    return max(SHORTEST_CUT, longest - WORD, *whole)


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
