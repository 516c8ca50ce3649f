"""Manifests: choosing one, its plan, and starting what it asks for."""

import asyncio
import os
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchsora.manifest.errors import ManifestError, UnreadableError
from batchsora.manifest.read import READERS
from batchsora.manifest.rows.headers import SYNONYMS
from batchsora.options import RunOptions
from batchsora.presentation import messages
from batchsora.presentation.cost import kind_text
from batchsora.presentation.errors import message
from batchsora.settings import SettingsError
from batchsora.usecases.from_options import reading_of
from batchsora.usecases.load import InvalidRowsError
from batchsora.usecases.manifest_options import Source
from batchsora.usecases.plan import price_source
from batchsora.web.answers import done, moved, refused, render, web_context_of
from batchsora.web.planning import (
    Chosen,
    Planned,
    StartForm,
    beside,
    find_chosen,
    keep_manifest,
    planner_of,
    token_beside,
)
from batchsora.web.reading_fields import fields_of, unread_fields
from batchsora.web.starting import hand_over, read_form, read_plan_options, started_run
from batchsora.web.uploads import LARGEST_MANIFEST, Form, received
from batchsora.web.web_context import WebContext
from batchsora.web.written_fields import picture_folders
from jobs.model.errors import EngineError
from jobs.model.provider import ProviderError
from jobs.ports.queries import QueryStore
from jobs.ports.seen import BatchRow

CHUNK: Final = 200  # problems that are shown at once; the next ones are asked for
MOST_CAMPAIGNS: Final = 60  # campaigns with a field for a cap; others keep the manifest's


async def _new(request: Request) -> Response:
    return _choose(request)


def _choose(request: Request, problem: str = "") -> Response:
    files = [(token_beside(path), path) for path in beside(web_context_of(request))]
    return render(
        request,
        "_plan_choose.html" if problem else "manifest_new.html",
        status_code=422 if problem else 200,
        files=files,
        problem=problem,
        problems={"file": problem} if problem else {},
        first="file" if problem else None,
        accepts=",".join(READERS),
        largest=LARGEST_MANIFEST // 1024**2,
    )


async def _take(request: Request) -> Response:
    """Keep an uploaded manifest, and go to its plan."""
    web = web_context_of(request)
    async with received(request, web.manifest_folder, {"file": LARGEST_MANIFEST}) as form:
        upload = form.files.get("file")
        if upload is None:
            return _choose(request, "Choose a file.")
        if not upload.whole:
            return _choose(request, f"The file is larger than {LARGEST_MANIFEST // 1024**2} MB.")
        suffix = os.path.splitext(upload.name)[1].lower()  # noqa: PTH122 - a name, no path of ours
        if suffix not in READERS:
            return _choose(
                request,
                f"A manifest can't be read from {suffix or 'a file without suffix'!r}. "
                "Save it as .xlsx or CSV UTF-8.",
            )
        try:
            chosen = await asyncio.to_thread(keep_manifest, web, upload)
        except OSError as error:
            raise HTTPException(507, f"The file can't be saved: {error.strerror}.") from None
    return Response(status_code=204, headers={"HX-Redirect": f"/manifests/{chosen.token}"})


def _chosen(request: Request) -> Chosen:
    """Return the manifest that an address names, or raise a 404."""
    found = find_chosen(web_context_of(request), request.path_params["token"])
    if found is None:
        raise HTTPException(404, "This manifest is no longer here: choose it again.")
    return found


async def _plan(request: Request) -> Response:
    """Show a manifest: the page at once, its plan once it is read."""
    chosen, query = _chosen(request), request.query_params
    if not {"part", "figures"} & query.keys():
        return render(request, "manifest.html", chosen=chosen)
    return await _planned(request, chosen, Form(dict(query) if "figures" in query else {}))


async def _plan_anew(request: Request) -> Response:
    """Plan again by what a form says about the batch or how the file is read."""
    chosen = _chosen(request)
    async with received(request, web_context_of(request).manifest_folder) as form:
        pass
    return await _planned(request, chosen, form)


async def _planned(request: Request, chosen: Chosen, form: Form) -> Response:
    try:
        start_form = await _understood(request, chosen, form)
        planned = await planner_of(request).plan(chosen, start_form)
    except (ManifestError, EngineError, SettingsError) as error:
        return await _refused(request, chosen, form, error)
    if "figures" in request.query_params:
        return render(request, "_plan_figures.html", alone=True, **_figures(planned))
    return await _form(request, chosen, planned, form)


async def _understood(request: Request, chosen: Chosen, form: Form) -> StartForm:
    """Read what a plan depends on from a form."""
    options, _ = read_plan_options(form)
    return StartForm(options, await planner_of(request).spoken(chosen, form, options.name))


async def _refused(request: Request, chosen: Chosen, form: Form, error: Exception) -> Response:
    """Show why there is no plan, with the fields that may help."""
    shown: dict[str, Any] = {"fields": None}
    if isinstance(error, ManifestError) and not isinstance(error, UnreadableError):
        problem = error.problem
        asked = () if problem.column is None else (problem.column,)
        told = [problem.problem, problem.remedy]
        shown = await _fields(request, chosen, form, asked=asked, told=told)
    again = web_context_of(request).form_tokens.knows(form.text("token"))
    return render(
        request,
        "_plan_refused.html",
        headers={"HX-Retarget": "#plan", "HX-Reswap": "innerHTML show:window:top"},
        chosen=chosen,
        problem=getattr(error, "problem", None),
        text=message(error),
        form=form if again else Form(form.fields | {"token": ""}),
        **shown,
    )


async def _fields(request: Request, chosen: Chosen, form: Form, **found: Any) -> dict[str, Any]:
    """Return the fields that say how a file is read."""
    try:
        name = read_plan_options(form)[0].name
        looked = await planner_of(request).looked(chosen, form, name)
        database = web_context_of(request).settings.database
        fields = await asyncio.to_thread(
            fields_of, looked, form, folders=lambda: picture_folders(database), **found
        )
    except ManifestError:  # its text can't be read, or it is not a table
        fields = await asyncio.to_thread(unread_fields, chosen.path, form, found.get("told", ()))
    return {"fields": fields, "ours": tuple(SYNONYMS)}


def _figures(planned: Planned, *, focus: bool = False) -> dict[str, Any]:
    """Return what the figures and the button show."""
    plan = planned.plan
    return {
        "planned": planned,
        "focus": focus,
        "plan": plan,
        "source_of": lambda kind: _SOURCES[price_source(plan, kind)],
        "kind_words": kind_text,
        "cost_words": lambda kinds: planned.plan.cost(kinds).text,
        "waiting": list(messages.waiting(plan.waiting, plan.batch)),
        "button": _button(planned),
        "agreed": "/".join(
            map(str, (planned.jobs, *planned.cost, planned.read_as, planned.sha256))
        ),
    }


_SOURCES: Final = {
    "paid": "last paid",
    "set": "set by you",
    "announced": "announced",
    None: "learned from the first video",
}


def _button(planned: Planned) -> str:
    """Return the button's text, with the cost."""
    if not planned.jobs:
        return "Start: nothing left to buy"
    jobs = f"{planned.jobs} job{'' if planned.jobs == 1 else 's'}"
    if planned.cost.unpriced == planned.jobs:
        return f"Start: {jobs}, at the price learned from the first video"
    return f"Start: {jobs} for {planned.cost.text}"


async def _form(
    request: Request,
    chosen: Chosen,
    planned: Planned,
    form: Form,
    problems: dict[str, str] | None = None,
    notice: str = "",
) -> Response:
    """Show the plan with its form; with mistakes, the form alone."""
    form_tokens, again = web_context_of(request).form_tokens, bool(problems or notice)
    plan = planned.plan
    fields = await _fields(
        request,
        chosen,
        form,
        taken={header: name for name, header in plan.mapped.ours},
        asked=planned.misspelt,
        told=[*plan.warnings, *{problem.remedy for problem in plan.problems}],
    )
    token = form.text("token")
    return render(
        request,
        "_plan_form.html" if again else "_plan.html",
        status_code=422 if again else 200,
        chosen=chosen,
        form=form,
        problems=problems or {},
        first=next(iter(problems or {}), None),
        notice=notice,
        token=token if form_tokens.knows(token) else form_tokens.token(),
        goes_on=web_context_of(request).goes_on(),
        campaigns=list(plan.campaigns)[:MOST_CAMPAIGNS],
        usual_in_flight=RunOptions().max_in_flight,
        **fields,
        chunk=CHUNK,
        after=0,
        alone=False,
        wrong=plan.problems[:CHUNK],
        total=len(plan.problems),
        **_figures(planned, focus=form.text("from_refused") == "yes"),
    )


async def _problems(request: Request) -> Response:
    """Show the next problems of the rows."""
    chosen, text = _chosen(request), request.query_params.get("after", "")
    async with received(request, web_context_of(request).manifest_folder) as form:
        pass
    after = int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else 0  # noqa: PLR2004
    try:
        start_form = await _understood(request, chosen, form)
        found = await planner_of(request).problems(chosen, start_form)
    except (ManifestError, EngineError) as error:
        return refused(error)
    return render(
        request,
        "_plan_problems.html",
        chosen=chosen,
        wrong=found[after : after + CHUNK],
        total=len(found),
        after=after,
        chunk=CHUNK,
    )


async def _start(request: Request) -> Response:
    """Start a manifest, at the price on its button."""
    web, chosen = web_context_of(request), _chosen(request)
    form_tokens = web.form_tokens
    async with received(request, web.manifest_folder) as form:
        pass
    token = form.text("token")
    if (address := form_tokens.came(token)) is not None:
        return done("Already started.", go=address)
    try:
        start_form = await _understood(request, chosen, form)
        planned = await planner_of(request).plan(chosen, start_form)
    except (ManifestError, EngineError) as error:
        return refused(error)
    runs = web.goes_on()
    start_form, problems = read_form(form, planned, start_form.said, runs=runs)
    if problems:
        return await _form(request, chosen, planned, form, problems)
    notice, agreed = "", form.text("agreed")
    if agreed.rpartition("/")[2] != planned.sha256:
        notice = f"The file has changed since: {_button(planned)}. Press again to confirm."
    elif agreed != _figures(planned)["agreed"]:
        notice = f"The plan has changed since: {_button(planned)}. Press again to confirm."
    elif not form_tokens.knows(token):
        notice = "The server was restarted: check the form, and send it again."
    if notice:
        return await _form(request, chosen, planned, form, notice=notice)
    if runs:
        return await _hand_over(web, chosen, planned, start_form)
    # a second click may have come while the plan was made; from here on nothing is awaited
    if (address := form_tokens.came(token)) is None:
        name = start_form.options.name or planned.plan.batch
        address = f"/manifests/{chosen.token}/started/"
        address += started_run(
            web, start_form.command(chosen.path, planned.sha256, web.download), name
        )
        form_tokens.used(token, address)
    return done(f"Started: {_button(planned).partition(': ')[2]}.", go=address)


async def _hand_over(
    web: WebContext, chosen: Chosen, planned: Planned, start_form: StartForm
) -> Response:
    source = Source(chosen.path, reading_of(start_form.said), sha256=planned.sha256)
    try:
        batch, lines = await asyncio.to_thread(hand_over, web, source, start_form)
    except (SettingsError, ManifestError, InvalidRowsError, EngineError, ProviderError) as error:
        return refused(error)
    return done("; ".join(lines), go=f"/batches/{batch}")


async def _started(request: Request) -> Response:
    """Wait until a process has loaded its batch, then go to the batch's page."""
    web, chosen = web_context_of(request), _chosen(request)
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


routes = [
    Route("/manifests/new", _new, name="manifests"),
    Route("/manifests", _take, methods=["POST"]),
    Route("/manifests/{token:str}", _plan),
    Route("/manifests/{token:str}/plan", _plan_anew, methods=["POST"]),
    Route("/manifests/{token:str}/problems", _problems, methods=["GET", "POST"]),
    Route("/manifests/{token:str}/start", _start, methods=["POST"]),
    Route("/manifests/{token:str}/started/{started:str}", _started),
]
