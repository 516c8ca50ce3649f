"""Controlling batches and jobs: retry, cancel, pause, resume, remove, settle by hand, run again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchsora.composition.databases import existing_store
from batchsora.composition.session import endpoint
from batchsora.manifest.errors import CellError
from batchsora.option_kinds import words_of
from batchsora.options import RunOptions
from batchsora.presentation import held
from batchsora.presentation.cost import cost_of_jobs
from batchsora.settings import SettingsError
from batchsora.usecases import pause_resume_remove, retry_cancel_abandon
from batchsora.usecases.bought_already import OnExisting
from batchsora.usecases.from_options import terms_of
from batchsora.usecases.hand_over import look_and_hand
from batchsora.usecases.load import set_caps
from batchsora.usecases.reconcile import resolve
from batchsora.usecases.retry_cancel_abandon import digest
from batchsora.web.answers import (
    PageInterface,
    asked,
    batch_of,
    done,
    job_of,
    refused,
    render,
    web_context_of,
)
from batchsora.web.pages.batches import filter_of
from batchsora.web.starting import in_words, money, started_run, taken_up
from batchsora.web.uploads import received
from batchsora.web.web_context import WebContext
from jobs.model.errors import EngineError
from jobs.model.provider import ProviderError
from jobs.model.states import FOUND, NOTHING_FOUND, JobState
from jobs.ports.seen import BatchRow
from jobs.ports.selection import Wanted
from jobs.store import Store

LONGEST_ID: Final = 128
Endpoint = Callable[[Request], Awaitable[Response]]


Work = Callable[[Store, PageInterface], object]


async def _told(request: Request, work: Work, go: str | None = None) -> Response:
    """Do what the command line does, and show what it says."""
    said = PageInterface()
    try:
        await web_context_of(request).with_store(lambda store: work(store, said))
    except (EngineError, SettingsError) as error:
        return refused(error)
    return done(" ".join([*said.lines, said.text]).strip(), go=go)


def _does(work_of: Callable[[Request], Work], go: str | None = None) -> Endpoint:
    """Return the endpoint that does a request's work."""

    async def answer(request: Request) -> Response:
        return await _told(request, work_of(request), go)

    return answer


def _of_job(request: Request) -> Wanted:
    job = job_of(request)
    return Wanted(job.batch, keys=[f"#{job.id}"])


def _of_batch(request: Request) -> Wanted:
    """Read which jobs of a batch an address means."""
    which, name = filter_of(request.query_params), batch_of(request).name
    return Wanted(
        name,
        kinds=which.kinds,
        campaigns=which.campaigns,
        search=which.search,
        made_by=which.made_by,
    )


def _retry_of(request: Request, wanted: Wanted, *, dry: bool = False) -> Work:
    web, shown = web_context_of(request), None if dry else request.query_params.get("shown")
    return lambda store, said: retry_cancel_abandon.retry(
        wanted, web.settings, store, said, dry=dry, consent=True, clock=web.clock, shown=shown
    )


def _abandon_of(request: Request, *, dry: bool = False) -> Work:
    wanted, clock = _of_job(request), web_context_of(request).clock
    return lambda store, said: retry_cancel_abandon.abandon(
        wanted, store, clock, said, dry=dry, consent=True
    )


def _cancel_of(request: Request, wanted: Wanted) -> Work:
    clock = web_context_of(request).clock
    return lambda store, said: retry_cancel_abandon.cancel(wanted, store, clock, said, consent=True)


async def _ask_abandon(request: Request) -> Response:
    """Ask, with what giving up a job's attempt costs."""
    said, work = PageInterface(), _abandon_of(request, dry=True)
    await web_context_of(request).with_store(lambda store: work(store, said))
    possible = bool(said.document["abandoned"])
    return asked(request, said.text, said.lines, "Give it up", possible=possible)


def _asks_retry(of: Callable[[Request], Wanted]) -> Endpoint:
    """Return the endpoint that asks, with what a retry would cost and what the budgets leave."""

    async def answer(request: Request) -> Response:
        said, work = PageInterface(), _retry_of(request, of(request), dry=True)
        await web_context_of(request).with_store(lambda store: work(store, said))
        shown = retry_cancel_abandon.digest(said.document["retried"])
        action = f"{request.url.path}?{request.url.query}&shown={shown}"
        possible = bool(said.document["retried"])
        return asked(request, said.text, said.lines, "Buy it", possible=possible, action=action)

    return answer


def _queued(request: Request) -> tuple[str, int]:
    """Return a batch's name, and how many of its jobs are queued."""
    batch = batch_of(request)
    return batch.name, web_context_of(request).queries.status(batch).jobs[JobState.QUEUED]


async def _ask_cancel(request: Request) -> Response:
    name, queued = _queued(request)
    question = f"Cancel {queued} queued job(s) of {name}? Nothing was paid for them."
    return asked(request, question, [], "Cancel them", possible=queued > 0)


def _pause_of(request: Request) -> Work:
    name = batch_of(request).name
    return lambda store, said: pause_resume_remove.pause(name, store, said)


async def _ask_resume(request: Request) -> Response:
    """Ask, with what a run would buy."""
    web, batch = web_context_of(request), batch_of(request)
    found = pause_resume_remove.to_resume(web.queries, batch)
    buys = "The next run buys them."
    if web.goes_on():
        buys = "The active run buys them now, as far as the budget allows."
    lines = [*([buys] if found.jobs else []), *found.held]
    action = f"{request.url.path}?shown={found.digest}"
    return asked(request, f"Resume {batch.name}? {found.text}.", lines, "Resume", action=action)


def _resume_of(request: Request) -> Work:
    web, name = web_context_of(request), batch_of(request).name
    shown = request.query_params.get("shown")
    return lambda store, said: pause_resume_remove.resume(
        name, web.settings, store, said, web.clock, shown=shown
    )


async def _ask_remove(request: Request) -> Response:
    name, queued = _queued(request)
    loses = f" and cancel its {queued} queued job(s)" if queued else ""
    question = f"Remove the batch {name} from the list{loses}?"
    return asked(request, question, ["Its files and the record of its payments stay."], "Remove it")


def _remove_of(request: Request) -> Work:
    name, clock = batch_of(request).name, web_context_of(request).clock
    return lambda store, said: pause_resume_remove.remove(name, store, clock, said, consent=True)


async def _resolve(request: Request) -> Response:
    """Settle an unconfirmed attempt by hand: it is this generation, or was never made."""
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


async def _ask_run(request: Request) -> Response:
    return _ask_cap(request, "", {})


async def _run(request: Request) -> Response:
    """Run a batch again, under its cap or a new one."""
    web, batch = web_context_of(request), batch_of(request)
    async with received(request, web.manifest_folder) as form:
        text, shown = form.text("budget"), form.text("shown")
    left, budget, problems = _left(web, batch), None, {}
    try:
        budget = money(text)
        if left.jobs and left.cap is None and budget is None:
            problems = {"budget": "Set a budget; nothing is bought above it."}
        elif shown not in ("", left.digest):
            problems = {"shown": "The jobs have changed since. Check them again."}
    except CellError as error:
        problems = {"budget": in_words(error)}
    if problems:
        return _ask_cap(request, text, problems)
    there = f"/batches/{batch.id}"
    if web.goes_on():
        try:
            lines = await asyncio.to_thread(_hand_over, web, batch.id, left, budget)
        except (SettingsError, EngineError, ProviderError) as error:
            return refused(error)
        return done("; ".join(lines), go=there)
    if any(one.code is None for one in web.launcher.about(batch.name)):
        return done("Already running.", go=there)
    options = RunOptions(
        batch=batch.name,
        budget=budget,
        download=web.download.absolute(),
        wait_for_runner=True,
        yes=True,
    )
    started_run(web, ["run", *words_of(options)], batch.name)
    return done(f"{batch.name} is resumed.", go=there)


@dataclass(frozen=True, slots=True)
class _Left:
    """What is left to buy of a batch: also what was left out, or loaded and not asked for."""

    jobs: Sequence[int]  # their numbers
    cost: str  # for people
    cap: int | None  # of the batch
    found: Sequence[str]  # what stays held back, for people

    @property
    def digest(self) -> str:
        """Return a short name of the jobs."""
        return digest(map(str, self.jobs))


def _left(web: WebContext, batch: BatchRow) -> _Left:
    with web.queries.snapshot() as seen:
        jobs = seen.queued(batch.id, NOTHING_FOUND)
        price = cost_of_jobs(jobs, seen.prices()).text
        status = seen.status(batch)
    lines = tuple(held.lines(status, [one for one in FOUND if one not in NOTHING_FOUND]))
    return _Left([job.id for job in jobs], price, status.money.cap, lines)


def _hand_over(web: WebContext, batch_id: int, left: _Left, budget: Decimal | None) -> list[str]:
    """Hand what was shown, and nothing else of the batch, to the active run; return the messages.

    First the account is checked, as a run does before it buys: what exists already is not handed
    over.

    Raises:
        SettingsError: there is no token.
        jobs.model.provider.ProviderError: the account could not be checked; nothing was handed
        over.
    """
    now, said = web.clock.now(), PageInterface()
    # a store of its own: other pages' changes don't wait for the look
    with endpoint(web.settings) as place, existing_store(web.settings.database) as store:
        notes = set_caps(store, batch_id, terms_of(RunOptions(budget=budget)), now)
        handed, _ = look_and_hand(
            store, place, batch_id, OnExisting.ASK, web.clock, said, jobs=left.jobs
        )
    return [*notes, *said.lines, *([] if handed is None else [taken_up(handed)])]


def _ask_cap(request: Request, budget: str, problems: dict[str, str]) -> Response:
    """Ask for the cap under which a batch runs, in the dialog, whoever asked."""
    web, batch = web_context_of(request), batch_of(request)
    left = _left(web, batch)
    return render(
        request,
        "_resume_batch.html",
        status_code=422 if problems else 200,
        headers={"HX-Retarget": "#ask", "HX-Reswap": "innerHTML"},
        batch=batch,
        budget=budget,
        problems=problems,
        first=next(iter(problems), None),
        left=left,
        money=web.queries.status(batch).money,
    )


routes = [
    Route("/jobs/{job:int}/retry", _asks_retry(_of_job)),
    Route("/jobs/{job:int}/retry", _does(lambda r: _retry_of(r, _of_job(r))), methods=["POST"]),
    Route("/jobs/{job:int}/abandon", _ask_abandon),
    Route("/jobs/{job:int}/abandon", _does(_abandon_of), methods=["POST"]),
    Route("/jobs/{job:int}/cancel", _does(lambda r: _cancel_of(r, _of_job(r))), methods=["POST"]),
    Route("/jobs/{job:int}/resolve", _resolve, methods=["POST"]),
    Route("/batches/{batch:int}/retry", _asks_retry(_of_batch)),
    Route(
        "/batches/{batch:int}/retry", _does(lambda r: _retry_of(r, _of_batch(r))), methods=["POST"]
    ),
    Route("/batches/{batch:int}/cancel", _ask_cancel),
    Route(
        "/batches/{batch:int}/cancel",
        _does(lambda r: _cancel_of(r, Wanted(batch_of(r).name))),
        methods=["POST"],
    ),
    Route("/batches/{batch:int}/pause", _does(_pause_of), methods=["POST"]),
    Route("/batches/{batch:int}/resume", _ask_resume),
    Route("/batches/{batch:int}/resume", _does(_resume_of), methods=["POST"]),
    Route("/batches/{batch:int}/remove", _ask_remove),
    Route("/batches/{batch:int}/remove", _does(_remove_of, go="/"), methods=["POST"]),
    Route("/batches/{batch:int}/run", _ask_run),
    Route("/batches/{batch:int}/run", _run, methods=["POST"]),
]
