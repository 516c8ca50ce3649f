"""The jobs of a batch, a page of them at a time, and the story of one."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchsora.presentation import held
from batchsora.presentation.job_history import next_step
from batchsora.web.answers import batch_of, job_of, web_context_of
from batchsora.web.rendering import render
from jobs.model.states import AttemptState, FailureKind, JobState
from jobs.ports.seen import AttemptRow, JobRow
from jobs.ports.selection import Filter

PAGE: Final = 50
"""Jobs on a page."""

LONGEST_SEARCH: Final = 200


def filter_of(query: Mapping[str, str]) -> Filter:
    """Read from an address which jobs are meant; what nobody knows is left out."""
    states = [state for state in query.get("state", "").split(",") if state in set(JobState)]
    kinds = [kind for kind in query.get("kind", "").split(",") if kind in set(FailureKind)]
    campaign = query.get("campaign", "")
    return Filter(
        states, kinds, [campaign] if campaign else [], query.get("q", "")[:LONGEST_SEARCH]
    )


def address(batch_id: int, which: Filter, **more: int) -> str:
    """Write the address of some jobs of a batch."""
    query = {
        "state": ",".join(which.states),
        "kind": ",".join(which.kinds),
        "campaign": ",".join(which.campaigns),
        "q": which.search,
    }
    said = {name: value for name, value in query.items() if value}
    said |= {name: str(value) for name, value in more.items()}
    return f"/batches/{batch_id}/jobs" + (f"?{urlencode(said)}" if said else "")


def number_of(query: Mapping[str, str], name: str) -> int | None:
    """Read a number from an address; None when there is none."""
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None  # noqa: PLR2004


async def _list(request: Request) -> Response:
    web, batch, query = web_context_of(request), batch_of(request), request.query_params
    which = filter_of(query)
    after, before = number_of(query, "after") or 0, number_of(query, "before")
    key = ("jobs", batch.id, str(which), after, before)
    page = web.kept(
        key, lambda: web.queries.page(batch.id, which, PAGE, after=after, before=before)
    )
    status = web.kept(("status", batch.id), lambda: web.queries.status(batch))
    here = {"after": after} if after and before is None else {}
    here |= {} if before is None else {"before": before}
    template = "_jobs.html" if "part" in query else "jobs.html"
    return render(
        request,
        template,
        batch=batch,
        status=status,
        page=page,
        which=which,
        campaigns=[*status.campaigns],  # those that money was held for, or capped
        here=address(batch.id, which, **here),
        address=lambda **more: address(batch.id, which, **more),
        states=list(JobState),
        why_held=held.words_of,
    )


async def _story(request: Request) -> Response:
    web, job = web_context_of(request), job_of(request)
    attempts = web.queries.attempts_of(job.id)
    price = web.queries.prices().get(job.kind)
    template = "_job.html" if "part" in request.query_params else "job.html"
    return render(request, template, **story(job, attempts), price=price)


def story(job: JobRow, attempts: Sequence[AttemptRow]) -> dict[str, Any]:
    """Return what a job's history shows."""
    why = held.words_of(job)
    unended = job.state == JobState.FAILED and job.attempt_state == AttemptState.ACCEPTED
    return {
        "job": job,
        "attempts": list(enumerate(attempts, 1)),
        "next": next_step(job, attempts),
        "holding": (AttemptState.OPEN, AttemptState.IN_DOUBT),
        "may_retry": not unended
        and (job.state in (JobState.FAILED, JobState.CANCELLED) or bool(why)),
        "may_abandon": unended,
        "why_held": why,
        "may_cancel": job.state == JobState.QUEUED,
        "in_doubt": job.state == JobState.IN_DOUBT,
    }


routes = [
    Route("/batches/{batch:int}/jobs", _list, name="jobs"),
    Route("/jobs/{job:int}", _story, name="job"),
]
