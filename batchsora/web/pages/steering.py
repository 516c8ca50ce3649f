"""Steering: retry, cancel, pause, resume, remove and settling doubts, by the engine's functions."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchsora.options import RunOptions
from batchsora.settings import SettingsError
from batchsora.usecases import pause_resume_remove, retry_cancel_abandon
from batchsora.usecases.reconcile import resolve
from batchsora.web.answers import (
    PageInterface,
    asked,
    batch_of,
    done,
    job_of,
    refused,
    web_context_of,
)
from batchsora.web.pages.jobs import filter_of
from jobs.model.errors import EngineError
from jobs.model.states import JobState
from jobs.ports.selection import Wanted
from jobs.store import Store

LONGEST_ID: Final = 128


async def _told(
    request: Request, work: Callable[[Store, PageInterface], object], go: str | None = None
) -> Response:
    """Do what the command line does, and show on the page what it shows in a terminal."""
    said = PageInterface()
    try:
        await web_context_of(request).with_store(lambda store: work(store, said))
    except (EngineError, SettingsError) as error:
        return refused(error)
    return done(" ".join([*said.lines, said.text]).strip(), go=go)


def _of_job(request: Request) -> Wanted:
    job = job_of(request)
    return Wanted(job.batch, keys=[f"#{job.id}"])


def _of_batch(request: Request) -> Wanted:
    """Read which jobs of a batch an address means."""
    which, name = filter_of(request.query_params), batch_of(request).name
    return Wanted(name, kinds=which.kinds, campaigns=which.campaigns, search=which.search)


def _retry_of(
    request: Request, wanted: Wanted, *, dry: bool = False
) -> Callable[[Store, PageInterface], object]:
    web, shown = web_context_of(request), None if dry else request.query_params.get("shown")
    return lambda store, said: retry_cancel_abandon.retry(
        wanted, web.settings, store, said, dry=dry, consent=True, clock=web.clock, shown=shown
    )


def _abandon_of(request: Request, *, dry: bool) -> Callable[[Store, PageInterface], object]:
    wanted, clock = _of_job(request), web_context_of(request).clock
    return lambda store, said: retry_cancel_abandon.abandon(
        wanted, store, clock, said, dry=dry, consent=True
    )


def _cancel_of(request: Request, wanted: Wanted) -> Callable[[Store, PageInterface], object]:
    clock = web_context_of(request).clock
    return lambda store, said: retry_cancel_abandon.cancel(wanted, store, clock, said, consent=True)


async def _retry_job(request: Request) -> Response:
    return await _told(request, _retry_of(request, _of_job(request)))


async def _ask_abandon(request: Request) -> Response:
    """Show what giving a job's attempt up costs, and ask."""
    said, work = PageInterface(), _abandon_of(request, dry=True)
    await web_context_of(request).with_store(lambda store: work(store, said))
    possible = bool(said.document["abandoned"])
    return asked(request, said.text, said.lines, "Give it up", possible=possible)


async def _abandon(request: Request) -> Response:
    return await _told(request, _abandon_of(request, dry=False))


async def _cancel_job(request: Request) -> Response:
    return await _told(request, _cancel_of(request, _of_job(request)))


async def _ask_retry(request: Request) -> Response:
    """Show what a retry would cost, and ask."""
    said, work = PageInterface(), _retry_of(request, _of_batch(request), dry=True)
    await web_context_of(request).with_store(lambda store: work(store, said))
    shown = retry_cancel_abandon.digest(said.document["retried"])
    action = f"{request.url.path}?{request.url.query}&shown={shown}"
    possible = bool(said.document["retried"])
    return asked(request, said.text, said.lines, "Buy again", possible=possible, action=action)


async def _retry(request: Request) -> Response:
    return await _told(request, _retry_of(request, _of_batch(request)))


def _queued(request: Request) -> tuple[str, int]:
    """Read a batch's name, and how many of its jobs are queued."""
    batch = batch_of(request)
    return batch.name, web_context_of(request).queries.status(batch).jobs[JobState.QUEUED]


async def _ask_cancel(request: Request) -> Response:
    name, queued = _queued(request)
    question = f"Cancel {queued} queued job(s) of {name}? Nothing was paid for them."
    return asked(request, question, [], "Cancel them", possible=queued > 0)


async def _cancel(request: Request) -> Response:
    return await _told(request, _cancel_of(request, Wanted(batch_of(request).name)))


async def _pause(request: Request) -> Response:
    batch = batch_of(request)
    return await _told(
        request, lambda store, said: pause_resume_remove.pause(batch.name, store, said)
    )


async def _ask_resume(request: Request) -> Response:
    """Show what a run would buy, and ask."""
    web, batch = web_context_of(request), batch_of(request)
    found = pause_resume_remove.to_resume(web.queries, batch)
    buys = "The next run buys them."
    if web.goes_on():
        buys = "The active run buys them now, as far as the budget allows."
    lines = [*([buys] if found.jobs else []), *found.held]
    action = f"{request.url.path}?shown={found.digest}"
    return asked(request, f"Resume {batch.name}? {found.text}.", lines, "Resume", action=action)


async def _resume(request: Request) -> Response:
    web, name = web_context_of(request), batch_of(request).name
    shown = request.query_params.get("shown")
    return await _told(
        request,
        lambda store, said: pause_resume_remove.resume(
            name, web.settings, store, said, web.clock, shown=shown
        ),
    )


async def _ask_remove(request: Request) -> Response:
    name, queued = _queued(request)
    loses = f" and cancel its {queued} queued job(s)" if queued else ""
    question = f"Remove the batch {name} from the list{loses}?"
    return asked(request, question, ["Its files and the record of its payments stay."], "Remove it")


async def _remove(request: Request) -> Response:
    name, clock = batch_of(request).name, web_context_of(request).clock
    return await _told(
        request,
        lambda store, said: pause_resume_remove.remove(name, store, clock, said, consent=True),
        go="/",
    )


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
