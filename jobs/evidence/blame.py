"""Whose fault a refused submission is: the row's or the run's. Pure, except for its memory.

A cause that concerns the account, the run or the network is never booked on rows (docs/money.md).
One answer alone may leave that open, but several can show it:

========================================  ==========================================================
the answer                                what it means
========================================  ==========================================================
says what is wrong with the row           the row fails, however often it comes
names the callback's address, the row's   the row fails
names the callback's address, the run's   the run stops; the row stays queued
names nothing of the row                  the row fails; the same three times running, without an
                                          acceptance between: the run stops, and these rows are put
                                          back in the queue
names something of the row, and not what  the same, once three different requests heard it: videos
is wrong with it                          of one prompt are refused alike
refuses access, under a status for wrong  the row fails; three running, whatever their words: the
requests too                              run stops for that cause, and they are put back
any of the last three, and its row has    the row fails, and stops nobody: the others were taken, it
heard the same before, and other rows     was refused, twice
were accepted since
the same, three running, and each of      these rows fail, and stop nobody
these rows heard it an hour ago or
more, a day at most after others were
accepted
any of the three, fewer than three        the rows are put back once, where the run had any accepted
running when the run ends                 before
speaks of the account or its money,       the row stays queued, behind the others, and counts in the
under a status for wrong requests too     streak of those that are refused access
(and the balance suffices)                (:mod:`jobs.store.haste` may fail it after all)
========================================  ==========================================================
"""

import re
from collections.abc import Hashable
from dataclasses import dataclass, replace
from enum import Enum, auto

from ..model.provider import (
    About,
    Accepted,
    GenerationRequest,
    RefusalCause,
    Refused,
    Rejected,
    SubmitOutcome,
)
from ..model.states import FailureKind

RUNNING = 3
"""Equal refusals in a row from which on they are not the rows' fault."""

_OF_THE_ACCOUNT = ""
"""Stands for the words of all about access, money and the account: these need not be equal."""

_VARYING = re.compile(r"\b(?=[\w-]*\d)[\w-]+\b")
"""Numbers, ids and times, which differ from answer to answer."""


def same_words(message: str) -> str:
    """Return a refusal's words without what differs from one request to the next."""
    return " ".join(_VARYING.sub("#", message.casefold()).split())


class Heard(Enum):
    """Whether a row has heard before what it hears now, and when others were accepted.

    Attributes:
        BEFORE: it has, and nothing was accepted since.
        AFTER_OTHERS: the same, an hour ago or more, and others were accepted in the day before.
        AND_OTHERS_TAKEN: it has, and others were accepted since.
    """

    NEVER = auto()
    BEFORE = auto()
    AFTER_OTHERS = auto()
    AND_OTHERS_TAKEN = auto()


def open_words(outcome: SubmitOutcome) -> str | None:
    """Return the words of a refusal that leaves open whose fault it is, or None."""
    match outcome:
        case Rejected(about=About.UNKNOWN | About.UNCLEAR):
            return outcome.message
        case Refused(RefusalCause.ACCESS, sure=False):
            return outcome.message
    return None


@dataclass(frozen=True, slots=True)
class _Failed:
    """An attempt whose row failed, and the refusal of the run if it was not the row's fault."""

    attempt_id: int
    of_the_run: Refused
    heard: Heard


class Blame:
    """Remembers the refusals that may be the run's, until something is accepted."""

    def __init__(self) -> None:
        self._words: str | None = None
        self._heard_by: set[Hashable] = set()
        self._failed: list[_Failed] = []
        self._lasting = True  # every row of the streak was refused at another hour as well
        self._taken = 0  # the newest attempt that was accepted
        self._put_back: list[int] = []

    def judge(  # noqa: PLR0911 - one line of the table each
        self,
        attempt_id: int,
        outcome: SubmitOutcome,
        request: GenerationRequest,
        *,
        own_callback: bool,
        heard: Heard = Heard.NEVER,
    ) -> SubmitOutcome:
        """Return the outcome as it is to be booked: on the row, or on the run.

        A refusal that is returned as not sure is on neither: its row stays queued, and the run
        continues. ``own_callback``: the row names its own address for callbacks.
        """
        match outcome:
            case Accepted():
                self._taken = max(self._taken, attempt_id)
                self._forget()
            case Rejected(about=About.CALLBACK) if not own_callback:
                return Refused(RefusalCause.REQUEST, outcome.message)
            case Rejected(about=About.UNKNOWN | About.UNCLEAR):
                if heard is Heard.AND_OTHERS_TAKEN:
                    return outcome
                one = (
                    attempt_id
                    if outcome.about is About.UNKNOWN
                    else replace(request, callback_url=None)
                )
                refused = Refused(RefusalCause.REQUEST, outcome.message)
                words = same_words(outcome.gist or outcome.message)
                return self._unexpected(words, one, outcome, _Failed(attempt_id, refused, heard))
            case Refused(RefusalCause.ACCESS, sure=False):
                row = Rejected(FailureKind.VALIDATION, outcome.message, About.UNKNOWN)
                if heard is Heard.AND_OTHERS_TAKEN:
                    return row
                failed = _Failed(attempt_id, replace(outcome, sure=True), heard)
                return self._unexpected(_OF_THE_ACCOUNT, attempt_id, row, failed)
            case Refused(sure=False):  # the caller knows that the balance suffices
                if not self._third(_OF_THE_ACCOUNT, attempt_id):
                    return outcome
                self._give_back()
                return replace(outcome, sure=True)
        return outcome

    def put_back(self) -> list[int]:
        """Return, once, the attempts whose rows failed before it was clear whose fault it is."""
        found, self._put_back = self._put_back, []
        return found

    def cut_off(self) -> tuple[list[int], Refused | None]:
        """Return, once, the attempts that a run which ends now puts back, and why.

        Nothing sent after them was accepted, so they may have been the first of a streak. They
        count as the rows' own if nothing was accepted before either (a sheet of a row or two), or
        if the row has heard it before: otherwise every run would send it, and it would never fail.
        """
        left = [
            one
            for one in self._failed
            if one.attempt_id > self._taken and self._taken and one.heard is Heard.NEVER
        ]
        self._failed = []
        return [one.attempt_id for one in left], left[-1].of_the_run if left else None

    def _unexpected(
        self, words: str, one: Hashable, of_the_row: Rejected, failed: _Failed
    ) -> SubmitOutcome:
        """Book a refusal on the row until three different ones have heard these words, one newly.

        ``words`` are without what varies; ``one`` tells this refusal from those before.
        """
        third = self._third(words, one, lasting=failed.heard is Heard.AFTER_OTHERS)
        if not third or self._lasting:
            self._failed.append(failed)
            return of_the_row
        self._give_back()
        return failed.of_the_run

    def _third(self, words: str, one: Hashable, *, lasting: bool = False) -> bool:
        if words != self._words:
            self._forget(words)
        self._heard_by.add(one)
        self._lasting &= lasting
        return len(self._heard_by) >= RUNNING

    def _give_back(self) -> None:
        self._put_back += [earlier.attempt_id for earlier in self._failed]
        self._failed = []

    def _forget(self, words: str | None = None) -> None:
        self._words, self._heard_by, self._failed, self._lasting = words, set(), [], True
