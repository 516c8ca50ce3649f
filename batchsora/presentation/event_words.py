"""Events as one line, for the log of a run and for the page."""

from jobs.model.money import usd_text
from jobs.model.states import Reason
from jobs.ports.events import BatchEvent, BatchFact, Event, JobEvent, JobFact, RunEvent, RunFact

LONGEST = 300  # letters that are shown of a message, which is mostly the provider's
_ENDED = {
    None: "ended by an error of batchsora",
    Reason.FINISHED: "finished",
    Reason.INTERRUPTED: "was stopped",
    Reason.UNREACHABLE: "ended: the API could not be reached",
    Reason.TOKEN: "ended: the token was refused",
    Reason.ADDRESS: "ended: no such API at this address",
    Reason.FUNDS: "ended: the balance is used up",
    Reason.ACCOUNT: "ended: the account was refused",
    Reason.ACCESS: "ended: access to the API was refused",
    Reason.REQUEST: "ended: the provider refused what all requests have in common",
    Reason.UNDECIDED: "ended: requests were refused, and it is not clear why",
    Reason.BLOCKED: "ended: a limit blocks the rest",
    Reason.DATABASE: "ended: the database could not be used any more",
}
_RUN = {RunFact.STARTED: "started", RunFact.CUT_OFF: "was cut off; the next one took over"}
_BATCH = {
    BatchFact.BUDGET_REACHED: "budget reached; waiting for {}",
    BatchFact.WAITING: "waiting for {}",
}
_JOB = {
    JobFact.ACCEPTED: "accepted",
    JobFact.UNCONFIRMED: "unconfirmed: whether the provider accepted the request is unknown",
    JobFact.FOUND: "found in the account and not bought again",
    JobFact.NEVER_MADE: "was never made: nothing was charged",
    JobFact.PAID_TWICE: "was paid for twice: a request that counted as never made was made after "
    "all",
    JobFact.RETRYING: "failed and is bought again",
    JobFact.COMPLETED: "completed",
    JobFact.FAILED: "failed",
}


def event_words(event: Event) -> str:
    """Return what happened in one line."""
    match event:
        case JobEvent():
            return _job(event)
        case BatchEvent():
            what = _BATCH[event.fact].format(event.waiting_for)
            return f"{event.batch or 'a removed batch'}: {what}"
        case RunEvent():
            ended = event.fact is RunFact.ENDED
            what = _ENDED[event.reason] if ended else _RUN[event.fact]
            return f"a run {what}" + _quoted(event.message)


def _job(event: JobEvent) -> str:
    words = f"{event.key or 'a removed job'} {_JOB[event.fact]}"
    if event.error_kind is not None:
        words += f" ({event.error_kind})"
    if event.fact is JobFact.PAID_TWICE and event.price is not None:
        words += f", ${usd_text(event.price)}"
    return words + _quoted(event.error)


def _quoted(message: str | None) -> str:
    words = " ".join((message or "")[: 4 * LONGEST].split())
    if len(words) > LONGEST:
        words = f"{words[:LONGEST]}…"
    return f": {words}" if words else ""
