"""Files for the browser: videos, their posters, thumbnails of start images.

Only what the database names, only if it is there as recorded, and never with a type that a browser
would run. Starlette's FileResponse serves ranges.
"""

import stat
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from batchsora.names import safe_name
from batchsora.web.answers import job_of, web_context_of
from jobs.ports.figures import FileRow

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


routes = [
    Route("/files/{attempt:int}", _video),
    Route("/posters/{attempt:int}.jpg", _poster),
    Route("/thumbs/{job:int}.jpg", _thumb),
]
