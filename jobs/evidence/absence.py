"""When a doubt is shown never to have been created. Pure.

Only a reading that shows everything we know of can prove it, only past the grace period and the
list's lag, and only with one of the proofs of :data:`PROOFS` (money.md, *Absence*).
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ..model.provider import Generation
from .account_list import DISORDER, Reading
from .books import Money
from .echo import resembles
from .suspects import Settlement, Suspect
from .witness import Witness


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a doubt's absence, if a faithful reading past its grace does not show it.

    Attributes:
        later_than_grace: the list shows a purchase of ours that was sent a grace after the doubt.
        later: it shows one that was sent after the doubt.
        lag_known: how long the list takes to show an acceptance was measured, and has passed.
        clean_twice: two such readings, a grace apart, did not show it.
        money: what the balance says.
        money_moves: the balance has shown a charge of ours since its last quiet reading.
    """

    later_than_grace: bool
    later: bool
    lag_known: bool
    clean_twice: bool
    money: Money
    money_moves: bool


PROOFS: Final[tuple[tuple[str, Callable[[Evidence], bool]], ...]] = (
    ("the list shows what was bought a grace later", lambda e: e.later_than_grace),
    ("it shows a later purchase, and its lag is known", lambda e: e.later and e.lag_known),
    ("two clean readings past its known lag", lambda e: e.clean_twice and e.lag_known),
)
"""Each line proves that a doubt was never made, where the balance moves and is clear.

A request may still be accepted for a grace after its connection broke, and the list may show it
later by its lag. A list that loses entries, or is frozen, looks the same as a correct one: so the
balance must always agree (tests/unit/test_settling.py).
"""

CLOCK_SKEWED: Final = (
    "its times were written by a clock that was set back since, so they prove nothing"
)
NO_PROOF: Final = (
    "nothing newer of ours shows that the list is up to date; the next purchase may settle it"
)
NO_QUIET: Final = "no earlier reading to compare with"
NO_MONEY: Final = "the balance can't show that it was not charged: {}"
NOT_YET: Final = (
    "the balance can't tell yet: it may be late, or others that were bought have not ended"
)


def settle_absence(
    doubt: Suspect,
    reading: Reading,
    known: Container[str],
    mine: Sequence[Generation],
    unknown: Sequence[Generation],
    witness: Witness,
    grace: timedelta,
    result: Settlement,
) -> None:
    """Void a doubt that is shown never to have been created; else note what is missing."""
    number = doubt.attempt.id
    adopted = {generation.id: attempt for attempt, generation in result.adopt}
    if number in adopted.values() or any(g.id in adopted for g in mine):
        return  # settled, or others of its prompt just were: the next reading decides
    near = [g for g in mine if g.created_at is not None and g.created_at >= doubt.wide_from]
    if near or (near := _alike(doubt, unknown, adopted, grace)):
        if doubt.past_grace and number not in result.unstable:
            result.contested[number] = tuple(near)
        return
    if not doubt.past_grace:
        return
    if doubt.clock_skewed:
        result.unproven[number] = CLOCK_SKEWED
        return
    if trouble := witness.trouble or _gap(doubt, reading, known):
        result.unproven[number] = trouble
        return
    evidence = evidence_of(doubt, witness, grace)
    if evidence.money is Money.OPEN:
        why = NO_QUIET if witness.books is None else witness.books.why_open()
        result.unproven[number] = NO_MONEY.format(why)
    elif evidence.money is Money.PASSING or not doubt.shown:
        result.passing.append(number)
        result.unproven[number] = NOT_YET
    elif proof_of(evidence) is not None:
        result.void.append(number)
    else:
        result.clean.append(number)
        result.unproven[number] = NO_PROOF


def evidence_of(doubt: Suspect, witness: Witness, grace: timedelta) -> Evidence:
    """Gather what a faithful reading and the balance say about a doubt that is not in the list."""
    newest, books = witness.newest_intent, witness.books
    return Evidence(
        later_than_grace=newest is not None and newest >= doubt.attempt.sent_until + grace,
        later=witness.newest_attempt > doubt.attempt.id,
        lag_known=witness.lag is not None,
        clean_twice=doubt.clean_before,
        money=Money.OPEN if books is None else books.verdict(doubt.attempt.price),
        money_moves=books is not None and books.moved,
    )


def proof_of(evidence: Evidence) -> str | None:
    """Name what proves that a doubt was never made; None if nothing does."""
    if evidence.money is not Money.CLEAR or not evidence.money_moves:
        return None
    return next((name for name, holds in PROOFS if holds(evidence)), None)


def _alike(
    doubt: Suspect, unknown: Sequence[Generation], taken: Container[str], grace: timedelta
) -> list[Generation]:
    """List what was created in a doubt's window under a prompt that may be its own, altered."""
    return [
        g
        for g in unknown
        if g.id not in taken
        and g.created_at is not None
        and g.prompt is not None
        and doubt.fits(g.created_at, grace)
        and resembles(doubt.attempt.prompt, g.prompt)
    ]


def _gap(doubt: Suspect, reading: Reading, known: Container[str]) -> str:
    """Return why a reading can't show that a doubt is absent; empty if it can."""
    if not reading.covers(doubt.wide_from):
        return "the list could not be read far enough back"
    if _unreadable(reading.generations, known, doubt.wide_from):
        return "the list has an entry that hides its prompt or its time"
    return ""


def _unreadable(generations: Sequence[Generation], known: Container[str], since: datetime) -> bool:
    """Return whether an entry since then hides its prompt or its time, and so what it is."""
    for generation in generations:
        created = generation.created_at
        if created is not None and created < since - DISORDER:
            return False
        if generation.id not in known and (
            created is None or (generation.prompt is None and created >= since)
        ):
            return True
    return False
