"""A job's history: the request, every attempt with times, money and errors, and what to do next."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from batchsora import advice
from batchsora.presentation import held
from batchsora.presentation.json_shapes import candidate_text, iso, job_json, near, said_words
from batchsora.presentation.request_words import format_text, images_of, parameters_text
from batchsora.presentation.terminal_text import state_text
from jobs.model.money import usd_text
from jobs.model.states import AttemptState, JobState
from jobs.ports.seen import AttemptRow, JobRow


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
        "next": None if (what := advice.of_job(job, attempts, batch=batch)) is None else what.words,
    }


def story_text(job: JobRow, attempts: Sequence[AttemptRow], *, batch: bool = False) -> str:
    """Return a job's history for people; ``batch``: the next step names its batch."""
    return "\n".join(_lines(job, attempts, batch=batch))


def _lines(job: JobRow, attempts: Sequence[AttemptRow], *, batch: bool) -> Iterator[str]:
    yield f"{job.key} in {job.batch}, row {job.row}: {_state(job)}"
    if (why := held.words_of(job)) is not None:
        yield f"  not bought   {why}"
    yield f"  prompt       {' '.join(job.prompt.split())}"
    images = ", ".join(source[:60] for source in images_of(job.asked).values())
    yield f"  wanted       {format_text(job.asked)}{images and f', from {images}'}"
    if told := parameters_text(job.asked):
        yield f"  with         {told}"
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
    if (what := advice.of_job(job, attempts, batch=batch)) is not None:
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


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
