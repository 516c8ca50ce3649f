"""The decision about attempts in doubt, from one reading of the account's list. Pure.

A generation that shows an attempt's mark is that attempt's. Else it is a *candidate* for an attempt
when no attempt of ours has its id, its prompt is the attempt's as the list echoes it, and it was
created in the attempt's window. Candidates are matched by count (money.md, *Settling doubts*):
nothing is adopted that could be somebody else's work. Absence counts only if the reading is a
witness (:mod:`jobs.evidence.witness`), past the grace period and the list's lag, and by one of
:data:`PROOFS` (money.md, *Absence*).
"""

from collections import Counter
from collections.abc import Callable, Container, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ..model.provider import Generation
from ..model.states import AttemptState
from ..model.text import prompt_key
from .account_list import DISORDER, Reading
from .books import Money
from .echo import resembles
from .suspects import Settlement, Suspect
from .witness import Witness


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a doubt's absence, if a faithful reading past its grace does not show it."""

    later_than_grace: bool  # the list shows a purchase of ours sent a grace after the doubt
    later: bool  # it shows one that was sent after the doubt
    lag_known: bool  # how long the list takes to show an acceptance was measured, and has passed
    clean_twice: bool  # two such readings, a grace apart, did not show it
    money: Money  # what the balance says
    money_moves: bool  # the balance has shown a charge of ours since its last quiet reading


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
    near = [g for g in mine if g.created is not None and g.created.until >= doubt.wide_from]
    if near or (near := _alike(doubt, unknown, adopted, grace)):
        if doubt.past_grace and number not in result.unstable:
            result.contested[number] = tuple(near)
        return
    if not doubt.past_grace:
        return
    if doubt.clock_skewed:
        result.unproven[number] = CLOCK_SKEWED
        return
    if trouble := witness.trouble or _gap(doubt, reading, known, marks=witness.marks):
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
        and g.created is not None
        and g.prompt is not None
        and doubt.fits(g.created, grace)
        and resembles(doubt.attempt.prompt, g.prompt)
    ]


def _gap(doubt: Suspect, reading: Reading, known: Container[str], *, marks: bool) -> str:
    if not reading.covers(doubt.wide_from):
        return "the list could not be read far enough back"
    others = reading.generations
    if marks and doubt.attempt.mark is not None:
        others = [one for one in others if one.mark is None]
    if _unreadable(others, known, doubt.wide_from):
        return "the list has an entry that hides its prompt or its time"
    return ""


def _unreadable(generations: Sequence[Generation], known: Container[str], since: datetime) -> bool:
    """Return whether an entry since then hides its prompt or its time, and so what it is."""
    for generation in generations:
        created = generation.created
        if created is not None and created.until < since - DISORDER:
            return False
        if generation.id not in known and (
            created is None or (generation.prompt is None and created.until >= since)
        ):
            return True
    return False


def settle(
    suspects: Sequence[Suspect],
    reading: Reading,
    known: Container[str],
    witness: Witness,
    grace: timedelta,
    stable: Callable[[frozenset[str]], bool],
) -> Settlement:
    """Decide what one reading of the list settles.

    Args:
        suspects: every attempt in ``open`` and ``in_doubt``, and the voids that are watched; they
            and ``known`` were read after the reading began.
        known: the generation ids in it that attempts of ours have.
        stable: whether a set of candidates has been in the list for as long as it may lag, so that
            no further one is still to appear.
    """
    result = Settlement()
    unknown = [g for g in reading.generations if g.id not in known]
    named = _settle_marked(suspects, unknown, result)
    suspects = [one for one in suspects if one.attempt.id not in named.attempts]
    unknown = [g for g in unknown if g.id not in named.generations]
    marked = [one for one in suspects if witness.marks and one.attempt.mark is not None]
    # whatever shows another mark is not theirs
    unmarked = [g for g in unknown if g.mark is None]
    for suspect in marked:
        hidden = [g for g in unmarked if g.prompt is None or prompt_key(g.prompt) == suspect.key]
        _leave_open([suspect], [g for g in hidden if _may_fit(suspect, g, grace)], result)
    by_prompt = [one for one in suspects if one not in marked]
    by_key: dict[str, list[Generation]] = {}
    untimed: dict[str, list[Generation]] = {}
    for generation in unknown:
        if generation.prompt is not None:
            where = untimed if generation.created is None else by_key
            where.setdefault(prompt_key(generation.prompt), []).append(generation)
    for key in dict.fromkeys(suspect.key for suspect in by_prompt):
        group = [suspect for suspect in by_prompt if suspect.key == key]
        if witness.echo is None:
            _contest(group, unknown, grace, result)
        elif hidden := untimed.get(key, []):
            _leave_open(group, [*by_key.get(key, []), *hidden], result)
        elif others := _with_other_marks(group, by_key.get(key, []), grace):
            _leave_open(group, others, result)
        else:
            _settle_group(group, by_key.get(key, []), grace, stable, result)
    for suspect in suspects:
        if (
            suspect.attempt.state == AttemptState.IN_DOUBT
            and suspect.attempt.id not in result.contested
        ):
            mine = () if suspect in marked else by_key.get(suspect.key, ())
            others = unmarked if suspect in marked else unknown
            settle_absence(suspect, reading, known, mine, others, witness, grace, result)
    return result


class _Named(NamedTuple):
    """What marks have settled, or will when an answer comes."""

    attempts: AbstractSet[int]
    generations: AbstractSet[str]


def _settle_marked(
    suspects: Sequence[Suspect], unknown: Sequence[Generation], result: Settlement
) -> _Named:
    """Find the generation that shows an attempt's mark, however many others are like it."""
    shown: dict[str, list[Generation]] = {}
    for generation in unknown:
        if generation.mark is not None:
            shown.setdefault(generation.mark, []).append(generation)
    claimed = Counter(one.attempt.mark for one in suspects)
    attempts: set[int] = set()
    generations: set[str] = set()
    for suspect in suspects:
        attempt = suspect.attempt
        found = shown.get(attempt.mark or "", [])
        if not found:
            continue
        attempts.add(attempt.id)
        generations.update(one.id for one in found)
        if len(found) > 1 or claimed[attempt.mark] > 1:  # the provider gave it to several
            _leave_open([suspect], found, result)
        elif attempt.state == AttemptState.IN_DOUBT:
            result.adopt.append((attempt.id, found[0]))
        elif attempt.state == AttemptState.VOID:
            result.appeared.append((attempt.id, found[0]))
    return _Named(attempts, generations)


def _with_other_marks(
    group: Sequence[Suspect], found: Sequence[Generation], grace: timedelta
) -> Sequence[Generation]:
    """List what shows another mark than was sent, before it is known that the list keeps marks."""
    sent = [one for one in group if one.attempt.mark is not None]
    return [
        one
        for one in found
        if one.mark is not None and any(_may_fit(suspect, one, grace) for suspect in sent)
    ]


def _may_fit(suspect: Suspect, generation: Generation, grace: timedelta) -> bool:
    return generation.created is None or suspect.fits(generation.created, grace)


def _leave_open(
    group: Sequence[Suspect], candidates: Sequence[Generation], result: Settlement
) -> None:
    """Leave doubts to a person if entries may be theirs, and don't show enough to tell."""
    for suspect in group if candidates else ():
        if suspect.attempt.state == AttemptState.IN_DOUBT and suspect.past_grace:
            result.contested[suspect.attempt.id] = tuple(candidates)


def _contest(
    group: Sequence[Suspect], unknown: Sequence[Generation], grace: timedelta, result: Settlement
) -> None:
    """Leave doubts to a person if prompts are rewritten: whatever fits their time may be theirs.

    It may also be a void's: a list that can't be understood settles nothing.
    """
    for suspect in group:
        if suspect.attempt.state != AttemptState.IN_DOUBT or not suspect.past_grace:
            continue
        near = [g for g in unknown if g.created is not None and suspect.fits(g.created, grace)]
        if near:
            result.contested[suspect.attempt.id] = tuple(near)


def _settle_group(
    group: Sequence[Suspect],
    found: Sequence[Generation],
    grace: timedelta,
    stable: Callable[[frozenset[str]], bool],
    result: Settlement,
) -> None:
    """Match the candidates of one prompt by count, in each set that shares windows."""
    for suspects, candidates in _components(group, found, grace):
        if not candidates:
            continue
        doubts = [s for s in suspects if s.attempt.state == AttemptState.IN_DOUBT]
        voids = [s for s in suspects if s.attempt.state == AttemptState.VOID]
        if any(s.attempt.state == AttemptState.OPEN for s in suspects):
            # its POST is under way, and a candidate may be its own: settled now, a doubt would get
            # the video that the answer names a moment later. The answer or the next look decides
            result.unstable += [suspect.attempt.id for suspect in voids]
            continue
        # a void was shown absent: it gets a candidate only if the doubts leave one over
        pairs = _pair(doubts, candidates, grace)
        claimants = doubts
        if len(pairs) < len(candidates):
            claimants = [*doubts, *voids]
            pairs = _pair(claimants, candidates, grace)
        alike = len({s.attempt.request_key for s in claimants}) == 1
        clock_skewed = any(doubt.clock_skewed for doubt in doubts)
        rough = any(g.placed and not s.surely_fits(g.placed, grace) for s, g in pairs)
        if clock_skewed or rough or not alike or len(pairs) < len(candidates):
            result.contested |= {doubt.attempt.id: tuple(candidates) for doubt in doubts}
        elif not stable(frozenset(g.id for g in candidates)):
            result.unstable += [suspect.attempt.id for suspect in suspects]
        else:
            for suspect, generation in pairs:
                landed = result.adopt if suspect in doubts else result.appeared
                landed.append((suspect.attempt.id, generation))


def _components(
    group: Sequence[Suspect], found: Sequence[Generation], grace: timedelta
) -> list[tuple[list[Suspect], list[Generation]]]:
    parts: list[tuple[list[Suspect], list[Generation]]] = [([suspect], []) for suspect in group]
    for generation in found:
        created = generation.created
        touched = [
            part
            for part in parts
            if created is not None and any(suspect.fits(created, grace) for suspect in part[0])
        ]
        if touched:
            merged = (
                [suspect for part in touched for suspect in part[0]],
                [*(g for part in touched for g in part[1]), generation],
            )
            parts = [part for part in parts if part not in touched] + [merged]
    for suspects, candidates in parts:
        suspects.sort(key=lambda suspect: suspect.attempt.id)
        candidates.sort(key=lambda g: (g.created is None, g.created, g.id))
    return parts


def _pair(
    suspects: Sequence[Suspect], candidates: Sequence[Generation], grace: timedelta
) -> list[tuple[Suspect, Generation]]:
    """Pair as many as fit, in order of time, the first suspects first (augmenting paths)."""
    owner: dict[int, int] = {}  # candidate to suspect, by their places
    fitting = [
        [n for n, g in enumerate(candidates) if g.created and suspect.fits(g.created, grace)]
        for suspect in suspects
    ]

    def place(suspect: int, tried: set[int]) -> bool:
        free = [number for number in fitting[suspect] if number not in owner]
        if free:
            owner[free[0]] = suspect
            return True
        for number in fitting[suspect]:
            if number not in tried:
                tried.add(number)
                if place(owner[number], tried):
                    owner[number] = suspect
                    return True
        return False

    for suspect in range(len(suspects)):
        place(suspect, set())
    return [(suspects[s], candidates[c]) for c, s in sorted(owner.items())]
