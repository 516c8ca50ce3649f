"""The decision about attempts in doubt, from one reading of the account's list. Pure.

A generation is a *candidate* for an attempt when no attempt of ours has its id, its prompt is the
attempt's, and it was created in the attempt's window. Candidates are matched by count (money.md,
*Settling doubts*): never more is adopted than can be told apart from somebody else's work, and
absence counts only where a reading can prove it.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from .account_list import DISORDER, Reading
from .provider import Generation
from .states import AttemptState
from .text import prompt_key

NARROW = timedelta(seconds=30)
"""How far beyond its window a creation may lie where the provider's clock was measured."""

WIDE = timedelta(minutes=10)
"""How far before its window a reading must look before it proves absence."""

UNMEASURED = timedelta(hours=26)
"""The same where no acceptance of ours tells how far the clocks differ: a misread zone and more."""

WATCHED = timedelta(hours=1)
"""How long a void is watched for a generation that turns up after all."""

AHEAD = timedelta(minutes=1)
"""An intent that lies further in our future was written by a clock that has been set back."""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """By how much the provider's clock is ahead of ours, at least and at most.

    Attributes:
        known: False when nothing tells, and both are no more than a hope.
        measured: True when acceptances of ours told it, by the times that the list shows.
    """

    least: timedelta = timedelta(0)
    most: timedelta = timedelta(0)
    known: bool = False
    measured: bool = False

    def widened(self, least: timedelta, most: timedelta) -> "ClockOffset":
        """Let it be as little or as much as another source says, too."""
        if not self.known:
            return ClockOffset(least, most, known=True)
        return replace(self, least=min(self.least, least), most=max(self.most, most))

    def loosened(self, by: timedelta) -> "ClockOffset":
        """Let it be less or more by so much: our own clock was set meanwhile."""
        return replace(self, least=self.least - by, most=self.most + by)


@dataclass(frozen=True, slots=True)
class Suspect:
    """An attempt whose generation may be in the account without our knowing its id.

    Attributes:
        state: ``open`` (its POST is under way), ``in_doubt``, or ``void`` (watched on).
        key: of its prompt, :func:`jobs.text.prompt_key`.
        fingerprint: of what was asked for; attempts with equal ones may be taken for each other.
        sent_from: when its intent was written, by our clock.
        sent_until: the last moment at which its request could have been under way, by our clock.
        offset: of the provider's clock at that time.
        ripe: True when the reading began after its grace.
        clean_before: True when an earlier clean reading, a grace ago, did not show it either.
        adrift: True when its times were written by a clock that has been set back since: they tell
            nothing, and any generation of its prompt may be its own.
        replaced_at: when the intent of a void's replacement was written, by our clock: what was
            created later may be the replacement's, or anybody's.
    """

    attempt_id: int
    state: str
    key: str
    fingerprint: str
    sent_from: datetime
    sent_until: datetime
    offset: ClockOffset = ClockOffset()
    ripe: bool = False
    clean_before: bool = False
    adrift: bool = False
    replaced_at: datetime | None = None

    @property
    def wide_from(self) -> datetime:
        """Say before which time, by the provider's clock, it can't have been created."""
        margin = WIDE if self.offset.measured else UNMEASURED
        return self.sent_from + self.offset.least - margin

    def fits(self, created_at: datetime, grace: timedelta) -> bool:
        """Say whether a creation lies in its narrow window.

        A late acceptance may take a grace, and what has been voided is watched for longer.
        """
        if self.adrift and self.state != AttemptState.VOID:
            return True
        margin = NARROW if self.offset.known else WIDE
        since = self.sent_from + self.offset.least - margin
        if self.state == AttemptState.OPEN:
            return created_at >= since
        late = WATCHED if self.state == AttemptState.VOID else grace
        until = self.sent_until + self.offset.most + late + margin
        if self.replaced_at is not None:
            until = min(until, self.replaced_at + self.offset.least)
        return since <= created_at <= until


@dataclass(slots=True)
class Settlement:
    """What a reading settles.

    Attributes:
        adopt: doubts and the generations that are theirs.
        appeared: voids whose generation turned up after all.
        void: doubts that are shown never to have been created.
        contested: doubts that can't be told apart from others' work, and their candidates.
        clean: doubts that a clean reading after their grace did not show, still without a witness.
        unstable: doubts and voids whose candidates have not stood long enough yet.
    """

    adopt: list[tuple[int, Generation]] = field(default_factory=list)
    appeared: list[tuple[int, Generation]] = field(default_factory=list)
    void: list[int] = field(default_factory=list)
    contested: dict[int, tuple[Generation, ...]] = field(default_factory=dict)
    clean: list[int] = field(default_factory=list)
    unstable: list[int] = field(default_factory=list)


def settle(
    suspects: Sequence[Suspect],
    reading: Reading,
    known: Container[str],
    witness: int,
    grace: timedelta,
    stable: Callable[[frozenset[str]], bool],
) -> Settlement:
    """Decide what one reading of the list settles.

    Args:
        suspects: every attempt in ``open`` and ``in_doubt``, and the voids that are watched.
        reading: what the list showed; it began before ``suspects`` and ``known`` were read.
        known: the generation ids in it that attempts of ours have.
        witness: the newest attempt that we bought whose generation is in it; 0 when none is. The
            list has caught up with what was sent before that one.
        grace: how long after its request a generation may still be created.
        stable: whether a set of candidates has stood for as long as the list may lag, so that none
            of theirs is still to come.
    """
    result = Settlement()
    unknown = [g for g in reading.generations if g.id not in known]
    by_key: dict[str, list[Generation]] = {}
    for generation in unknown:
        if generation.prompt is not None and generation.created_at is not None:
            by_key.setdefault(prompt_key(generation.prompt), []).append(generation)
    for key in dict.fromkeys(suspect.key for suspect in suspects):
        group = [suspect for suspect in suspects if suspect.key == key]
        _settle_group(group, by_key.get(key, []), grace, stable, result)
    for suspect in suspects:
        if suspect.state == AttemptState.IN_DOUBT and suspect.attempt_id not in result.contested:
            _settle_absence(suspect, reading, known, by_key, witness, result)
    return result


def _settle_group(
    group: Sequence[Suspect],
    found: Sequence[Generation],
    grace: timedelta,
    stable: Callable[[frozenset[str]], bool],
    result: Settlement,
) -> None:
    """Match the candidates of one prompt by count, wherever windows keep them together."""
    for suspects, candidates in _components(group, found, grace):
        if not candidates or any(s.state == AttemptState.OPEN for s in suspects):
            continue  # one whose POST is under way may be its own: its answer tells
        doubts = [s for s in suspects if s.state == AttemptState.IN_DOUBT]
        voids = [s for s in suspects if s.state == AttemptState.VOID]
        # a void was shown absent: it counts only where there is more than the doubts explain
        pairs = _pair(doubts, candidates, grace)
        claimants = doubts
        if len(pairs) < len(candidates):
            claimants = [*doubts, *voids]
            pairs = _pair(claimants, candidates, grace)
        alike = len({s.fingerprint for s in claimants}) == 1
        adrift = any(doubt.adrift for doubt in doubts)
        if adrift or not alike or len(pairs) < len(candidates):
            result.contested |= {doubt.attempt_id: tuple(candidates) for doubt in doubts}
        elif not stable(frozenset(g.id for g in candidates)):
            result.unstable += [suspect.attempt_id for suspect in suspects]
        else:
            for suspect, generation in pairs:
                landed = result.adopt if suspect in doubts else result.appeared
                landed.append((suspect.attempt_id, generation))


def _components(
    group: Sequence[Suspect], found: Sequence[Generation], grace: timedelta
) -> list[tuple[list[Suspect], list[Generation]]]:
    """Part suspects and candidates into sets that share no window."""
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
        suspects.sort(key=lambda suspect: suspect.attempt_id)
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


def _settle_absence(
    doubt: Suspect,
    reading: Reading,
    known: Container[str],
    by_key: Mapping[str, Sequence[Generation]],
    witness: int,
    result: Settlement,
) -> None:
    """Void a doubt that is shown never to have been created; note what stands in the way."""
    adopted = {generation.id: attempt for attempt, generation in result.adopt}
    mine = by_key.get(doubt.key, ())
    if doubt.attempt_id in adopted.values() or any(g.id in adopted for g in mine):
        return  # settled, or others of its prompt were just now: then the next reading tells
    near = [g for g in mine if g.created_at is not None and g.created_at >= doubt.wide_from]
    if near:
        if doubt.ripe and doubt.attempt_id not in result.unstable:
            result.contested[doubt.attempt_id] = tuple(near)
        return
    proves = reading.covers(doubt.wide_from) and not _unreadable(
        reading.generations, known, doubt.wide_from
    )
    if doubt.adrift or not doubt.ripe or not proves:
        return
    if witness > doubt.attempt_id or doubt.clean_before:
        result.void.append(doubt.attempt_id)
    else:
        result.clean.append(doubt.attempt_id)


def _unreadable(generations: Sequence[Generation], known: Container[str], since: datetime) -> bool:
    """Say whether an entry since then hides its prompt or its time, and so what it is."""
    for generation in generations:
        created = generation.created_at
        if created is not None and created < since - DISORDER:
            return False
        if generation.id not in known and (
            created is None or (generation.prompt is None and created >= since)
        ):
            return True
    return False
