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
from batchsora.web.answers import PageInterface, batch_of, done, job_of, refused, web_context_of
from batchsora.web.pages.jobs import filter_of
from batchsora.web.rendering import render
from jobs.model.errors import EngineError
from jobs.model.states import JobState
from jobs.ports.seen import BatchRow, JobRow
from jobs.ports.selection import Wanted
from jobs.store import Store

LONGEST_ID: Final = 128


async def _told(request: Request, work: Callable[[Store, PageInterface], object]) -> Response:
    """Do what the command line does, and say on the page what it says in a terminal."""
    said = PageInterface()
    try:
        await web_context_of(request).with_store(lambda store: work(store, said))
    except (EngineError, SettingsError) as error:
        return refused(error)
    return done(" ".join([*said.lines, said.text]).strip())


def _of_job(job: JobRow) -> Wanted:
    return Wanted(job.batch, keys=[f"#{job.id}"])


async def _retry_job(request: Request) -> Response:
    web, job = web_context_of(request), job_of(request)
    return await _told(
        request,
        lambda store, said: retry_cancel_remove.retry(
            _of_job(job), web.settings, store, said, dry=False, consent=True, clock=web.clock
        ),
    )


async def _ask_abandon(request: Request) -> Response:
    """Show what giving a job's attempt up costs, and ask."""
    web, job, said = web_context_of(request), job_of(request), PageInterface()
    await web.with_store(
        lambda store: abandon.abandon(_of_job(job), store, web.clock, said, dry=True, consent=True)
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
    web, job = web_context_of(request), job_of(request)
    return await _told(
        request,
        lambda store, said: abandon.abandon(
            _of_job(job), store, web.clock, said, dry=False, consent=True
        ),
    )


async def _cancel_job(request: Request) -> Response:
    web, job = web_context_of(request), job_of(request)
    return await _told(
        request,
        lambda store, said: retry_cancel_remove.cancel(
            _of_job(job), store, web.clock, said, consent=True
        ),
    )


def _wanted(request: Request, batch: BatchRow) -> Wanted:
    """Read which jobs of a batch an address means."""
    which = filter_of(request.query_params)
    return Wanted(batch.name, kinds=which.kinds, campaigns=which.campaigns, search=which.search)


async def _ask_retry(request: Request) -> Response:
    """Show what a retry would cost, and ask."""
    web, batch, said = web_context_of(request), batch_of(request), PageInterface()
    wanted = _wanted(request, batch)
    await web.with_store(
        lambda store: retry_cancel_remove.retry(
            wanted, web.settings, store, said, dry=True, consent=True, clock=web.clock
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
    web, batch = web_context_of(request), batch_of(request)
    wanted, shown = _wanted(request, batch), request.query_params.get("shown")
    return await _told(
        request,
        lambda store, said: retry_cancel_remove.retry(
            wanted,
            web.settings,
            store,
            said,
            dry=False,
            consent=True,
            clock=web.clock,
            shown=shown,
        ),
    )


async def _ask_cancel(request: Request) -> Response:
    batch = batch_of(request)
    status = web_context_of(request).queries.status(batch)
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
    web, batch = web_context_of(request), batch_of(request)
    return await _told(
        request,
        lambda store, said: retry_cancel_remove.cancel(
            Wanted(batch.name), store, web.clock, said, consent=True
        ),
    )


async def _pause(request: Request) -> Response:
    batch = batch_of(request)
    return await _told(request, lambda store, said: pause.pause(batch.name, store, said))


async def _ask_resume(request: Request) -> Response:
    """Show what a run would buy, and ask."""
    web, batch = web_context_of(request), batch_of(request)
    found = pause.to_resume(web.queries, batch)
    buys = (
        "The active run buys them now, as far as the budget allows."
        if web.goes_on()
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
    web, batch, shown = (
        web_context_of(request),
        batch_of(request),
        request.query_params.get("shown"),
    )
    return await _told(
        request,
        lambda store, said: pause.resume(
            batch.name, web.settings, store, said, web.clock, shown=shown
        ),
    )


async def _ask_remove(request: Request) -> Response:
    batch = batch_of(request)
    status = web_context_of(request).queries.status(batch)
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
    web, batch, said = web_context_of(request), batch_of(request), PageInterface()
    try:
        await web.with_store(
            lambda store: retry_cancel_remove.remove(
                batch.name, store, web.clock, said, consent=True
            )
        )
    except EngineError as error:
        return refused(error)
    return done(said.text, go="/")


async def _resolve(request: Request) -> Response:
    """Settle a doubt by a person's word: it is this generation, or it was never made."""
    web, job = web_context_of(request), job_of(request)
    form = await request.form(max_files=0, max_fields=5)
    generation = str(form.get("generation", ""))[:LONGEST_ID]
    force = form.get("force") == "yes"

    def work(store: Store, said: PageInterface) -> None:
        said.lines.append(
            resolve(
                store,
                web.settings,
                web.clock,
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
