"""Going on with a batch: after its cap was raised, or where nothing works on it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

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
from batchsora.usecases.bought_already import OnExisting
from batchsora.usecases.from_options import terms_of
from batchsora.usecases.hand_over import look_and_hand
from batchsora.usecases.load import set_caps
from batchsora.usecases.retry_cancel_abandon import digest
from batchsora.web.answers import PageInterface, batch_of, done, refused, web_context_of
from batchsora.web.rendering import render
from batchsora.web.starting import in_words, money, started_run, taken_up
from batchsora.web.uploads import received
from batchsora.web.web_context import WebContext
from jobs.model.errors import EngineError
from jobs.model.provider import ProviderError
from jobs.model.states import FOUND, NOTHING_FOUND
from jobs.ports.seen import BatchRow


async def _ask_run(request: Request) -> Response:
    return _ask_cap(request, "", {})


async def _go_on(request: Request) -> Response:
    """Go on with a batch, under its cap or a new one."""
    web, batch = web_context_of(request), batch_of(request)
    async with received(request, web.manifest_folder) as form:
        text, shown = form.text("budget"), form.text("shown")
    try:
        budget = money(text)
    except CellError as error:
        return _ask_cap(request, text, {"budget": in_words(error)})
    left = _left(web, batch)
    if left.jobs and left.cap is None and budget is None:
        return _ask_cap(request, text, {"budget": "Set a budget; nothing is bought above it."})
    if shown not in ("", left.digest):
        return _ask_cap(request, text, {"shown": "The jobs have changed since. Check them again."})
    there = f"/batches/{batch.id}"
    if web.goes_on():
        return await _handed(web, batch.id, left, budget)
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


async def _handed(
    web: WebContext, batch_id: int, left: "_Left", budget: Decimal | None
) -> Response:
    try:
        lines = await asyncio.to_thread(_hand_over, web, batch_id, left, budget)
    except (SettingsError, EngineError, ProviderError) as error:
        return refused(error)
    return done("; ".join(lines), go=f"/batches/{batch_id}")


@dataclass(frozen=True, slots=True)
class _Left:
    """What is left to buy of a batch: also what was left out, or loaded and not asked for.

    Attributes:
        jobs: their numbers.
        cost: for people.
        cap: of the batch.
        found: what stays held back, for people.
    """

    jobs: Sequence[int]
    cost: str
    cap: int | None
    found: Sequence[str]

    @property
    def digest(self) -> str:
        """Name the jobs in a few letters."""
        return digest(map(str, self.jobs))


def _left(web: WebContext, batch: BatchRow) -> _Left:
    with web.queries.snapshot() as seen:
        jobs = seen.queued(batch.id, NOTHING_FOUND)
        price = cost_of_jobs(jobs, seen.prices()).text
        status = seen.status(batch)
    lines = tuple(held.lines(status, [one for one in FOUND if one not in NOTHING_FOUND]))
    return _Left([job.id for job in jobs], price, status.money.cap, lines)


def _hand_over(web: WebContext, batch_id: int, left: _Left, budget: Decimal | None) -> list[str]:
    """Hand what was shown, and nothing else of the batch, to the run that goes on.

    First it is looked for, as a run does before it buys: what exists already is not handed over.

    Returns:
        What is to be told.

    Raises:
        SettingsError: there is no token.
        jobs.model.provider.ProviderError: it could not be looked for, so nothing was handed over.
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
    """Ask under which cap a batch goes on, in the dialog, whoever asked."""
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
    Route("/batches/{batch:int}/run", _ask_run),
    Route("/batches/{batch:int}/run", _go_on, methods=["POST"]),
]
