"""The videos that an unconfirmed attempt may have become, to look at before a person decides.

Nothing is asked of the provider before somebody presses play, and the browser never goes there: the
page fetches the video, as a download does, and serves it itself.
"""

import asyncio
import hashlib
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from batchsora.composition.databases import made_side_folder
from batchsora.composition.ownership import Endpoint
from batchsora.composition.session import ask, endpoint
from batchsora.download import fresh_address
from batchsora.fetch import FetchError, fetch_video
from batchsora.presentation.errors import message
from batchsora.presentation.terminal_text import clean
from batchsora.settings import Settings, SettingsError
from batchsora.usecases.run import FILE_TIMEOUT, file_client
from batchsora.web.answers import job_of, web_context_of
from jobs.model.provider import Provider, ProviderError

LARGEST: Final = 256 * 1024**2  # bytes of a candidate's video
MOST_KEPT: Final = 20  # files of candidates that stay on this machine


async def _video(request: Request) -> Response:
    """Send the video of a generation that the job's last attempt may be, and of no other."""
    web, job = web_context_of(request), job_of(request)
    wanted = request.query_params.get("generation", "")
    attempts = web.queries.attempts_of(job.id)
    known = [one["generation_id"] for one in (attempts[-1].candidates or [] if attempts else [])]
    if wanted not in known:
        raise HTTPException(404, "This is not a candidate of the job any more.")
    name = hashlib.sha256(wanted.encode()).hexdigest()[:32]
    target = made_side_folder(web.settings.database, "candidates") / f"{name}.mp4"
    async with web.fetching:
        if not target.is_file():
            try:
                await asyncio.to_thread(_fetch, web.settings, wanted, target)
            except (SettingsError, ProviderError, FetchError) as error:
                raise HTTPException(502, clean(message(error))) from error
            except OSError as error:
                raise HTTPException(
                    507, f"The video can't be saved: {error.strerror}. Free some space."
                ) from error
            finally:
                _forget_old(target.parent)
    return FileResponse(target, media_type="video/mp4", headers={"Cache-Control": "no-store"})


def _forget_old(folder: Path) -> None:
    """Remove all but the newest files, parts of videos among them: they can be fetched again."""
    found = sorted(folder.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)
    for one in found[MOST_KEPT:]:
        one.unlink(missing_ok=True)


def _fetch(settings: Settings, generation_id: str, target: Path) -> None:
    with endpoint(settings) as place:
        ask(place, lambda provider: _download(provider, place, generation_id, target))


async def _download(provider: Provider, place: Endpoint, generation_id: str, target: Path) -> None:
    address = await fresh_address(provider, generation_id)
    if address is None:
        raise FetchError("the provider shows no video of it")
    async with file_client(FILE_TIMEOUT) as http:
        await fetch_video(http, address, target, largest=LARGEST, allow_private=place.private_files)


routes = [Route("/jobs/{job:int}/candidate.mp4", _video)]
