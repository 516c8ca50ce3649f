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
from batchsora.web.kept_manifests import digest
from batchsora.web.starting import in_words, money
from batchsora.web.uploads import Form, received
from jobs.database.lock import is_held
from jobs.model.errors import EngineError
from jobs.model.money import cap_micros, usd_text
from jobs.ports.control import Terms
from jobs.ports.seen import BatchStatus
from jobs.store import Store

MOST_CAMPAIGNS: Final = 50  # campaigns whose budgets the dialog shows
BATCH: Final = "budget"  # the field of the batch's own budget


async def _ask_budget(request: Request) -> Response:
    return _dialog(request, _status(request), {}, {})


def _dialog(
    request: Request, status: BatchStatus, said: Mapping[str, str], problems: Mapping[str, str]
) -> Response:
    """Show the budgets of a batch as fields, with what was typed and what is wrong with it."""
    kept = _kept(status)
    campaigns = list(status.campaigns.items())[:MOST_CAMPAIGNS]
    fields = [(BATCH, f"Budget of {status.name}, USD", status.money)]
    fields += [(_field(name), f"{name}, USD", one) for name, one in campaigns]
    return render(
        request,
        "_batch_budget.html",
        status_code=422 if problems else 200,
        batch=status,
        fields=fields,
        kept=kept,
        said=kept | dict(said),
        problems=problems,
        first=next(iter(problems), BATCH),
    )


def _status(request: Request) -> BatchStatus:
    return web_context_of(request).queries.status(batch_of(request))


def _field(campaign: str) -> str:
    """Return the field of a campaign: named by it, as places move when campaigns are added."""
    return f"cap-{digest(campaign)}"


def _kept(status: BatchStatus) -> dict[str, str]:
    """Return the budgets as they are, by their fields."""
    money = {BATCH: status.money, **{_field(name): one for name, one in status.campaigns.items()}}
    return {field: "" if one.cap is None else usd_text(one.cap) for field, one in money.items()}


async def _set_budget(request: Request) -> Response:
    """Keep the amounts that were changed; an empty field leaves its budget as it is."""
    web, batch = web_context_of(request), batch_of(request)
    async with received(request, web.manifest_folder) as form:
        status = _status(request)
        terms, said, problems = _terms(form, status)
    if problems:
        return _dialog(request, status, said, problems)
    page = PageInterface()

    def work(store: Store) -> None:
        now = web.clock.now()
        set_budgets(batch.name, terms, store, web.settings, page, now, consent=True)

    if terms != Terms():
        try:
            await web.with_store(work)
        except EngineError as error:
            return refused(error)
    return done("; ".join(page.lines) or "The budget is as it was.")


def _terms(form: Form, status: BatchStatus) -> tuple[Terms, dict[str, str], dict[str, str]]:
    """Return which budgets a form changes, as they are typed too, and what is wrong, by field.

    A field that is as it was shown changes nothing, and none is changed that somebody else has
    changed since: a page that was left open must not raise what another one lowered.
    """
    kept, said, problems = _kept(status), {}, {}

    def read(field: str) -> int | None:
        text, shown = form.text(field).strip(), form.text(f"was-{field}")
        if field not in form.fields or text == shown:
            return None
        said[field] = text
        try:
            amount = money(text)
        except CellError as error:
            problems[field] = in_words(error)
            return None
        if amount is None:
            return None
        if shown != kept[field]:
            now = f"${kept[field]}" if kept[field] else "without a limit"
            problems[field] = f"It was changed since this was opened, and is {now} now. Set again?"
        return cap_micros(amount)

    terms = replace(Terms(), batch=read(BATCH))
    caps = {name: cap for name in status.campaigns if (cap := read(_field(name))) is not None}
    return replace(terms, campaigns=caps, checked=list(caps)), said, problems


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
    """Archive a batch, or bring it back, as the address says: a second click changes nothing."""
    web, batch = web_context_of(request), batch_of(request)
    now = None if request.url.path.endswith("/unarchive") else web.clock.now()
    try:
        await web.with_store(lambda store: store.control.archive(batch.id, now))
    except EngineError as error:
        return refused(error)
    return done(f"{batch.name} is archived." if now else f"{batch.name} is in the list again.")


routes = [
    Route("/batches/{batch:int}/budget", _ask_budget),
    Route("/batches/{batch:int}/budget", _set_budget, methods=["POST"]),
    Route("/batches/{batch:int}/archive", _archive, methods=["POST"]),
    Route("/batches/{batch:int}/unarchive", _archive, methods=["POST"]),
    Route("/run/stop", _ask_stop),
    Route("/run/stop", _stop, methods=["POST"]),
]
