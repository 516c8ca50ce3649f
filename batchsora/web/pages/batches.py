"""The batches: all of them, and one with its money, its course, its failures and its waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from batchsora.web.answers import batch_of, desk_of
from batchsora.web.rendering import render
from jobs.ledger import Budget
from jobs.states import JobState
from jobs.store import accounts, browsing, views
from jobs.store.browsing import Bucket
from jobs.store.views import BatchStatus, Wanted

UNDER_WAY: Final = (JobState.SUBMITTING, JobState.PENDING, JobState.PROCESSING)
SHOWN: Final = 12
"""Jobs under way that the batch's page shows."""

NEWEST: Final = 8
"""Videos that the batch's page shows."""

FEWEST: Final = 12
"""Points of a plot at least: one alone has no width."""

POINTS: Final = 240
"""Points of a plot, about."""

SPANS: Final = (60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600)
"""Seconds that a point of a plot may stand for."""

LENGTH: Final = 30
"""Seconds of a bar in the plot of durations."""

LATELY: Final = timedelta(minutes=30)
"""The while whose pace says how long the rest takes."""

PARTS: Final = ("head", "summary", "failures", "now")
"""Parts of a batch's page that are asked for again when something changed."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a bar.

    Attributes:
        state: names its colour.
        count: of jobs.
        percent: of the width.
    """

    state: str
    count: int
    percent: float


def shares(batch: BatchStatus) -> list[Share]:
    """Divide a batch's bar by states, those at an end first."""
    order = (
        JobState.COMPLETED,
        JobState.FAILED,
        JobState.IN_DOUBT,
        JobState.PROCESSING,
        JobState.PENDING,
        JobState.SUBMITTING,
        JobState.QUEUED,
        JobState.CANCELLED,
    )
    total = max(1, batch.total)
    return [
        Share(state, batch.jobs[state], 100 * batch.jobs[state] / total)
        for state in order
        if batch.jobs[state]
    ]


def used_percent(budget: Budget) -> float:
    """Say how much of a cap is charged or held, for its bar."""
    if not budget.cap:
        return 0.0
    return min(100.0, 100 * budget.used / budget.cap)


async def _list(request: Request) -> Response:
    def look(connection: Connection) -> dict[str, Any]:
        account = accounts.read_account(connection)
        return {
            "batches": [
                views.batch_status(connection, batch)
                for batch in reversed(views.find_batches(connection))
            ],
            "balance": account.balance_micros,
            "balance_at": account.balance_at,
        }

    desk = desk_of(request)
    found = desk.kept("batches", lambda: desk.read(look))
    part = "_batches.html" if "part" in request.query_params else "batches.html"
    return render(
        request, part, **found, runner=desk.runner(), shares=shares, used_percent=used_percent
    )


def summary(connection: Connection, batch: Any, now: datetime) -> dict[str, Any]:
    """Read what the batch's page shows of it."""
    status = views.batch_status(connection, batch)
    failures = (
        views.failures(connection, Wanted(batch.name))[:SHOWN] if status.jobs["failed"] else []
    )
    return {
        "status": status,
        "failures": failures,
        "under_way": browsing.under_way(connection, batch.id, SHOWN),
        "newest": browsing.recent(connection, batch.id, NEWEST),
        "left_seconds": _left(connection, batch.id, status, now),
        "under_way_count": sum(status.jobs[state] for state in UNDER_WAY),
    }


def _left(
    connection: Connection, batch_id: int, status: BatchStatus, now: datetime
) -> float | None:
    """Guess how long the rest takes, from what ended lately; None where nothing tells."""
    ended = browsing.ended_since(connection, batch_id, now - LATELY)
    if ended is None or not status.left:
        return None
    count, first = ended
    seconds = (now - first).total_seconds()
    return status.left * seconds / count if seconds > 0 else None


async def _one(request: Request) -> Response:
    desk, batch = desk_of(request), batch_of(request)
    part = request.query_params.get("part")
    found = desk.kept(
        ("batch", batch.id), lambda: desk.read(lambda c: summary(c, batch, desk.clock.now()))
    )
    started = desk.launcher.about(batch.name)[:1]
    template = f"_batch_{part}.html" if part in PARTS else "batch.html"
    return render(
        request,
        template,
        batch=batch,
        **found,
        runner=desk.runner(),
        started=started,
        shares=shares,
        used_percent=used_percent,
    )


async def _course(request: Request) -> Response:
    desk, batch = desk_of(request), batch_of(request)

    def look(connection: Connection) -> dict[str, Any]:
        span = browsing.ended_span(connection, batch.id)
        if span is None:
            return {"seconds": SPANS[0], "at": []}
        length = (span[1] - span[0]).total_seconds()
        seconds = next((one for one in SPANS if length / one <= POINTS), SPANS[-1])
        return _columns(browsing.course(connection, batch.id, seconds), seconds) | {
            "durations": _filled(browsing.durations(connection, batch.id, LENGTH))
        }

    # the one question that reads all jobs that have ended: 0.1 s for 100,000
    return JSONResponse(desk.kept(("course", batch.id), lambda: desk.read(look), seconds=5.0))


def _filled(durations: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Write down the lengths that no video has as well, from nothing on."""
    found = dict(durations)
    most = max([FEWEST * LENGTH, *found])
    return [(length, found.get(length, 0)) for length in range(0, most + LENGTH, LENGTH)]


def _columns(buckets: Sequence[Bucket], seconds: int) -> dict[str, Any]:
    """Write whiles as columns for the plots: spend adds up, and whiles without an end are there."""
    if not buckets:
        return {"seconds": seconds, "at": []}
    found = {round(bucket.at.timestamp()): bucket for bucket in buckets}
    last = max(found)
    first = min([*found, last - (FEWEST - 1) * seconds])
    at = list(range(first, last + seconds, seconds))
    spent, total = [], 0
    for moment in at:
        total += found[moment].charged if moment in found else 0
        spent.append(total / 1_000_000)
    return {
        "seconds": seconds,
        "at": at,
        "completed": [found[moment].completed if moment in found else 0 for moment in at],
        "failed": [found[moment].failed if moment in found else 0 for moment in at],
        "spent": spent,
    }


routes = [
    Route("/", _list, name="batches"),
    Route("/batches/{batch:int}", _one, name="batch"),
    Route("/batches/{batch:int}/course", _course),
]
