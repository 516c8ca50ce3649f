"""Whether a reading of the account's list may prove that something was never made. Pure.

It may only if it is right about everything that we know: each generation of ours that must be in
its range is there, under its own prompt (money.md, *Absence*; evidence rule E2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .account_list import Reading
from .books import Books
from .echo import Echo, learn_echo
from .ours import Acceptance


@dataclass(frozen=True, slots=True)
class Witness:
    """What a reading can prove."""

    echo: Echo | None = field(default_factory=Echo)  # what it does to prompts; None: not known
    trouble: str = ""  # why the reading proves no absence, for people; empty if it may
    newest_attempt: int = 0  # the newest attempt that we bought whose generation it shows; 0: none
    newest_intent: datetime | None = None  # the newest intent of all of those, by our clock
    lag: float | None = None  # seconds until it shows an acceptance; None: not measured yet
    books: Books | None = None  # what the balance shows; None if it can't be compared
    marks: bool = False  # it shows the mark of each of ours that has one, and of one at least

    @property
    def faithful(self) -> bool:
        """Check whether the reading may prove an absence."""
        return not self.trouble


def judge(
    reading: Reading,
    known: Sequence[Acceptance],
    expected: Sequence[Acceptance],
    tolerance: timedelta,
    lag: float | None,
) -> Witness:
    """Return what a reading can prove that shows what is known, and must show what is expected.

    ``tolerance``: how long after its acceptance a generation may still be missing.
    """
    shown = {generation.id: generation.prompt for generation in reading.generations}
    bought = [one for one in known if one.bought]
    newest_intent = max((one.intent_at for one in bought), default=None)
    echo = _echo(shown, known)
    return Witness(
        echo,
        _trouble(reading, shown, known, expected, tolerance, newest_intent, echo),
        max((one.attempt_id for one in bought), default=0),
        newest_intent,
        lag,
        marks=_shows_marks(reading, known),
    )


def _shows_marks(reading: Reading, known: Sequence[Acceptance]) -> bool:
    shown = {generation.id: generation.mark for generation in reading.generations}
    marked = [one for one in known if one.bought and one.mark is not None]
    return bool(marked) and all(shown[one.generation_id] == one.mark for one in marked)


def _echo(shown: Mapping[str, str | None], known: Sequence[Acceptance]) -> Echo | None:
    pairs = [(one.prompt, shown[one.generation_id]) for one in known]
    return learn_echo([(sent, prompt) for sent, prompt in pairs if prompt is not None])


def _trouble(
    reading: Reading,
    shown: Mapping[str, str | None],
    known: Sequence[Acceptance],
    expected: Sequence[Acceptance],
    tolerance: timedelta,
    newest_intent: datetime | None,
    echo: Echo | None,
) -> str:
    for one in expected:
        overtaken = newest_intent is not None and one.accepted_at <= newest_intent
        overdue = reading.began - one.accepted_at > tolerance
        if one.generation_id not in shown and (overtaken or overdue):
            bought = f"{one.generation_id}, bought at {one.accepted_at:%Y-%m-%d %H:%M:%S} UTC"
            return f"the list does not show what it must: generation {bought}, is missing"
    if not known:
        return "the list shows no generation that this database knows, so it proves nothing"
    if not reading.whole:
        return "the list's pages do not fit together, or are not in order"
    for one in known:
        prompt = shown[one.generation_id]
        if prompt is None or not Echo().explains(one.prompt, prompt):
            how = "in other words" if echo is None else str(echo) if echo.altered else "without one"
            return f"the list shows prompts {how}, generation {one.generation_id} for example"
    return ""
