"""Whose fault a refused submission is: the row's, or the run's. Pure, but for what it remembers.

A cause that concerns the account, the run or the network is never booked on rows (docs/money.md).
One answer alone can't always tell, but several can:

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
speaks of the account or its money, or    the row fails; three running, whatever their words: the
refuses access, under a status for wrong  run stops for that cause, and they are put back
requests too (and the balance suffices)
any of the last three, and its row has    the row fails, and stops nobody: the others were taken, it
heard the same before, and other rows     was refused, twice
were accepted since
========================================  ==========================================================
"""

import re
from collections.abc import Hashable
from dataclasses import replace
from enum import Enum, auto

from .provider import (
    About,
    Accepted,
    GenerationRequest,
    RefusalCause,
    Refused,
    Rejected,
    SubmitOutcome,
)
from .states import FailureKind

RUNNING = 3
"""Equal refusals in a row that may not be the rows' fault: then they are not."""

_OF_THE_ACCOUNT = ""
"""Stands for the words of all that speak of the account: these need not be equal."""

_VARYING = re.compile(r"\b(?=[\w-]*\d)[\w-]+\b")
"""Numbers, ids and times, which differ from answer to answer."""


def same_words(message: str) -> str:
    """Return a refusal's words without what differs from one request to the next."""
    return " ".join(_VARYING.sub("#", message.casefold()).split())


class Heard(Enum):
    """Whether a row has heard before what it hears now."""

    NEVER = auto()
    BEFORE = auto()
    AND_OTHERS_TAKEN = auto()


def open_words(outcome: SubmitOutcome) -> str | None:
    """Return the words of a refusal that leaves open whose fault it is; None of any other."""
    match outcome:
        case Rejected(about=About.UNKNOWN | About.UNCLEAR) | Refused(sure=False):
            return outcome.message
    return None


class Blame:
    """Remembers the refusals that may be the run's, until something is accepted."""

    def __init__(self) -> None:
        self._words: str | None = None
        self._heard_by: set[Hashable] = set()
        self._failed: list[int] = []
        self._put_back: list[int] = []

    def judge(
        self,
        attempt_id: int,
        outcome: SubmitOutcome,
        request: GenerationRequest,
        *,
        own_callback: bool,
        heard: Heard = Heard.NEVER,
    ) -> SubmitOutcome:
        """Return the outcome as it is to be booked: on the row, or on the run.

        Args:
            attempt_id: whose answer it is.
            outcome: as the provider gave it.
            request: what it was asked for.
            own_callback: True when the row names its own address for callbacks.
            heard: whether the row has heard this before.
        """
        match outcome:
            case Accepted():
                self._forget()
            case Rejected(about=About.CALLBACK) if not own_callback:
                return Refused(
                    RefusalCause.REQUEST,
                    f"{outcome.message}; the address is the run's own: check --callback-base",
                )
            case Rejected(about=About.UNKNOWN | About.UNCLEAR):
                if heard is Heard.AND_OTHERS_TAKEN:
                    return outcome
                one = (
                    attempt_id
                    if outcome.about is About.UNKNOWN
                    else replace(request, callback_url=None)
                )
                refused = Refused(RefusalCause.REQUEST, outcome.message, sure=False)
                words = same_words(outcome.gist or outcome.message)
                return self._unexpected(attempt_id, words, one, outcome, refused)
            case Refused(sure=False):  # the caller knows that the balance suffices
                row = Rejected(FailureKind.VALIDATION, outcome.message, About.UNKNOWN)
                if heard is Heard.AND_OTHERS_TAKEN:
                    return row
                return self._unexpected(attempt_id, _OF_THE_ACCOUNT, attempt_id, row, outcome)
        return outcome

    def put_back(self) -> list[int]:
        """Return, once, the attempts whose rows failed before it was clear whose fault it is."""
        found, self._put_back = self._put_back, []
        return found

    def _unexpected(
        self,
        attempt_id: int,
        words: str,
        one: Hashable,
        of_the_row: Rejected,
        of_the_run: Refused,
    ) -> SubmitOutcome:
        """Book a refusal on the row until three have heard these words.

        Args:
            attempt_id: whose answer it is.
            words: without what varies.
            one: what makes it another one than those before.
            of_the_row: the outcome while it may be the row's.
            of_the_run: the outcome from then on.
        """
        if words != self._words:
            self._forget(words)
        self._heard_by.add(one)
        if len(self._heard_by) < RUNNING:
            self._failed.append(attempt_id)
            return of_the_row
        self._put_back += self._failed
        self._failed = []
        return of_the_run

    def _forget(self, words: str | None = None) -> None:
        self._words, self._heard_by, self._failed = words, set(), []
