"""Download a finished video, named by its id, its address or its generation.

The file's server never sees the token, and its answers are checked (:mod:`batchsora.fetch`).
"""

import os
import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import httpx

from batchsora.fetch import FetchError, fetch_video
from batchsora.names import safe_name, sanitized
from batchsora.providers.runblob import errors
from batchsora.providers.runblob.models import GenerationCreated, GenerationInfo, Named

Progress = Callable[[int, int | None], object]
"""Told the bytes that are here, and those of the whole file, None while nobody knows."""

Look = Callable[[str], Awaitable[GenerationInfo]]
"""From an id to the generation as it is now."""

Sleep = Callable[[float], Awaitable[object]]
"""Lets that many seconds pass."""

PAUSES: Final = (1.0, 4.0, 10.0)
"""Seconds between the tries of one address; each resumes where the one before broke off."""

_TOTAL = re.compile(r"(?:bytes .*/)?(\d{1,18})")
_PASSING = (408, 425, 429)
_SERVER_ERRORS = 500


async def save_video(
    video: Named,
    path: str | os.PathLike[str],
    *,
    look: Look,
    transport: httpx.AsyncBaseTransport,
    timeout: httpx.Timeout,  # noqa: ASYNC109 - of httpx, for a connection and for silence
    sleep: Sleep,
    progress: Progress | None,
    allow_private: bool,
) -> Path:
    """Download a video, whole or not at all.

    Args:
        path: of the file, or of a folder.
        look: reads a generation, for an address or a fresh one.
        transport: of HTTP; stays open.
        timeout: of one request.
        allow_private: also accept loopback and private addresses.

    Raises:
        DownloadError: it could not be fetched.
        StillRunningError: it is not finished.
        GenerationFailedError: there is none.
        OSError: it can't be written.
    """
    generation_id, url = _named(video)
    if url is None:
        url = await _address(generation_id, look)
    target = _target(path, _name(url) if generation_id is None else _own_name(generation_id))
    pauses, renewed = iter(PAUSES), False
    while True:
        seen = _Seen(transport)
        tell = None if progress is None else partial(_tell, progress, seen)
        try:
            async with httpx.AsyncClient(transport=seen, timeout=timeout) as http:
                fetched = await fetch_video(
                    http, url, target, allow_private=allow_private, progress=tell
                )
        except FetchError as error:
            problem = error
        else:
            return fetched.path
        pause = next(pauses, None) if seen.may_pass(problem) else None
        if pause is not None:
            await sleep(pause)
            continue
        # once, whatever the address answered
        url = await _fresh(None if renewed else generation_id, url, look, problem)
        renewed = True


class _Seen(httpx.AsyncBaseTransport):
    """A transport that remembers the server's last answer; closing it closes nothing."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self._status = 0
        self.total: int | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._status, self.total = 0, None
        response = await self._inner.handle_async_request(request)
        self._status = response.status_code
        partial_content = self._status == 206  # noqa: PLR2004 - part of the file
        name = "content-range" if partial_content else "content-length"
        match = _TOTAL.fullmatch(response.headers.get(name, "").strip())
        self.total = int(match[1]) if match else None
        return response

    def may_pass(self, error: FetchError) -> bool:
        """Check whether to try again: the connection broke, or the server was at fault."""
        if isinstance(error.__cause__, httpx.TransportError | TimeoutError):
            return True
        return self._status in _PASSING or self._status >= _SERVER_ERRORS


def _tell(progress: Progress, seen: _Seen, done: int) -> None:
    progress(done, seen.total)


def _named(video: Named) -> tuple[str | None, str | None]:
    """Distinguish an id from an address."""
    if isinstance(video, GenerationInfo):
        return video.generation_id, video.video_url
    if isinstance(video, GenerationCreated):
        return video.generation_id, None
    if video.lower().startswith(("http://", "https://")):
        return None, video
    return video, None


async def _address(generation_id: str | None, look: Look) -> str:
    """Ask the API for a video's address."""
    if generation_id is None:
        raise errors.DownloadError("there is nothing to fetch: neither an address nor an id")
    info = await look(generation_id)
    if info.video_url is not None:
        return info.video_url
    if info.status == "failed":
        raise errors.GenerationFailedError(info)
    if info.status == "completed":
        raise errors.DownloadError(f"the API gives no address for the video of {generation_id}")
    raise errors.StillRunningError(generation_id, info)


async def _fresh(generation_id: str | None, old: str, look: Look, problem: FetchError) -> str:
    """Ask the API for another address than the old one."""
    message = f"the video can't be fetched: {problem}"
    if generation_id is None:
        raise errors.DownloadError(message) from problem
    try:
        url = await _address(generation_id, look)
    except errors.RunBlobError as error:
        raise errors.DownloadError(
            f"{message}; asking the API for a fresh one failed: {error}"
        ) from problem
    if url == old:
        raise errors.DownloadError(message) from problem
    return url


def _name(url: str) -> str:
    """Name a file after its address."""
    last = unquote(urlsplit(url).path).rpartition("/")[2]
    return safe_name(last.removesuffix(".mp4"))


def _own_name(generation_id: str) -> str:
    """Name a file after its generation; an id that can't be a name everywhere gets another one."""
    # a colon (``veo:6f9a``) names a stream of another file on Windows
    is_name = sanitized(generation_id) == generation_id
    return generation_id if is_name else safe_name(generation_id)


def _target(path: str | os.PathLike[str], stem: str) -> Path:
    """Choose the file, and make its folder."""
    given = Path(path)
    if given.is_dir() or os.fspath(path).endswith("/"):
        given = given / f"{stem}.mp4"
    given.parent.mkdir(parents=True, exist_ok=True)
    return given
