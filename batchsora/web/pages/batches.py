"""The batches: all of them, and one with its money, its course, its failures and its waits."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from batchsora.presentation import held
from batchsora.presentation.event_words import event_words
from batchsora.presentation.timeline import course_of, shares, used_percent
from batchsora.web.answers import batch_of, web_context_of
from batchsora.web.rendering import render
from jobs.model.states import JobState
from jobs.ports.queries import QueryStore
from jobs.ports.seen import BatchRow, BatchStatus
from jobs.ports.selection import Wanted

UNDER_WAY: Final = (JobState.SUBMITTING, JobState.PENDING, JobState.PROCESSING)
SHOWN: Final = 12
"""Jobs under way that the batch's page shows."""

NEWEST: Final = 8
"""Videos that the batch's page shows."""

LATELY: Final = timedelta(minutes=30)
"""The while whose pace says how long the rest takes."""

EVENTS: Final = 8
"""Events that the batch's page shows."""

PARTS: Final = ("head", "summary", "failures", "now", "events")
"""Parts of a batch's page that are asked for again when something changed."""


async def _list(request: Request) -> Response:
    web = web_context_of(request)

    def look() -> dict[str, Any]:
        with web.queries.snapshot() as seen:
            account = seen.account()
            return {
                "batches": seen.statuses()[::-1],
                "balance": account.balance_micros,
                "balance_at": account.balance_at,
            }

    found = web.kept("batches", look)
    part = "_batches.html" if "part" in request.query_params else "batches.html"
    return render(
        request, part, **found, runner=web.runner(), shares=shares, used_percent=used_percent
    )


def summary(queries: QueryStore, batch: BatchRow, now: datetime) -> dict[str, Any]:
    """Read what the batch's page shows of it."""
    with queries.snapshot() as seen:
        status = seen.status(batch)
        failures = seen.failures(Wanted(batch.name))[:SHOWN] if status.jobs["failed"] else []
        return {
            "status": status,
            "failures": failures,
            "under_way": seen.under_way(batch.id, SHOWN),
            "newest": seen.recent(batch.id, NEWEST),
            "left_seconds": _left(seen, status, now),
            "under_way_count": sum(status.jobs[state] for state in UNDER_WAY),
        }


def _left(seen: QueryStore, status: BatchStatus, now: datetime) -> float | None:
    """Guess how long the rest takes, from what ended lately; None where nothing tells."""
    ended = seen.ended_since(status.id, now - LATELY)
    if ended is None or not status.left:
        return None
    count, first = ended
    seconds = (now - first).total_seconds()
    return status.left * seconds / count if seconds > 0 else None


async def _one(request: Request) -> Response:
    web, batch = web_context_of(request), batch_of(request)
    part = request.query_params.get("part")

    def look() -> dict[str, Any]:
        events = web.store().events.notable(batch.id, EVENTS)
        return summary(web.queries, batch, web.clock.now()) | {"events": events}

    found = web.kept(("batch", batch.id), look)
    started = web.launcher.about(batch.name)[:1]
    template = f"_batch_{part}.html" if part in PARTS else "batch.html"
    return render(
        request,
        template,
        batch=batch,
        **found,
        runner=web.runner(),
        started=started,
        held_lines=held.short_lines,
        event_words=event_words,
        shares=shares,
        used_percent=used_percent,
    )


async def _course(request: Request) -> Response:
    web, batch = web_context_of(request), batch_of(request)

    def look() -> dict[str, Any]:
        with web.queries.snapshot() as seen:
            return asdict(course_of(seen, batch.id))

    # the one question that reads all jobs that have ended: 0.1 s for 100,000
    return JSONResponse(web.kept(("course", batch.id), look, seconds=5.0))


routes = [
    Route("/", _list, name="batches"),
    Route("/batches/{batch:int}", _one, name="batch"),
    Route("/batches/{batch:int}/course", _course),
]
