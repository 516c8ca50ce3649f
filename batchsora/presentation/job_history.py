"""A job's history: the request, every attempt with times, money and errors, and what to do next."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from batchsora.presentation import held
from batchsora.presentation.json_shapes import candidate_text, iso, job_json, near, said_words
from batchsora.presentation.terminal_text import state_text
from jobs.model.money import usd_text
from jobs.model.states import AttemptState, JobState
from jobs.ports.seen import AttemptRow, JobRow
from jobs.system import quote

_NEXT = {
    JobState.SUBMITTING: "its answer is under way, or 'batchsora run' checks what became of it",
    JobState.PENDING: "wait for it with 'batchsora wait {key}'",
    JobState.PROCESSING: "wait for it with 'batchsora wait {key}'",
    JobState.FAILED: "'batchsora retry {key}' buys it again",
    JobState.CANCELLED: "'batchsora retry {key}' queues it again",
}


def story_json(
    job: JobRow, attempts: Sequence[AttemptRow], *, batch: bool = False
) -> dict[str, Any]:
    """Return a job with its attempts for scripts."""
    return job_json(job) | {
        "attempts": [
            {
                "status": attempt.state,
                "sent_at": iso(attempt.intent_at),
                "accepted_at": iso(attempt.accepted_at),
                "ended_at": iso(attempt.ended_at),
                "generation_id": attempt.generation_id,
                "prompt": attempt.prompt,
                "price": None if attempt.price_micros is None else usd_text(attempt.price_micros),
                "price_estimated": attempt.price_estimated,
                "refunded": usd_text(attempt.refunded_micros),
                "held": usd_text(attempt.hold_micros if _holds(attempt) else 0),
                "error": attempt.error,
                "unproven": attempt.unproven if _in_doubt(attempt) else None,
                "said_state": attempt.said_state,
                "candidates": attempt.candidates or [],
            }
            for attempt in attempts
        ],
        "next": next_step(job, attempts, batch=batch),
    }


def story_text(job: JobRow, attempts: Sequence[AttemptRow], *, batch: bool = False) -> str:
    """Return a job's history for people; ``batch``: the next step names its batch."""
    return "\n".join(_lines(job, attempts, batch=batch))


def _lines(job: JobRow, attempts: Sequence[AttemptRow], *, batch: bool) -> Iterator[str]:
    yield f"{job.key} in {job.batch}, row {job.row}: {_state(job)}"
    if (why := held.words_of(job)) is not None:
        yield f"  not bought   {why}"
    yield f"  prompt       {' '.join(job.prompt.split())}"
    image = "" if job.image is None else f", from {job.image['source'][:60]}"
    yield f"  wanted       {job.duration} s, {job.orientation}{image}"
    if job.campaign is not None:
        yield f"  campaign     {job.campaign}"
    yield f"  paid         ${usd_text(job.charged_micros)}"
    if job.error:
        yield f"  {job.error_kind:12} {job.error}"
    if job.video_url and job.state == JobState.COMPLETED:
        yield f"  video        {job.video_url}"
    if job.file and job.sha256:
        yield f"  file         {near(job.file)}"
    elif job.download_error:
        yield f"  file         missing: {job.download_error}"
    for number, attempt in enumerate(attempts, 1):
        yield from _attempt(number, attempt, job.prompt)
    if (what := next_step(job, attempts, batch=batch)) is not None:
        yield f"next: {what}"


def _attempt(number: int, attempt: AttemptRow, prompt: str) -> Iterator[str]:
    yield f"attempt {number}: {state_text(attempt.state)}{_money(attempt)}"
    yield f"  sent         {_time(attempt.intent_at)}"
    if attempt.prompt != prompt:
        yield f"  made for     {' '.join(attempt.prompt.split())}"
    if attempt.accepted_at is not None:
        yield f"  accepted     {_time(attempt.accepted_at)} as {attempt.generation_id}"
    if attempt.ended_at is not None:
        since = attempt.accepted_at or attempt.intent_at
        minutes, seconds = divmod(max(0, round((attempt.ended_at - since).total_seconds())), 60)
        yield f"  ended        {_time(attempt.ended_at)}, after {minutes}:{seconds:02}"
    if attempt.error:
        yield f"  because      {attempt.error}"
    if attempt.unproven and _in_doubt(attempt):
        yield f"  unconfirmed  {attempt.unproven}"
    for one in attempt.candidates or ():
        yield f"  could be     {candidate_text(one)}"


def _in_doubt(attempt: AttemptRow) -> bool:
    return bool(attempt.state == AttemptState.IN_DOUBT)


def _money(attempt: AttemptRow) -> str:
    if _holds(attempt):
        return f", ${usd_text(attempt.hold_micros)} reserved"
    if attempt.price_micros is None:
        return ", nothing charged"
    about = "about " if attempt.price_estimated else ""
    back = f", ${usd_text(attempt.refunded_micros)} refunded" if attempt.refunded_micros else ""
    return f", {about}${usd_text(attempt.price_micros)}{back}"


def _holds(attempt: AttemptRow) -> bool:
    return attempt.state in (AttemptState.OPEN, AttemptState.IN_DOUBT)


def _state(job: JobRow) -> str:
    words = state_text(job.state)
    if said := said_words(job):
        return f"{words}, {said}"
    if job.state == JobState.PROCESSING and job.percent is not None:
        return f"{words}, {job.percent} %"
    if job.state == JobState.PENDING and job.queue_position is not None:
        return f"{words}, position {job.queue_position} in the queue"
    return words


def next_step(
    job: JobRow, attempts: Sequence[AttemptRow] = (), *, batch: bool = False
) -> str | None:
    """Return what to type next; None when nothing is left to do.

    With ``batch`` it names the job's batch: others may have a job of the same name.
    """
    key = quote(job.key) + (f" --batch {quote(job.batch)}" if batch else "")
    if job.state == JobState.QUEUED:
        return _queued(job, key)
    if job.state == JobState.IN_DOUBT:
        return (
            "'batchsora run' or 'batchsora reconcile' checks it; 'batchsora resolve "
            f"{key}' settles it by hand"
        )
    if job.state == JobState.COMPLETED:
        return None if job.sha256 else f"'batchsora download {key}' gets the file"
    if job.state == JobState.FAILED and (step := _unended(job, attempts, key)) is not None:
        return step
    return _NEXT[JobState(job.state)].format(key=key)


def _queued(job: JobRow, key: str) -> str:
    if job.served:
        return "the active run buys it"
    if job.paused:
        return held.paused(job.batch)
    retried = held.reason_of(job) is not None
    return f"'batchsora retry {key}' buys it" if retried else "'batchsora run' buys it"


def _unended(job: JobRow, attempts: Sequence[AttemptRow], key: str) -> str | None:
    """Return what to do about a failed job whose paid attempt may still finish."""
    late = [a for a in attempts if a.state == AttemptState.ABANDONED and a.is_surplus]
    if late:
        return (
            f"'batchsora run' checks generation {late[-1].generation_id} again: it is paid for, "
            "and may become the video"
        )
    if job.attempt_state == AttemptState.ABANDONED:
        return f"'batchsora retry {key}' buys it again; until then runs check whether it finished"
    if job.attempt_state == AttemptState.ACCEPTED:
        return (
            "'batchsora run' checks it again: it is paid for, and may still finish; "
            f"'batchsora abandon {key}' gives it up"
        )
    return None


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
