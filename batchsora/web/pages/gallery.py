"""The videos of a batch: a grid with a player, ratings, buying again, a zip and a contact sheet.

Files, posters and thumbnails are served only if the database names them and they are there as
recorded, and never with a type that a browser would run. Starlette's FileResponse serves ranges.
"""

import stat
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from batchsora.names import safe_name
from batchsora.presentation.cost import cost_of_jobs
from batchsora.usecases import retry_cancel_abandon
from batchsora.web.answers import (
    PageInterface,
    asked,
    batch_of,
    done,
    job_of,
    refused,
    render,
    usd,
    web_context_of,
)
from batchsora.web.pages.batches import filter_of, model_in, models_of, number_of
from batchsora.web.web_context import WebContext
from jobs.model.errors import NotAllowedError
from jobs.model.states import JobState
from jobs.ports.seen import FileRow
from jobs.ports.selection import NONE, Filter, Shelf, Verdict

FOREVER: Final = "private, max-age=31536000, immutable"
"""What a content has once it has always: its address names an attempt, or an image by its hash."""

PLACEHOLDER: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 160">'
    '<rect width="90" height="160" fill="#8590a0"/>'
    '<path d="M36 66v28l24-14z" fill="#fff"/></svg>'
)


def artifact_of(request: Request) -> FileRow:
    """Return the file that an address names, or raise 404; 410 if it is gone, or another one."""
    number = request.path_params["attempt"]
    found = web_context_of(request).store().loading.file_of(number)
    if found is None:
        raise HTTPException(404, "This attempt has no file.")
    path = Path(found.path)
    if (link := link_of(path, web_context_of(request).download)) is not None:
        raise HTTPException(410, f"{link} is a link, which is not followed: move it away.")
    try:
        seen = path.lstat()
    except OSError:
        raise HTTPException(410, "The file is gone: 'batchsora download' gets it again.") from None
    if not stat.S_ISREG(seen.st_mode) or seen.st_size != found.bytes:
        raise HTTPException(410, "The file is not the one that was downloaded.")
    return found


def link_of(path: Path, folder: Path) -> Path | None:
    """Return the link by which a video's file would lead elsewhere; None where there is none.

    The folder of videos alone may be a link, to a larger disk.
    """
    for one in (path, path.parent):
        if one != folder.absolute() and one.is_symlink():
            return one
    return None


async def _video(request: Request) -> Response:
    found = artifact_of(request)
    name = safe_name(found.key) + ".mp4"
    return FileResponse(
        found.path,
        media_type="video/mp4",
        filename=name,
        content_disposition_type="attachment" if "download" in request.query_params else "inline",
        headers={"Cache-Control": FOREVER, "ETag": f'"{found.sha256}"'},
    )


async def _poster(request: Request) -> Response:
    try:
        found = artifact_of(request)
    except HTTPException:
        return _placeholder()
    return _picture(await web_context_of(request).pictures.poster(Path(found.path), found.sha256))


async def _thumb(request: Request) -> Response:
    image = job_of(request).image or {}
    if not image.get("path") or not image.get("sha256"):
        return _placeholder()  # the page fetches nothing from elsewhere
    return _picture(
        await web_context_of(request).pictures.thumbnail(Path(image["path"]), image["sha256"])
    )


def _picture(path: Path | None) -> Response:
    if path is None:
        return _placeholder()
    return FileResponse(path, media_type="image/jpeg", headers={"Cache-Control": FOREVER})


def _placeholder() -> Response:
    headers = {"Cache-Control": "no-cache"}
    return Response(PLACEHOLDER, media_type="image/svg+xml", headers=headers)


PAGE: Final = 60  # videos on a page
SHEET: Final = 600  # videos on a contact sheet
CHUNK: Final = 500  # jobs that are read at a time for a zip


def shelf_of(query: Mapping[str, str]) -> Shelf:
    """Read from an address which videos are meant."""
    which = filter_of(query)
    verdict = query.get("verdict", "")
    return Shelf(
        Filter(campaigns=which.campaigns, search=which.search, made_by=which.made_by),
        verdict if verdict in (*Verdict, NONE) else "",
        query.get("order") == "row",
    )


def address(batch_id: int, shelf: Shelf, page: int = 1, what: str = "gallery") -> str:
    """Return the address of some videos of a batch."""
    said = {
        "verdict": shelf.verdict,
        "campaign": ",".join(shelf.which.campaigns),
        "model": model_in(shelf.which),
        "q": shelf.which.search,
        "order": "row" if shelf.by_row else "",
        "page": str(page) if page > 1 else "",
    }
    query = urlencode({name: value for name, value in said.items() if value})
    return f"/batches/{batch_id}/{what}" + (f"?{query}" if query else "")


async def _gallery(request: Request) -> Response:
    web, batch, query = web_context_of(request), batch_of(request), request.query_params
    shelf = shelf_of(query)
    if query.get("part") == "new":
        since = _moment(query.get("since", ""))
        count = web.queries.videos_since(batch.id, shelf, since) if since else 0
        return render(request, "_gallery_new.html", count=count, address=address(batch.id, shelf))
    page = max(1, number_of(query, "page") or 1)

    with web.queries.snapshot() as seen:
        found = seen.videos(batch.id, shelf, PAGE + 1, (page - 1) * PAGE)
        videos = found[:PAGE]
        verdicts = seen.verdicts([job.attempt_id for job in videos if job.attempt_id])
        status = seen.status(batch)
    newest = max((job.completed_at for job in videos if job.completed_at), default=None)
    return render(
        request,
        "gallery.html",
        batch=batch,
        shelf=shelf,
        number=page,
        newest=newest if page == 1 and not shelf.by_row else None,
        address=lambda page=1, what="gallery": address(batch.id, shelf, page, what),
        videos=videos,
        more=len(found) > PAGE,
        verdicts=verdicts,
        status=status,
        models=models_of(web, batch.id),
        model=model_in(shelf.which),
    )


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


async def _judge(request: Request) -> Response:
    web, job = web_context_of(request), job_of(request)
    form = await request.form(max_files=0, max_fields=3)
    said = str(form.get("verdict", ""))
    attempt = job.attempt_id
    if job.state != JobState.COMPLETED or attempt is None or said not in (*Verdict, NONE):
        return refused(NotAllowedError("this job has no video to rate"))
    verdict = None if said == NONE else Verdict(said)
    now = web.clock.now()
    await web.with_store(lambda store: store.control.judge(attempt, verdict, now))
    words = {None: "is no longer rated", Verdict.FAVOURITE: "is a favourite"}
    return done(f"{job.key} {words.get(verdict, 'is rejected')}")


async def _ask_redo(request: Request) -> Response:
    """Ask, with what another attempt costs and what the budget leaves."""
    web, job = web_context_of(request), job_of(request)
    with web.queries.snapshot() as seen:
        cost = cost_of_jobs([job], seen.prices())
        (batch,) = seen.batches(job.batch)
        money = seen.status(batch).money
    room = "there is no budget"
    if money.free is not None:
        room = f"the budget leaves {usd(money.free)}"
    lines = [f"The present video stays in its history; {room}."]
    possible = job.state == JobState.COMPLETED
    question = f"Buy {job.key} again for {cost.text}?"
    return asked(request, question, lines, "Buy it again", possible=possible)


async def _redo(request: Request) -> Response:
    web, job, said = web_context_of(request), job_of(request), PageInterface()
    if not await web.with_store(
        lambda store: retry_cancel_abandon.redo(job, web.settings, store, said, web.clock)
    ):
        return refused(
            NotAllowedError(f"{job.key} is not completed, so there is nothing to buy again")
        )
    return done(" ".join(said.lines))


async def _zip(request: Request) -> Response:
    """Stream the videos as they are on disk, neither compressed nor held in memory."""
    from zipstream import ZipStream  # type: ignore[import-untyped] # noqa: PLC0415 - as asked

    web, batch = web_context_of(request), batch_of(request)
    shelf = shelf_of(request.query_params)
    archive = ZipStream()
    for name, path in _files(web, batch.id, shelf):
        archive.add_path(path, name)
    name = safe_name(batch.name).encode("ascii", "replace").decode().replace("?", "_")
    return StreamingResponse(
        iter(archive),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}.zip"'},
    )


def _files(web: WebContext, batch_id: int, shelf: Shelf) -> Iterable[tuple[str, Path]]:
    """Yield the files that are there, each with a name of its own."""
    offset = 0
    while True:
        found = web.queries.videos(batch_id, shelf, CHUNK, offset)
        for job in found:
            path = Path(job.file or "")
            if path.is_file() and link_of(path, web.download) is None:
                yield f"{safe_name(job.key)}.mp4", path
        if len(found) < CHUNK:
            return
        offset += CHUNK


async def _sheet(request: Request) -> Response:
    web, batch = web_context_of(request), batch_of(request)
    shelf = shelf_of(request.query_params)
    found = web.queries.videos(batch.id, shelf, SHEET)
    return render(request, "contact_sheet.html", batch=batch, videos=found)


routes = [
    Route("/files/{attempt:int}", _video),
    Route("/posters/{attempt:int}.jpg", _poster),
    Route("/thumbs/{job:int}.jpg", _thumb),
    Route("/batches/{batch:int}/gallery", _gallery, name="gallery"),
    Route("/batches/{batch:int}/videos.zip", _zip),
    Route("/batches/{batch:int}/contact-sheet", _sheet),
    Route("/jobs/{job:int}/verdict", _judge, methods=["POST"]),
    Route("/jobs/{job:int}/redo", _ask_redo),
    Route("/jobs/{job:int}/redo", _redo, methods=["POST"]),
]
