"""Buying a failed row again with another prompt."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchsora.manifest import values
from batchsora.manifest.errors import CellError
from batchsora.presentation.cost import cost_of_jobs
from batchsora.settings import SettingsError
from batchsora.usecases import retry_cancel_abandon
from batchsora.web.answers import PageInterface, done, job_of, refused, render, web_context_of
from batchsora.web.starting import in_words
from batchsora.web.uploads import received
from jobs.model.errors import EngineError
from jobs.model.states import JobState
from jobs.ports.selection import Wanted
from jobs.store import Store

SAME: Final = "This is the prompt that failed. Change it."


async def _ask(request: Request) -> Response:
    return _dialog(request, job_of(request).prompt, {})


def _dialog(request: Request, prompt: str, problems: Mapping[str, str]) -> Response:
    """Show the prompt in a field, with what another attempt costs and what the budget leaves."""
    web, job = web_context_of(request), job_of(request)
    with web.queries.snapshot() as seen:
        cost = cost_of_jobs([job], seen.prices())
        (batch,) = seen.batches(job.batch)
        money = seen.status(batch).money
        why_not = seen.may_be_retried([job.id]).get(job.id)
    return render(
        request,
        "_reword.html",
        status_code=422 if problems else 200,
        job=job,
        cost=cost.text,
        free=money.free,
        may=job.state == JobState.FAILED and why_not is None,
        file=(batch.reading or {}).get("path") is not None,
        prompt=prompt,
        longest=values.MODEL.longest_prompt,
        problems=problems,
    )


async def _reword(request: Request) -> Response:
    """Queue the row again with the prompt that was typed; its earlier attempts stay."""
    web, job = web_context_of(request), job_of(request)
    async with received(request, web.manifest_folder) as form:
        text, shown = form.text("prompt"), form.text("shown")
    problems: dict[str, str] = {}
    try:
        prompt = values.prompt(text)
        if prompt == job.prompt:
            problems["prompt"] = SAME
    except CellError as error:
        problems["prompt"] = in_words(error)
    if shown != str(job.attempts):
        problems["shown"] = "The job has changed since. Check it again."
    if problems:
        return _dialog(request, text, problems)
    said = PageInterface()

    def work(store: Store) -> None:
        wanted = Wanted(job.batch, keys=[f"#{job.id}"])
        retry_cancel_abandon.retry(
            wanted,
            web.settings,
            store,
            said,
            prompt=prompt,
            dry=False,
            consent=True,
            clock=web.clock,
        )

    try:
        await web.with_store(work)
    except (EngineError, SettingsError) as error:
        return refused(error)
    if not said.document["retried"]:  # another page was quicker; what was typed is not lost
        return _dialog(request, text, {"prompt": "; ".join(said.lines)})
    return done("; ".join([*said.lines, said.text]))


routes = [
    Route("/jobs/{job:int}/reword", _ask),
    Route("/jobs/{job:int}/reword", _reword, methods=["POST"]),
]
