"""Manifests: choosing one, its plan, and starting what it asks for."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchsora.manifest.errors import ManifestError, UnreadableError
from batchsora.manifest.images.picture_paths import NOT_FOUND
from batchsora.manifest.read import READERS
from batchsora.manifest.rows.headers import NAMES
from batchsora.options import RunOptions
from batchsora.presentation import messages
from batchsora.presentation.errors import message
from batchsora.presentation.request_words import kind_text
from batchsora.settings import SettingsError
from batchsora.usecases.plan import price_source
from batchsora.web.answers import plural, refused, render, web_context_of
from batchsora.web.dropped import (
    LARGEST_FORM,
    LARGEST_PICTURE,
    MB,
    PICTURES,
    ZIP,
    DropError,
    sorted_out,
)
from batchsora.web.kept_manifests import (
    Chosen,
    beside,
    find_chosen,
    keep_manifest,
    token_beside,
)
from batchsora.web.planning import Planned, StartForm, planner_of
from batchsora.web.reading_fields import fields_of, unread_fields
from batchsora.web.starting import read_plan_options
from batchsora.web.uploads import Form, received
from batchsora.web.written_fields import picture_folders
from jobs.model.errors import EngineError

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
        accepts=",".join((*READERS, *PICTURES, ZIP)),
        largest=LARGEST_FORM // MB,
        largest_picture=LARGEST_PICTURE // MB,
    )


async def _take(request: Request) -> Response:
    """Keep an uploaded manifest with its pictures, and go to its plan."""
    try:
        chosen, _ = await _kept(request)
    except DropError as error:
        return _choose(request, str(error))
    return Response(status_code=204, headers={"HX-Redirect": f"/manifests/{chosen.token}"})


async def _kept(request: Request, before: Chosen | None = None) -> tuple[Chosen, Form]:
    """Keep what a form brings: a manifest and pictures, or pictures for one that is here.

    Returns the manifest, and the form, whose files are gone.

    Raises:
        DropError: it can't be used.
        HTTPException: 507 there is no room.
    """
    web = web_context_of(request)
    folder = web.manifest_folder
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as unpacked:
        async with received(request, folder, several={"file": LARGEST_FORM}) as form:

            def work() -> Chosen:
                dropped = sorted_out(form.several.get("file", ()), Path(unpacked))
                if before is not None and dropped.table is not None:
                    raise DropError("Only pictures can be added. Load another table by itself.")
                if dropped.table is None and not dropped.pictures and dropped.aside:
                    raise DropError(_unusable(dropped.aside))
                chosen = keep_manifest(web, dropped, before)
                planner_of(request).left_aside(chosen, dropped.aside)
                return chosen

            try:
                return await asyncio.to_thread(work), form
            except OSError as error:
                raise HTTPException(507, f"The file can't be saved: {error.strerror}.") from None


async def _add_pictures(request: Request) -> Response:
    """Add pictures to a manifest, and show its plan again, as the form says."""
    try:
        chosen, form = await _kept(request, chosen_of(request))
    except DropError as error:
        return Response(str(error), 409, media_type="text/plain")
    response = await _planned(request, chosen, form)
    response.headers["HX-Replace-Url"] = f"/manifests/{chosen.token}"
    return response


def _unusable(aside: list[str]) -> str:
    return f"Nothing of this can be read: {'; '.join(aside[:3])}. Save the table as .xlsx or CSV."


def chosen_of(request: Request) -> Chosen:
    """Return the manifest that an address names, or raise a 404."""
    found = find_chosen(web_context_of(request), request.path_params["token"])
    if found is None:
        raise HTTPException(404, "This manifest is no longer here: choose it again.")
    return found


async def _plan(request: Request) -> Response:
    """Show a manifest: the page at once, its plan once it is read."""
    chosen, query = chosen_of(request), request.query_params
    if not {"part", "figures"} & query.keys():
        return render(request, "manifest.html", chosen=chosen)
    before = planner_of(request).remembered(chosen)
    return await _planned(request, chosen, Form(dict(query)) if "figures" in query else before)


async def _plan_anew(request: Request) -> Response:
    """Plan again by what a form says about the batch or how the file is read."""
    chosen = chosen_of(request)
    async with received(request, web_context_of(request).manifest_folder) as form:
        pass
    return await _planned(request, chosen, form)


async def _planned(request: Request, chosen: Chosen, form: Form) -> Response:
    try:
        start_form = await understood(request, chosen, form)
        planned = await planner_of(request).plan(chosen, start_form)
    except (ManifestError, EngineError, SettingsError) as error:
        return await _refused(request, chosen, form, error)
    if "figures" in request.query_params:
        return render(request, "_plan_figures.html", alone=True, **figures_of(planned))
    return await shown_form(request, chosen, planned, form)


async def understood(request: Request, chosen: Chosen, form: Form) -> StartForm:
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
    return {"fields": fields, "ours": tuple(NAMES)}


def figures_of(planned: Planned, *, focus: bool = False) -> dict[str, Any]:
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
        "button": button_of(planned),
        "agreed": "/".join(
            map(str, (planned.jobs, *planned.cost, planned.read_as, planned.sha256))
        ),
    }


_SOURCES: Final = {
    "paid": "last paid",
    "rehearsed": "of the rehearsal",
    "set": "set by you",
    "announced": "announced",
    None: "learned from the first video",
}


def button_of(planned: Planned) -> str:
    """Return the button's text, with the cost."""
    if not planned.jobs:
        return "Nothing left to buy"
    videos = plural(planned.jobs, "video")
    if planned.cost.unpriced == planned.jobs:
        return f"Buy {videos} at the price learned from the first one"
    return f"Buy {videos} for {planned.cost.text}"


_FORM_ALONE: Final = {"HX-Retarget": "#start-form", "HX-Reswap": "outerHTML"}
"""A form with mistakes takes its own place, whatever asked for it."""


async def shown_form(
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
        wrong=plan.problems,
    )
    token = form.text("token")
    return render(
        request,
        "_plan_form.html" if again else "_plan.html",
        status_code=422 if again else 200,
        headers=_FORM_ALONE if again else None,
        chosen=chosen,
        form=form,
        problems=problems or {},
        first=next(iter(problems or {}), None),
        notice=notice,
        token=token if form_tokens.knows(token) else form_tokens.token(),
        goes_on=web_context_of(request).goes_on(),
        campaigns=list(plan.campaigns)[:MOST_CAMPAIGNS],
        usual_in_flight=RunOptions().max_in_flight,
        **_pictures(request, chosen, planned),
        **fields,
        chunk=CHUNK,
        after=0,
        alone=False,
        wrong=plan.problems[:CHUNK],
        total=len(plan.problems),
        **figures_of(planned, focus=form.text("from_refused") == "yes"),
    )


def _pictures(request: Request, chosen: Chosen, planned: Planned) -> dict[str, Any]:
    """Return what is shown of the pictures that came with a manifest."""
    headers = {header for name, header in planned.plan.mapped.ours if name == "image"}
    return {
        "aside": planner_of(request).aside(chosen),
        "missing": [
            problem
            for problem in planned.plan.problems
            if problem.column in headers and problem.problem.startswith(NOT_FOUND)
        ],
        "wants_pictures": bool(headers),
        "accepts_pictures": ",".join((*PICTURES, ZIP)),
        "largest": LARGEST_FORM // MB,
    }


async def _problems(request: Request) -> Response:
    """Show the next problems of the rows."""
    chosen, text = chosen_of(request), request.query_params.get("after", "")
    async with received(request, web_context_of(request).manifest_folder) as form:
        pass
    after = int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else 0  # noqa: PLR2004
    try:
        start_form = await understood(request, chosen, form)
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


routes = [
    Route("/manifests/new", _new, name="manifests"),
    Route("/manifests", _take, methods=["POST"]),
    Route("/manifests/{token:str}", _plan),
    Route("/manifests/{token:str}/plan", _plan_anew, methods=["POST"]),
    Route("/manifests/{token:str}/problems", _problems, methods=["GET", "POST"]),
    Route("/manifests/{token:str}/pictures", _add_pictures, methods=["POST"]),
]
