"""Which rows a run may buy without looking for them again.

The look before a run covers the rows that are queued then. Rows queued later may have been bought
without this database knowing (a restored backup), or in another batch: one whose generation failed,
one that a person queues again or rewords, one that is handed over.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from ..model.states import HeldBack

MOST_ASKED = 10_000
"""Most requests for which we remember up to where our own past was searched."""


class Wish(NamedTuple):
    """What a row asked for, and its last attempt: if either changes, it was not looked for."""

    fingerprint: str
    attempt_id: int | None


class BuyableRow(NamedTuple):
    """A queued row that is about to be bought."""

    id: int
    wish: Wish
    sent: tuple[int, str | None] | None  # its last attempt and what that asked for, if sent by us
    held_back: str | None
    handed: bool
    named: bool


class LookedFor:
    """Remembers which rows were looked for, with which request, and which wait for a look.

    Args:
        known: what the look before the run has looked for, by row number, of rows that were tried
            or asked for by name before; None: no row of the run's own batches needs a look.
        newest: number of the newest attempt when the run began.
        past: our own past was searched before the run: only later purchases are searched now.
    """

    def __init__(
        self, known: Mapping[int, Wish] | None = None, newest: int = 0, *, past: bool = False
    ) -> None:
        self._own_too = known is not None
        self._known = dict(known or {})
        self._newest = newest
        self._past = past
        self._again: set[int] = set()
        self._waiting: set[int] = set()
        self._asked: dict[tuple[int, str], int] = {}
        self._taken: set[tuple[int, int]] = set()

    def lacks(self, row: BuyableRow) -> bool:
        """Check whether a queued row must be looked for first.

        What this run has sent itself needs no look, nor does a single video that is handed over
        while it is unasked: it was typed again on purpose.
        """
        if row.id in self._again or self._known.get(row.id) == row.wish:
            return row.id in self._again
        number, fingerprint = row.sent or (0, None)
        if number > self._newest and fingerprint == row.wish.fingerprint:
            return False  # this run has sent it
        if row.handed:
            return row.held_back != HeldBack.UNASKED
        return self._own_too and (row.wish.attempt_id is not None or row.named)

    def asks_past(self, held_back: str | None, *, handed: bool) -> bool:
        """Check whether a row waits for what other batches have bought since the run began."""
        return held_back != HeldBack.UNASKED if handed else self._past

    def asked(self, batch_id: int, request: str) -> int:
        """Return the newest attempt up to which no other batch has a request for this one."""
        return self._asked.get((batch_id, request), self._newest)

    def note_asked(self, batch_id: int, request: str, attempt_id: int) -> None:
        """Remember up to which attempt other batches were asked for a request."""
        if len(self._asked) >= MOST_ASKED:
            self._asked.clear()  # searched again; what rows wait for stays taken
        self._asked[batch_id, request] = attempt_id

    def take(self, batch_id: int, attempt_id: int) -> None:
        """Remember that a row waits for another batch's purchase, so that no other row does."""
        self._taken.add((batch_id, attempt_id))

    def is_taken(self, batch_id: int, attempt_id: int) -> bool:
        """Check whether a row of a batch waits for another batch's purchase already."""
        return (batch_id, attempt_id) in self._taken

    def keep(self, found: "FoundInTurn") -> None:
        """Remember what a turn found, once that is durable."""
        self._waiting.update(found.lacking)
        self._taken.update(found.taken)
        for (batch_id, request), attempt_id in found.asked_up_to.items():
            self.note_asked(batch_id, request, attempt_id)

    def forget(self, jobs: Collection[int]) -> None:
        """Look for rows again before they are bought: what they paid for may turn up."""
        self._again.update(jobs)

    @property
    def again(self) -> frozenset[int]:
        """Return the rows that were forgotten, and not looked for since."""
        return frozenset(self._again)

    @property
    def waiting(self) -> Collection[int]:
        """Return the rows that wait for a look."""
        return sorted(self._waiting)

    def looked(self, jobs: Collection[int], known: Mapping[int, Wish]) -> None:
        """Forget rows that waited, as what must wait is held back; keep what was compared."""
        self._known.update(known)
        self._again.difference_update(known)
        self._waiting.difference_update(jobs)


class FoundInTurn:
    """What a turn of the scheduler finds about rows, beside what its run remembers.

    A turn that is rolled back leaves no trace: :class:`LookedFor` changes only when it keeps this.
    """

    def __init__(self, before: LookedFor) -> None:
        self._before = before
        self.lacking: set[int] = set()
        self.taken: set[tuple[int, int]] = set()
        self.asked_up_to: dict[tuple[int, str], int] = {}

    def lacks(self, row: BuyableRow) -> bool:
        """Check as :meth:`LookedFor.lacks` does; such a row waits for a look from now on."""
        lacks = self._before.lacks(row)
        if lacks:
            self.lacking.add(row.id)
        return lacks

    def asked(self, batch_id: int, request: str) -> int:
        """Return the newest attempt up to which no other batch has a request for this one."""
        found = self.asked_up_to.get((batch_id, request))
        return self._before.asked(batch_id, request) if found is None else found

    def note_asked(self, batch_id: int, request: str, attempt_id: int) -> None:
        """Note up to which attempt other batches were asked for a request."""
        self.asked_up_to[batch_id, request] = attempt_id

    def take(self, batch_id: int, attempt_id: int) -> None:
        """Note that a row waits for another batch's purchase, so that no other row does."""
        self.taken.add((batch_id, attempt_id))

    def is_taken(self, batch_id: int, attempt_id: int) -> bool:
        """Check whether a row of a batch waits for another batch's purchase already."""
        return (batch_id, attempt_id) in self.taken or self._before.is_taken(batch_id, attempt_id)
