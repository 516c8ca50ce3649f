"""Whose fault a refused submission is: the row's, or the run's. Pure, but for what it remembers.

A cause that concerns the account, the run or the network is never booked on rows (docs/money.md).
One answer alone can't always tell, but several can:

========================================  ==========================================================
the answer                                what it means
========================================  ==========================================================
names a field, the content or the image   the row fails
names the callback's address, the row's   the row fails
names the callback's address, the run's   the run stops; the row stays queued
names nothing of the row                  the row fails; the same three times running, without an
                                          acceptance between: the run stops, and these rows are put
                                          back in the queue
speaks of money, under a status that does the row fails; three running, whatever their words: the
not say so, while the balance suffices    run stops for want of money, and they are put back
========================================  ==========================================================
"""

import re

from .provider import About, Accepted, RefusalCause, Refused, Rejected, SubmitOutcome
from .states import FailureKind

RUNNING = 3
"""Equal refusals in a row that name nothing of the row: then it is not the rows' fault."""

_VARYING = re.compile(r"\b(?=[\w-]*\d)[\w-]+\b")
"""Numbers, ids and times, which differ from answer to answer."""


def same_words(message: str) -> str:
    """Return a refusal's words without what differs from one request to the next."""
    return " ".join(_VARYING.sub("#", message.casefold()).split())


class Blame:
    """Remembers the refusals that name nothing of their rows, until something is accepted."""

    def __init__(self) -> None:
        self._words = ""
        self._refused: list[int] = []
        self._put_back: list[int] = []

    def judge(
        self, attempt_id: int, outcome: SubmitOutcome, *, own_callback: bool
    ) -> SubmitOutcome:
        """Return the outcome as it is to be booked: on the row, or on the run.

        Args:
            attempt_id: whose answer it is.
            outcome: as the provider gave it.
            own_callback: True when the row names its own address for callbacks.
        """
        match outcome:
            case Accepted():
                self._forget()
            case Rejected(about=About.CALLBACK) if not own_callback:
                return Refused(
                    RefusalCause.REQUEST,
                    f"{outcome.message}; the address is the run's own: check --callback-base",
                )
            case Rejected(about=About.UNKNOWN):
                refused = Refused(RefusalCause.REQUEST, outcome.message)
                return self._unexpected(attempt_id, same_words(outcome.message), outcome, refused)
            case Refused(sure=False):  # the caller knows that the balance suffices
                row = Rejected(FailureKind.VALIDATION, outcome.message, About.UNKNOWN)
                return self._unexpected(attempt_id, str(outcome.cause), row, outcome)
        return outcome

    def put_back(self) -> list[int]:
        """Return, once, the attempts whose rows failed before it was clear whose fault it is."""
        found, self._put_back = self._put_back, []
        return found

    def _unexpected(
        self, attempt_id: int, words: str, of_the_row: Rejected, of_the_run: Refused
    ) -> SubmitOutcome:
        if words != self._words:
            self._forget(words)
        self._refused.append(attempt_id)
        if len(self._refused) < RUNNING:
            return of_the_row
        if len(self._refused) == RUNNING:  # those of a longer streak were never failed
            self._put_back += self._refused[:-1]
        return of_the_run

    def _forget(self, words: str = "") -> None:
        self._words, self._refused = words, []
