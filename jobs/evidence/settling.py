"""The decision about attempts in doubt, from one reading of the account's list. Pure.

A generation is a *candidate* for an attempt when no attempt of ours has its id, its prompt is the
attempt's as the list echoes it, and it was created in the attempt's window. Candidates are matched
by count (money.md, *Settling doubts*): nothing is adopted that could be somebody else's work.
Absence counts only if the reading is a witness (:mod:`jobs.evidence.witness`) and a line of
:data:`jobs.evidence.absence.PROOFS` holds.
"""

from collections.abc import Callable, Container, Sequence
from datetime import timedelta

from ..model.provider import Generation
from ..model.states import AttemptState
from ..model.text import prompt_key
from .absence import settle_absence
from .account_list import Reading
from .suspects import Settlement, Suspect
from .witness import Witness


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
        suspects: every attempt in ``open`` and ``in_doubt``, and the voids that are watched.
        reading: what the list showed; it began before ``suspects`` and ``known`` were read.
        known: the generation ids in it that attempts of ours have.
        grace: how long after its request a generation may still be created.
        stable: whether a set of candidates has been in the list for as long as it may lag, so that
            no further one is still to appear.
    """
    result = Settlement()
    unknown = [g for g in reading.generations if g.id not in known]
    by_key: dict[str, list[Generation]] = {}
    untimed: dict[str, list[Generation]] = {}
    for generation in unknown:
        if generation.prompt is not None:
            where = untimed if generation.created_at is None else by_key
            where.setdefault(prompt_key(generation.prompt), []).append(generation)
    for key in dict.fromkeys(suspect.key for suspect in suspects):
        group = [suspect for suspect in suspects if suspect.key == key]
        if witness.echo is None:
            _contest(group, unknown, grace, result)
        elif hidden := untimed.get(key, []):
            _leave_open(group, [*by_key.get(key, []), *hidden], result)
        else:
            _settle_group(group, by_key.get(key, []), grace, stable, result)
    for suspect in suspects:
        if (
            suspect.attempt.state == AttemptState.IN_DOUBT
            and suspect.attempt.id not in result.contested
        ):
            mine = by_key.get(suspect.key, ())
            settle_absence(suspect, reading, known, mine, unknown, witness, grace, result)
    return result


def _leave_open(
    group: Sequence[Suspect], candidates: Sequence[Generation], result: Settlement
) -> None:
    """Leave doubts to a person if an entry without a time has their prompt: it may be theirs."""
    for suspect in group:
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
        times = [g for g in unknown if g.created_at is not None]
        near = [g for g in times if g.created_at and suspect.fits(g.created_at, grace)]
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
        if clock_skewed or not alike or len(pairs) < len(candidates):
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
    """Split suspects and candidates into sets that share no window."""
    parts: list[tuple[list[Suspect], list[Generation]]] = [([suspect], []) for suspect in group]
    for generation in found:
        created = generation.created_at
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
        candidates.sort(key=lambda g: (g.created_at is None, g.created_at, g.id))
    return parts


def _pair(
    suspects: Sequence[Suspect], candidates: Sequence[Generation], grace: timedelta
) -> list[tuple[Suspect, Generation]]:
    """Pair as many as fit, in order of time, the first suspects first (augmenting paths)."""
    owner: dict[int, int] = {}  # candidate to suspect, by their places
    fitting = [
        [n for n, g in enumerate(candidates) if g.created_at and suspect.fits(g.created_at, grace)]
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
