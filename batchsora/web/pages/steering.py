"""Steering: retry, cancel, pause, resume, remove and settling doubts, by the engine's functions."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchsora.options import RunOptions
from batchsora.settings import SettingsError
from batchsora.usecases import abandon, pause, retry_cancel_remove
from batchsora.usecases.resolve import resolve
from batchsora.web.answers import Said, batch_of, desk_of, done, job_of, refused
from batchsora.web.pages.jobs import filter_of
from batchsora.web.rendering import render
from jobs.model.errors import EngineError
from jobs.model.states import JobState
from jobs.ports.seen import BatchRow, JobRow
from jobs.ports.selection import Wanted
from jobs.store import Store

LONGEST_ID: Final = 128


async def _told(request: Request, work: Callable[[Store, Said], object]) -> Response:
    """Do what the command line does, and say on the page what it says in a terminal."""
    said = Said()
    try:
        await desk_of(request).with_store(lambda store: work(store, said))
    except (EngineError, SettingsError) as error:
        return refused(error)
    return done(" ".join([*said.lines, said.text]).strip())


def _of_job(job: JobRow) -> Wanted:
    return Wanted(job.batch, keys=[f"#{job.id}"])


async def _retry_job(request: Request) -> Response:
    desk, job = desk_of(request), job_of(request)
    return await _told(
        request,
        lambda store, said: retry_cancel_remove.retry(
            _of_job(job), desk.settings, store, said, dry=False, consent=True, clock=desk.clock
        ),
    )


async def _ask_abandon(request: Request) -> Response:
    """Show what giving a job's attempt up costs, and ask."""
    desk, job, said = desk_of(request), job_of(request), Said()
    await desk.with_store(
        lambda store: abandon.abandon(_of_job(job), store, desk.clock, said, dry=True, consent=True)
    )
    return render(
        request,
        "_ask.html",
        question=said.text,
        lines=said.lines,
        action=request.url.path,
        button="Give it up",
        possible=bool(said.document["abandoned"]),
    )


async def _abandon(request: Request) -> Response:
    desk, job = desk_of(request), job_of(request)
    return await _told(
        request,
        lambda store, said: abandon.abandon(
            _of_job(job), store, desk.clock, said, dry=False, consent=True
        ),
    )


async def _cancel_job(request: Request) -> Response:
    desk, job = desk_of(request), job_of(request)
    return await _told(
        request,
        lambda store, said: retry_cancel_remove.cancel(
            _of_job(job), store, desk.clock, said, consent=True
        ),
    )


def _wanted(request: Request, batch: BatchRow) -> Wanted:
    """Read which jobs of a batch an address means."""
    which = filter_of(request.query_params)
    return Wanted(batch.name, kinds=which.kinds, campaigns=which.campaigns, search=which.search)


async def _ask_retry(request: Request) -> Response:
    """Show what a retry would cost, and ask."""
    desk, batch, said = desk_of(request), batch_of(request), Said()
    wanted = _wanted(request, batch)
    await desk.with_store(
        lambda store: retry_cancel_remove.retry(
            wanted, desk.settings, store, said, dry=True, consent=True, clock=desk.clock
        )
    )
    return render(
        request,
        "_ask.html",
        question=said.text,
        lines=said.lines,
        action=f"{request.url.path}?{request.url.query}&shown="
        + retry_cancel_remove.digest(said.document["retried"]),
        button="Buy again",
        possible=bool(said.document["retried"]),
    )


async def _retry(request: Request) -> Response:
    desk, batch = desk_of(request), batch_of(request)
    wanted, shown = _wanted(request, batch), request.query_params.get("shown")
    return await _told(
        request,
        lambda store, said: retry_cancel_remove.retry(
            wanted,
            desk.settings,
            store,
            said,
            dry=False,
            consent=True,
            clock=desk.clock,
            shown=shown,
        ),
    )


async def _ask_cancel(request: Request) -> Response:
    batch = batch_of(request)
    status = desk_of(request).queries.status(batch)
    queued = status.jobs[JobState.QUEUED]
    return render(
        request,
        "_ask.html",
        question=f"Cancel {queued} queued job(s) of {batch.name}? Nothing was paid for them.",
        lines=[],
        action=request.url.path,
        button="Cancel them",
        possible=queued > 0,
    )


async def _cancel(request: Request) -> Response:
    desk, batch = desk_of(request), batch_of(request)
    return await _told(
        request,
        lambda store, said: retry_cancel_remove.cancel(
            Wanted(batch.name), store, desk.clock, said, consent=True
        ),
    )


async def _pause(request: Request) -> Response:
    batch = batch_of(request)
    return await _told(request, lambda store, said: pause.pause(batch.name, store, said))


async def _ask_resume(request: Request) -> Response:
    """Show what a run would buy, and ask."""
    desk, batch = desk_of(request), batch_of(request)
    found = pause.to_resume(desk.queries, batch)
    buys = (
        "The active run buys them now, as far as the budget allows."
        if desk.goes_on()
        else "The next run buys them."
    )
    return render(
        request,
        "_ask.html",
        question=f"Resume {batch.name}? {found.text}.",
        lines=[*([buys] if found.jobs else []), *found.held],
        action=f"{request.url.path}?shown={found.digest}",
        button="Resume",
        possible=True,
    )


async def _resume(request: Request) -> Response:
    desk, batch, shown = desk_of(request), batch_of(request), request.query_params.get("shown")
    return await _told(
        request,
        lambda store, said: pause.resume(
            batch.name, desk.settings, store, said, desk.clock, shown=shown
        ),
    )


async def _ask_remove(request: Request) -> Response:
    batch = batch_of(request)
    status = desk_of(request).queries.status(batch)
    queued = status.jobs[JobState.QUEUED]
    loses = f" and cancel its {queued} queued job(s)" if queued else ""
    return render(
        request,
        "_ask.html",
        question=f"Remove the batch {batch.name} from the list{loses}?",
        lines=["Its files and the record of its payments stay."],
        action=request.url.path,
        button="Remove it",
        possible=True,
    )


async def _remove(request: Request) -> Response:
    desk, batch, said = desk_of(request), batch_of(request), Said()
    try:
        await desk.with_store(
            lambda store: retry_cancel_remove.remove(
                batch.name, store, desk.clock, said, consent=True
            )
        )
    except EngineError as error:
        return refused(error)
    return done(said.text, go="/")


async def _resolve(request: Request) -> Response:
    """Settle a doubt by a person's word: it is this generation, or it was never made."""
    desk, job = desk_of(request), job_of(request)
    form = await request.form(max_files=0, max_fields=5)
    generation = str(form.get("generation", ""))[:LONGEST_ID]
    force = form.get("force") == "yes"

    def work(store: Store, said: Said) -> None:
        said.lines.append(
            resolve(
                store,
                desk.settings,
                desk.clock,
                job,
                generation or None,
                grace=timedelta(seconds=RunOptions().grace),
                force=force,
            )
        )

    return await _told(request, work)


routes = [
    Route("/jobs/{job:int}/retry", _retry_job, methods=["POST"]),
    Route("/jobs/{job:int}/abandon", _ask_abandon),
    Route("/jobs/{job:int}/abandon", _abandon, methods=["POST"]),
    Route("/jobs/{job:int}/cancel", _cancel_job, methods=["POST"]),
    Route("/jobs/{job:int}/resolve", _resolve, methods=["POST"]),
    Route("/batches/{batch:int}/retry", _ask_retry),
    Route("/batches/{batch:int}/retry", _retry, methods=["POST"]),
    Route("/batches/{batch:int}/cancel", _ask_cancel),
    Route("/batches/{batch:int}/cancel", _cancel, methods=["POST"]),
    Route("/batches/{batch:int}/pause", _pause, methods=["POST"]),
    Route("/batches/{batch:int}/resume", _ask_resume),
    Route("/batches/{batch:int}/resume", _resume, methods=["POST"]),
    Route("/batches/{batch:int}/remove", _ask_remove),
    Route("/batches/{batch:int}/remove", _remove, methods=["POST"]),
]
