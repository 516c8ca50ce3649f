"""What is kept in the database for people to read: what a batch waits for, why a job failed."""

from typing import Final

from jobs.model.states import Blocked, FailureKind, Reason
from jobs.model.words import Pause

LONGEST: Final = 120  # characters of the provider's words that a person is shown beside the bar
_AFTER: Final = {
    Reason.FUNDS: str(Blocked.BALANCE),
    Reason.ACCOUNT: "the account ({})",
    Reason.ACCESS: "access to the API ({})",
    Reason.REQUEST: "a change of the run's settings ({})",
    Reason.UNDECIDED: "another run, which finds the cause ({})",
    Reason.UNREACHABLE: "the API",
}
_LEAVE: Final = "the next 'batchsora run' checks it first; 'batchsora abandon' gives it up"
_GIVEN_UP: Final = {
    FailureKind.UNKNOWN: "the provider says {said} after {minutes:g} minutes, and batchsora does "
    f"not know what that means; it is paid and may still finish: {_LEAVE}",
    FailureKind.NO_FILE: "the provider says that it is completed, and after {minutes:g} minutes "
    f"still gives no usable URL of the video; it is paid: {_LEAVE}",
    FailureKind.OVERDUE: "not finished after {minutes:g} minutes; it is paid and may still finish: "
    "the next 'batchsora run' checks it first",
}


class KeptWords:
    """The words of :class:`jobs.model.words.Words`."""

    def paused(self, pause: Pause) -> str:
        """Return what every submission waits for, until when, and why."""
        why = pause.why if len(pause.why) <= LONGEST else f"{pause.why[:LONGEST]}…"
        return f"the API until {pause.until.astimezone():%H:%M:%S %Z} ({why})"

    def after(self, reason: Reason, message: str) -> str | None:
        """Return what batches wait for after a run; None for nothing."""
        text = _AFTER.get(reason)
        return None if text is None else text.format(message)

    def takes_nothing(self, minutes: float, why: str) -> str:
        """Return that no submission was accepted for so long."""
        return f"no submission was accepted for {minutes:g} minutes ({why})"

    def own_callback(self, message: str) -> str:
        """Return why the run's own address for callbacks is refused."""
        return f"{message}; the run chose this address: check --callback-base"

    def given_up(self, kind: FailureKind, minutes: float, said: str | None) -> str:
        """Return why a generation is no longer waited for."""
        shown = "nothing that batchsora understands" if said is None else repr(said)
        return _GIVEN_UP[kind].format(said=shown, minutes=minutes)
