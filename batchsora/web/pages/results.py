"""The results of a batch as files for the browser: tables, and the report."""

import asyncio
import subprocess
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from batchsora.composition.databases import existing_store, made_side_folder
from batchsora.names import safe_name
from batchsora.presentation.errors import message
from batchsora.presentation.terminal_text import clean
from batchsora.tables import TableError
from batchsora.usecases.exports import export
from batchsora.web.answers import batch_of, web_context_of
from batchsora.web.web_context import WebContext
from jobs.model.errors import EngineError
from jobs.ports.seen import BatchRow

TYPES: Final = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}
LONGEST: Final = 300.0  # seconds that a report may take: it makes a picture of each video


def _target(web: WebContext, batch: BatchRow, suffix: str) -> Path:
    """Return where the page keeps its last export of a batch."""
    folder = made_side_folder(web.settings.database, "exports")
    return folder / f"{batch.id}.{suffix}"


def _sent(path: Path, batch: BatchRow, name: str, kind: str) -> Response:
    headers = {"Cache-Control": "no-store"}
    return FileResponse(
        path, media_type=kind, filename=f"{safe_name(batch.name)}-{name}", headers=headers
    )


async def _results(request: Request) -> Response:
    """Send the results beside their rows: in a copy of the manifest where it is a workbook."""
    web, batch = web_context_of(request), batch_of(request)
    suffix = request.path_params["suffix"]
    if suffix not in TYPES:
        raise HTTPException(404, "Results come as .xlsx or .csv.")
    target = _target(web, batch, suffix)
    near = web.download.absolute().parent  # as an export in the folder of the page would name them

    def work() -> None:
        # a store of its own: other pages' changes don't wait until all rows are written
        with existing_store(web.settings.database) as store:
            export(store, target, batch.name, near=near)

    async with web.working:
        try:
            await asyncio.to_thread(work)
        except (TableError, EngineError) as error:
            raise HTTPException(409, clean(message(error))) from error
        return _sent(target, batch, f"results.{suffix}", TYPES[suffix])


async def _report(request: Request) -> Response:
    """Send the report, which a process of its own writes: it makes a picture of each video."""
    web, batch = web_context_of(request), batch_of(request)
    target = _target(web, batch, "html")
    words = ["report", "--batch", batch.name, "--output", str(target)]
    async with web.working:
        try:
            started = web.launcher.start(words, "report")
            code = await asyncio.to_thread(started.process.wait, LONGEST)
        except OSError as error:
            raise HTTPException(507, f"No process can be started ({error.strerror}).") from None
        except subprocess.TimeoutExpired:
            started.process.kill()
            raise HTTPException(
                503, "The report took too long. 'batchsora report' writes it."
            ) from None
        if code:
            raise HTTPException(409, clean(started.said().strip()) or "The report was not written.")
        return _sent(target, batch, "report.html", "text/html; charset=utf-8")


routes = [
    Route("/batches/{batch:int}/results.{suffix}", _results),
    Route("/batches/{batch:int}/report.html", _report),
]
