"""What a batch may spend, while it runs as well; stopping the run; and the archive."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchsora.manifest.errors import CellError
from batchsora.usecases.budget import set_budgets
from batchsora.web.answers import (
    PageInterface,
    asked,
    batch_of,
    done,
    refused,
    render,
    web_context_of,
)
from batchsora.web.starting import in_words, money
from batchsora.web.uploads import Form, received
from jobs.database.lock import is_held
from jobs.model.errors import EngineError
from jobs.model.money import cap_micros, usd_text
from jobs.ports.control import Terms
from jobs.ports.seen import BatchStatus
from jobs.store import Store

MOST_CAMPAIGNS: Final = 50  # campaigns whose budgets the dialog shows


async def _ask_budget(request: Request) -> Response:
    return _dialog(request, {}, {})


def _dialog(request: Request, said: Mapping[str, str], problems: Mapping[str, str]) -> Response:
    """Show the budgets of a batch as fields, with what was typed and what is wrong with it."""
    status = _status(request)
    campaigns = list(status.campaigns.items())[:MOST_CAMPAIGNS]
    fields = [("budget", f"Budget of {status.name}, USD", status.money)]
    fields += [(f"cap-{n}", f"{name}, USD", one) for n, (name, one) in enumerate(campaigns)]
    kept = {name: "" if one.cap is None else usd_text(one.cap) for name, _, one in fields}
    return render(
        request,
        "_batch_budget.html",
        status_code=422 if problems else 200,
        batch=status,
        fields=fields,
        campaigns=[name for name, _ in campaigns],
        said=kept | dict(said),
        problems=problems,
        first=next(iter(problems), "budget"),
    )


def _status(request: Request) -> BatchStatus:
    return web_context_of(request).queries.status(batch_of(request))


async def _set_budget(request: Request) -> Response:
    """Keep the amounts that were typed; an empty field leaves its budget as it is."""
    web, batch = web_context_of(request), batch_of(request)
    async with received(request, web.manifest_folder) as form:
        terms, problems = _terms(form)
    if problems:
        return _dialog(request, form.fields, problems)
    said = PageInterface()

    def work(store: Store) -> None:
        now = web.clock.now()
        set_budgets(batch.name, terms, store, web.settings, said, now, consent=True)

    try:
        await web.with_store(work)
    except EngineError as error:
        return refused(error)
    return done("; ".join(said.lines) or "The budget is as it was.")


def _terms(form: Form) -> tuple[Terms, dict[str, str]]:
    """Read the amounts of a form; with what is wrong, by field."""
    problems: dict[str, str] = {}
    terms = Terms()

    def read(field: str) -> int | None:
        try:
            amount = money(form.text(field))
        except CellError as error:
            problems[field] = in_words(error)
            return None
        return None if amount is None else cap_micros(amount)

    terms = replace(terms, batch=read("budget"))
    caps: dict[str, int] = {}
    for place in range(MOST_CAMPAIGNS):
        name = form.text(f"campaign-{place}")
        cap = read(f"cap-{place}") if name else None
        if cap is not None:
            caps[name] = cap
    return replace(terms, campaigns=caps, checked=list(caps)), problems


async def _ask_stop(request: Request) -> Response:
    runner = web_context_of(request).runner()
    line = (
        "It submits nothing more. Videos that are paid for are finished by the provider; the next "
        "run takes them over, at no further cost. What is queued stays queued."
    )
    who = "" if runner is None else f" ({runner})"
    return asked(request, f"Stop the run{who}?", [line], "Stop it", possible=runner is not None)


async def _stop(request: Request) -> Response:
    """Ask the run at work to stop, whoever started it: it sees that in its database."""
    web = web_context_of(request)
    if not is_held(web.settings.database):
        return done("No run is active.")
    await web.with_store(lambda store: store.control.stop_run())
    return done("The run stops: requests under way are answered first, and nothing more is bought.")


async def _archive(request: Request) -> Response:
    web, batch = web_context_of(request), batch_of(request)
    now = web.clock.now() if batch.archived_at is None else None
    try:
        await web.with_store(lambda store: store.control.archive(batch.id, now))
    except EngineError as error:
        return refused(error)
    return done(f"{batch.name} is archived." if now else f"{batch.name} is in the list again.")


routes = [
    Route("/batches/{batch:int}/budget", _ask_budget),
    Route("/batches/{batch:int}/budget", _set_budget, methods=["POST"]),
    Route("/batches/{batch:int}/archive", _archive, methods=["POST"]),
    Route("/run/stop", _ask_stop),
    Route("/run/stop", _stop, methods=["POST"]),
]
