"""Starting a manifest: asked once with its price, then bought; or rehearsed free of charge."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchsora.composition.databases import existing_store
from batchsora.manifest.errors import ManifestError
from batchsora.manifest.values import LONGEST_NAME
from batchsora.settings import (
    DEFAULT_DATABASE,
    SettingsError,
    rehearsed_database,
    sandbox_database,
)
from batchsora.usecases.bought_already import OnExisting
from batchsora.usecases.from_options import reading_of
from batchsora.usecases.load import InvalidRowsError
from batchsora.usecases.manifest_options import Source
from batchsora.web.answers import (
    IN_DIALOG,
    asked,
    done,
    moved,
    plural,
    refused,
    render,
    usd,
    web_context_of,
)
from batchsora.web.kept_manifests import Chosen, digest
from batchsora.web.pages.manifests import (
    button_of,
    chosen_of,
    figures_of,
    shown_form,
    understood,
)
from batchsora.web.planning import Planned, StartForm, planner_of
from batchsora.web.starting import hand_over, read_form, started_run
from batchsora.web.uploads import Form, received
from batchsora.web.web_context import Started, WebContext
from jobs.model.errors import EngineError
from jobs.model.money import cap_micros
from jobs.model.provider import ProviderError
from jobs.ports.queries import QueryStore
from jobs.ports.seen import BatchRow, BatchStatus
from jobs.system import quote

REHEARSAL: Final = "rehearsal"  # what such a process is for
REHEARSED_VIDEOS: Final = Path("sandbox-videos")


async def _checked(
    request: Request, *, rehearsal: bool = False
) -> Response | tuple[Form, Planned, StartForm]:
    """Receive a form that can be started, and plan it; else return what says what is wrong."""
    web, chosen = web_context_of(request), chosen_of(request)
    async with received(request, web.manifest_folder) as form:
        pass
    form_tokens, token = web.form_tokens, form.text("token")
    if (address := form_tokens.came(token)) is not None and not rehearsal:
        return done("Already started.", go=address)
    try:
        start_form = await understood(request, chosen, form)
        planned = await planner_of(request).plan(chosen, start_form)
    except (ManifestError, EngineError) as error:
        return refused(error)
    runs = web.goes_on() and not rehearsal
    start_form, problems = read_form(form, planned, start_form.said, runs=runs, rehearsal=rehearsal)
    if problems:
        return await shown_form(request, chosen, planned, form, problems)
    notice, agreed = "", form.text("agreed")
    if agreed.rpartition("/")[2] != planned.sha256:
        notice = f"The file has changed since: {button_of(planned)}. Press again to confirm."
    elif agreed != figures_of(planned)["agreed"]:
        notice = f"The plan has changed since: {button_of(planned)}. Press again to confirm."
    elif not form_tokens.knows(token):
        notice = "The server was restarted: check the form, and send it again."
    if notice:
        return await shown_form(request, chosen, planned, form, notice=notice)
    return form, planned, start_form


async def _ask(request: Request) -> Response:
    """Ask once, with the price, before anything is bought."""
    web, chosen = web_context_of(request), chosen_of(request)
    checked = await _checked(request)
    if isinstance(checked, Response):
        return checked
    _, planned, start_form = checked
    budget = start_form.options.budget
    cap = planned.plan.cap if budget is None else cap_micros(budget)
    lines = [
        *planned.limits,
        f"Never more than the budget of {usd(cap)}."
        + (f" {usd(planned.plan.used)} of it is used." if planned.plan.used else ""),
        "The active run takes over." if web.goes_on() else "It continues when this page is closed.",
    ]
    if planned.wrong_rows:
        lines.insert(0, f"{plural(planned.wrong_rows, 'row')} with problems will be left out.")
    response = asked(
        request,
        f"{button_of(planned)}?",
        lines,
        button_of(planned),
        action=f"{_address(chosen)}/start",
        include="#start-form",
    )
    response.headers.update(IN_DIALOG)
    return response


async def _start(request: Request) -> Response:
    """Start a manifest, at the price on its button."""
    web, chosen = web_context_of(request), chosen_of(request)
    checked = await _checked(request)
    if isinstance(checked, Response):
        return checked
    form, planned, start_form = checked
    if web.goes_on():
        planner_of(request).remember(chosen, None)
        return await _hand_over(web, chosen, planned, start_form)
    # a second click may have come while the plan was made; from here on nothing is awaited
    form_tokens, token = web.form_tokens, form.text("token")
    if (address := form_tokens.came(token)) is None:
        name = start_form.options.name or planned.plan.batch
        address = f"{_address(chosen)}/started/"
        address += started_run(
            web, start_form.command(chosen.path, planned.sha256, web.download), name
        )
        form_tokens.used(token, address)
        planner_of(request).remember(chosen, None)
    return done(f"Started: {button_of(planned)}.", go=address)


async def _hand_over(
    web: WebContext, chosen: Chosen, planned: Planned, start_form: StartForm
) -> Response:
    said = start_form.said
    source = Source(
        chosen.path, reading_of(said), fit_images=said.fit_images, sha256=planned.sha256
    )
    try:
        batch, lines = await asyncio.to_thread(hand_over, web, source, start_form)
    except (SettingsError, ManifestError, InvalidRowsError, EngineError, ProviderError) as error:
        return refused(error)
    return done("; ".join(lines), go=f"/batches/{batch}")


async def _started(request: Request) -> Response:
    """Wait until a process has loaded its batch, then go to the batch's page."""
    web, chosen = web_context_of(request), chosen_of(request)
    started = web.launcher.find(request.path_params["started"])
    batch = _loaded(web.queries, chosen, None if started is None else started.about)
    over = started is None or started.code is not None
    if batch is not None and (over or batch.active):
        return moved(request, f"/batches/{batch.id}")
    return render(
        request,
        "_plan_started.html" if "part" in request.query_params else "manifest_started.html",
        chosen=chosen,
        started=started,
        over=over,
    )


def _loaded(seen: QueryStore, chosen: Chosen, name: str | None) -> BatchRow | None:
    """Return the batch that a manifest was loaded as, from any sheet."""
    source = str(chosen.path.resolve())
    found = None if name is None else seen.find_batch(name, source)
    if found is None or found.removed_at is not None:
        return None
    same = found.source is not None and found.source.partition("#")[0] == source
    return found if same else None


async def _rehearse(request: Request) -> Response:
    """Run a manifest on the sandbox, in a database of its own: nothing is bought."""
    web, chosen = web_context_of(request), chosen_of(request)
    checked = await _checked(request, rehearsal=True)
    if isinstance(checked, Response):
        return checked
    form, planned, start_form = checked
    # an edited file, or one that is read otherwise, is another batch: rehearsals are not mixed, and
    # a prompt of an earlier one is made again
    name = (start_form.options.name or planned.plan.batch)[: LONGEST_NAME - 7]
    name = f"{name} {digest(f'{chosen.token}/{planned.sha256}/{planned.read_as}')[:6]}"
    options = replace(start_form.options, sandbox=True, name=name, on_existing=OnExisting.BUY)
    command = replace(start_form, options=options).command(
        chosen.path, planned.sha256, REHEARSED_VIDEOS
    )
    started = started_run(web, command, name, REHEARSAL)
    planner_of(request).remember(chosen, form)
    return done(
        "Rehearsal started: no money is spent.", go=f"{_address(chosen)}/rehearsed/{started}"
    )


def _address(chosen: Chosen) -> str:
    return f"/manifests/{chosen.token}"


async def _rehearsed(request: Request) -> Response:
    """Follow a rehearsal to its end."""
    web, chosen = web_context_of(request), chosen_of(request)
    started = web.launcher.find(request.path_params["started"])
    if started is not None and started.purpose != REHEARSAL:
        started = None
    over = started is None or started.code is not None
    main = database = web.settings.database
    if web.settings.sandbox:  # the page shows the rehearsals themselves
        main = rehearsed_database(database)
    else:
        database = sandbox_database(main)
    seen = None if started is None else await asyncio.to_thread(_seen, database, started)
    return render(
        request,
        "_rehearsed.html" if "part" in request.query_params else "rehearsed.html",
        chosen=chosen,
        started=started,
        over=over,
        seen=seen,
        database=database.name,
        named="" if main == Path(DEFAULT_DATABASE) else f"--db {quote(str(main))} ",
        videos=REHEARSED_VIDEOS,
    )


def _seen(database: Path, started: Started) -> BatchStatus | None:
    """Return how a rehearsal stands; None as long as its batch is not loaded."""
    try:
        with existing_store(database) as store:
            (batch,) = store.queries.batches(started.about)
            return store.queries.status(batch)
    except EngineError:
        return None


routes = [
    Route("/manifests/{token:str}/ask", _ask, methods=["POST"]),
    Route("/manifests/{token:str}/start", _start, methods=["POST"]),
    Route("/manifests/{token:str}/started/{started:str}", _started),
    Route("/manifests/{token:str}/rehearse", _rehearse, methods=["POST"]),
    Route("/manifests/{token:str}/rehearsed/{started:str}", _rehearsed),
]
