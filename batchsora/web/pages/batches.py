"""The batches and one of them; the jobs of a batch, a page at a time, and the history of one."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from batchsora import advice
from batchsora.composition.exit_codes import Exit
from batchsora.presentation import held
from batchsora.presentation.cost import micros
from batchsora.presentation.event_words import event_words
from batchsora.presentation.own_columns import own_cells
from batchsora.presentation.timeline import course_of, shares, used_percent
from batchsora.providers.registry import FAMILIES, MODELS, kinds_made_by
from batchsora.web.answers import batch_of, job_of, render, web_context_of
from batchsora.web.web_context import WebContext
from jobs.model.clock import zone_of
from jobs.model.errors import UnknownTimeZoneError
from jobs.model.families import Kind
from jobs.model.states import AttemptState, FailureKind, JobState
from jobs.ports.queries import QueryStore
from jobs.ports.seen import AttemptRow, BatchRow, BatchStatus, JobRow
from jobs.ports.selection import Filter, Wanted

UNDER_WAY: Final = (JobState.SUBMITTING, JobState.PENDING, JobState.PROCESSING)
LONGEST_SEARCH: Final = 200
SHOWN: Final = 12  # jobs under way that the batch's page shows
NEWEST: Final = 8  # videos that the batch's page shows
LATELY: Final = timedelta(minutes=30)  # the while whose pace says how long the rest takes
EVENTS: Final = 8  # events that the batch's page shows
ENDED: Final[Mapping[int, str]] = {
    Exit.FAILED: "some jobs failed, or their files are missing",
    Exit.STOPPED: "it stopped with work left",
    Exit.DATABASE: "its database can't be used",
    Exit.TOKEN: "the API token was refused",
    Exit.IN_DOUBT: "unconfirmed rows need you",
    Exit.UNREACHABLE: "the provider could not be reached",
}
"""How a run ended, by its exit code; what people can do something about."""
PARTS: Final = ("head", "summary", "failures", "now", "events")  # what a page polls


SORTS: Final[Mapping[str, tuple[str, Callable[[BatchStatus], Any], bool]]] = {
    "newest": ("newest first", lambda one: one.id, True),
    "oldest": ("oldest first", lambda one: one.id, False),
    "name": ("by name", lambda one: one.name.casefold(), False),
    "spent": ("most spent first", lambda one: one.money.charged, True),
    "left": ("most left to do first", lambda one: one.left, True),
}
"""Orders of the batches: their words, what decides, and whether the largest is first."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Which batches the list shows, as its address says."""

    search: str = ""
    sort: str = "newest"
    archived: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Listing":
        """Read an address; unknown values are ignored."""
        sort = query.get("sort", "")
        search = query.get("q", "").strip()[:LONGEST_SEARCH]
        return cls(search, sort if sort in SORTS else "newest", query.get("archived") == "yes")

    @property
    def address(self) -> str:
        """Return the address of this list."""
        said = {
            "q": self.search,
            "sort": "" if self.sort == "newest" else self.sort,
            "archived": "yes" if self.archived else "",
        }
        query = urlencode({name: value for name, value in said.items() if value})
        return f"/?{query}" if query else "/"

    def of_all(self, found: Sequence[BatchStatus]) -> list[BatchStatus]:
        """Return the batches that it shows, in its order."""
        _, key, largest_first = SORTS[self.sort]
        wanted = [
            one
            for one in found
            if (self.archived or not is_hidden(one))
            and self.search.casefold() in one.name.casefold()
        ]
        return sorted(wanted, key=key, reverse=largest_first)


def is_hidden(batch: BatchStatus) -> bool:
    """Return whether a batch is archived; a retry brings it back, as it has something to buy."""
    return batch.archived_at is not None and not batch.left


async def _batches(request: Request) -> Response:
    web, listing = web_context_of(request), Listing.of(request.query_params)

    def look() -> dict[str, Any]:
        with web.queries.snapshot() as seen:
            account = seen.account()
            today = _day(web.clock.now(), account.time_zone)
            days = [day.isoformat() for day in (today.replace(day=1), today)]
            return {
                "found": seen.statuses(),
                "balance": account.balance_micros,
                "balance_at": account.balance_at,
                "today": seen.spent_on(days[1], days[1]),
                "month": seen.spent_on(days[0], days[1]),
            }

    kept = web.kept("batches", look)
    part = "_batches.html" if "part" in request.query_params else "batches.html"
    return render(
        request,
        part,
        **kept,
        batches=listing.of_all(kept["found"]),
        hidden=sum(map(is_hidden, kept["found"])),
        listing=listing,
        sorts={name: words for name, (words, _, _) in SORTS.items()},
        is_hidden=is_hidden,
        runner=web.runner(),
        shares=shares,
        used_percent=used_percent,
    )


def _day(now: datetime, zone: str) -> date:
    """Return the day of the daily budget; in UTC where this machine does not know its zone."""
    try:
        return now.astimezone(zone_of(zone)).date()
    except UnknownTimeZoneError:
        return now.date()


def summary(
    queries: QueryStore, batch: BatchRow, now: datetime, *, runs: bool = True
) -> dict[str, Any]:
    """Return what the batch's page shows; ``runs``: a run is active on this database."""
    with queries.snapshot() as seen:
        status = seen.status(batch)
        failures = seen.failures(Wanted(batch.name))[:SHOWN] if status.jobs["failed"] else []
        return {
            "status": status,
            "failures": failures,
            "under_way": seen.under_way(batch.id, SHOWN),
            "newest": seen.recent(batch.id, NEWEST),
            "left_seconds": _left(seen, status, now) if runs and status.active else None,
            "under_way_count": sum(status.jobs[state] for state in UNDER_WAY),
        }


def _left(seen: QueryStore, status: BatchStatus, now: datetime) -> float | None:
    """Estimate how long the rest takes, from what ended lately; None where nothing did.

    What the budget has no room for, and what is held back or paused, does not come.
    """
    coming = sum(status.jobs[state] for state in UNDER_WAY)
    if not status.paused and _has_room(seen, status):
        coming += status.jobs[JobState.QUEUED] - status.held
    ended = seen.ended_since(status.id, now - LATELY)
    if ended is None or coming <= 0:
        return None
    count, first = ended
    seconds = (now - first).total_seconds()
    return coming * seconds / count if seconds > 0 else None


def _has_room(seen: QueryStore, status: BatchStatus) -> bool:
    """Check whether the budget has room for a queued job; an unknown price may fit."""
    known = micros(seen.prices())
    wanted = [known.get(kind, 0) for kind in seen.queued_by_kind(status.id)]
    return status.money.free is None or status.money.free >= min(wanted, default=0)


async def _one(request: Request) -> Response:
    web, batch = web_context_of(request), batch_of(request)
    part = request.query_params.get("part")

    def look() -> dict[str, Any]:
        events = web.store().events.notable(batch.id, EVENTS)
        runs = web.runner() is not None
        return summary(web.queries, batch, web.clock.now(), runs=runs) | {"events": events}

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
        may_edit=may_edit,
        held_lines=held.short_lines,
        advice=advice.of_kind,
        ended=ENDED,
        event_words=event_words,
        shares=shares,
        used_percent=used_percent,
    )


async def _course(request: Request) -> Response:
    web, batch = web_context_of(request), batch_of(request)

    def look() -> dict[str, Any]:
        with web.queries.snapshot() as seen:
            return asdict(course_of(seen, batch.id))

    # the one question that reads all jobs that have ended: 0.2 s for 100,000
    return JSONResponse(web.kept(("course", batch.id), look, seconds=5.0))


PAGE: Final = 50  # jobs on a page


def filter_of(query: Mapping[str, str]) -> Filter:
    """Read from an address which jobs are meant; unknown values are ignored."""
    states = [state for state in query.get("state", "").split(",") if state in set(JobState)]
    kinds = [kind for kind in query.get("kind", "").split(",") if kind in set(FailureKind)]
    campaign = query.get("campaign", "")
    model = query.get("model", "")
    return Filter(
        states,
        kinds,
        [campaign] if campaign else [],
        query.get("q", "")[:LONGEST_SEARCH],
        [kinds_made_by(model)] if model in MODELS or model in FAMILIES else [],
    )


def model_in(which: Filter) -> str:
    """Return the model or family that :func:`filter_of` read; empty where all are meant."""
    names = (*FAMILIES, *MODELS)
    return next((name for name in names if kinds_made_by(name) in which.made_by), "")


def models_of(web: WebContext, batch_id: int) -> list[str]:
    """Return the models of a batch, and families of several; none if there is only one."""
    kinds = web.kept(("kinds", batch_id), lambda: web.queries.kinds(batch_id), seconds=60.0)
    found = [Kind.parse(key) for key in kinds if key.count("/") > 1]  # others are not ours
    models = {one.model: one.family for one in found}
    several = [one for one, many in Counter(models.values()).items() if many > 1]
    names = [name for name in sorted({*models, *several}) if name in MODELS or name in FAMILIES]
    return names if len(models) > 1 else []


def query_of(which: Filter, **more: int) -> str:
    """Return what :func:`filter_of` reads, with a question mark; empty where all are meant."""
    query = {
        "state": ",".join(which.states),
        "kind": ",".join(which.kinds),
        "campaign": ",".join(which.campaigns),
        "model": model_in(which),
        "q": which.search,
    }
    said = {name: value for name, value in query.items() if value}
    said |= {name: str(value) for name, value in more.items()}
    return f"?{urlencode(said)}" if said else ""


def address(batch_id: int, which: Filter, **more: int) -> str:
    """Return the address of some jobs of a batch."""
    return f"/batches/{batch_id}/jobs{query_of(which, **more)}"


def number_of(query: Mapping[str, str], name: str) -> int | None:
    """Read a number from an address; None when there is none."""
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None  # noqa: PLR2004


async def _jobs(request: Request) -> Response:
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
        models=models_of(web, batch.id),
        model=model_in(which),
        campaigns=[*status.campaigns],  # those that money was held for, or capped
        here=address(batch.id, which, **here),
        address=lambda **more: address(batch.id, which, **more),
        query=query_of(which),
        own_cells=lambda job: own_cells(job.cells, batch.reading),
        states=list(JobState),
        why_held=held.words_of,
        may_edit=may_edit,
    )


async def _story(request: Request) -> Response:
    web, job = web_context_of(request), job_of(request)
    attempts = web.queries.attempts_of(job.id)
    price = web.queries.prices().get(job.kind)
    which = filter_of(request.query_params)
    template = "_job.html" if "part" in request.query_params else "job.html"
    return render(
        request,
        template,
        **story(job, attempts),
        **_nearby(web.queries, job, which),
        price=price,
        query=query_of(which),
        jobs_there=address(job.batch_id, which),
    )


def _nearby(queries: QueryStore, job: JobRow, which: Filter) -> dict[str, Any]:
    """Return the jobs before and after one in the list that it was opened from; its own columns."""
    with queries.snapshot() as seen:
        before = seen.page(job.batch_id, which, 1, before=job.id).jobs
        after = seen.page(job.batch_id, which, 1, after=job.id).jobs
        reading = next((one.reading for one in seen.batches() if one.id == job.batch_id), None)
    return {
        "earlier_job": next(iter(before), None),
        "later_job": next(iter(after), None),
        "own": own_cells(job.cells, reading),
    }


def may_edit(kind: str | None) -> bool:
    """Check whether another prompt may help a failure of this kind, and the same one does not."""
    fails = kind is not None and advice.of_kind(kind).again is advice.Again.FAILS
    return fails and kind != FailureKind.IMAGE


def story(job: JobRow, attempts: Sequence[AttemptRow]) -> dict[str, Any]:
    """Return what a job's history shows."""
    why, what = held.words_of(job), advice.of_job(job, attempts)
    unended = job.state == JobState.FAILED and job.attempt_state == AttemptState.ACCEPTED
    fails_again = what is not None and what.again is advice.Again.FAILS
    return {
        "job": job,
        "attempts": list(enumerate(attempts, 1)),
        "next": what,
        "holding": (AttemptState.OPEN, AttemptState.IN_DOUBT),
        "may_retry": not unended
        and not fails_again
        and (job.state in (JobState.FAILED, JobState.CANCELLED) or bool(why)),
        "may_edit": job.state == JobState.FAILED and not unended and may_edit(job.error_kind),
        "may_abandon": unended,
        "why_held": why,
        "may_cancel": job.state == JobState.QUEUED,
        "in_doubt": job.state == JobState.IN_DOUBT,
    }


routes = [
    Route("/", _batches, name="batches"),
    Route("/batches/{batch:int}", _one, name="batch"),
    Route("/batches/{batch:int}/course", _course),
    Route("/batches/{batch:int}/jobs", _jobs, name="jobs"),
    Route("/jobs/{job:int}", _story, name="job"),
]
