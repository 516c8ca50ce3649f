"""The videos over HTTP, and callbacks: both leave the sandbox on this machine alone.

Videos come whole or in parts, and in all the ways of a file's server. Callbacks announce ends as
the provider does (docs/api.md); an address on another machine is accepted and never called.
"""

import asyncio
import gzip
import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import aiohttp
from aiohttp import web

from batchsora.sandbox.account import Made
from batchsora.sandbox.answers import answer, hang_up, send
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.manners import FILES
from batchsora.sandbox.mp4 import make_mp4
from batchsora.sandbox.world import World
from batchsora.settings import is_here
from jobs.model.clock import Clock

_FIRST: Final = {"free-first": "free", "wide-first": "wide", "moov-first": "moov"}


class _UntilClosed(web.StreamResponse):
    """A response without a length or chunks: it ends with the connection."""

    _length_check = False


class Files:
    """Serves the videos of a world."""

    def __init__(self, world: World, faults: Faults, now: Callable[[], datetime]) -> None:
        self._world = world
        self._faults = faults
        self._now = now
        self._downloads: dict[str, int] = {}
        self._used: dict[str, str] = {}

    async def video(self, request: web.Request) -> web.StreamResponse:
        """Send a video, or the part that is asked for."""
        item = self._world.find(request.match_info["id"])
        if item is None or item.phase(self._now()) != "completed":
            return web.Response(status=404)
        ways = self._world.manners.file
        word = self._refusal(request, item)
        if word is not None:
            return send(request, answer(word))
        first = next((_FIRST[way] for way in ways if way in _FIRST), "ftyp")
        content = make_mp4(item.id, item.orientation, item.duration, first)
        tag = f'"{item.id}"'
        # parts of what is packed would be parts of the packing
        asked = None if "gzip" in ways else _asked_range(request, len(content), tag)
        headers = {"Accept-Ranges": "bytes", "ETag": tag}
        status = 200
        part = content
        if asked is not None:
            if not asked:
                return web.Response(
                    status=416, headers={"Content-Range": f"bytes */{len(content)}"}
                )
            part = content[asked.start : asked.stop]
            status = 206
            total = "*" if "unknown-total" in ways else len(content)
            headers["Content-Range"] = f"bytes {asked.start}-{asked.stop - 1}/{total}"
        turn = self._downloads[item.id] = self._downloads.get(item.id, 0) + 1
        if self._faults.happens(self._faults.cut, self._world.seed, "cut", item.id, turn):
            return await _cut_off(request, part, status, headers)
        return await _whole(request, part, status, headers, ways)

    def _refusal(self, request: web.Request, item: Made) -> str | None:
        """Return the word of what is answered instead of the file."""
        manners = self._world.manners
        age = (self._now() - self._world.since).total_seconds()
        outage = manners.outage(age, "files")
        if outage is not None:
            return outage
        if manners.file and manners.file[0] not in FILES:
            return manners.file[0]
        expiry = manners.expiry
        if expiry is None:
            return None
        if expiry.after is None:
            used = self._used.setdefault(item.id, request.query_string)
            return expiry.answer if request.query_string == used else None
        shown = datetime.fromtimestamp(float(request.query.get("shown", "0")), UTC)
        return expiry.answer if (self._now() - shown).total_seconds() >= expiry.after else None


async def _whole(
    request: web.Request, part: bytes, status: int, headers: dict[str, str], ways: tuple[str, ...]
) -> web.StreamResponse:
    if "gzip" in ways:
        part = gzip.compress(part, mtime=0)
        headers["Content-Encoding"] = "gzip"
    kind = _UntilClosed if "no-length" in ways else web.StreamResponse
    response = kind(status=status, headers=headers)
    response.content_type = "video/mp4"
    if "no-length" in ways:
        response.force_close()
    elif "chunked" in ways:
        response.enable_chunked_encoding()
    else:
        response.content_length = len(part)
    await response.prepare(request)
    await response.write(part)
    await response.write_eof()
    return response


async def _cut_off(
    request: web.Request, part: bytes, status: int, headers: dict[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = len(part)
    response.content_type = "video/mp4"
    await response.prepare(request)
    await response.write(part[: len(part) // 2])
    return hang_up(request)


def _asked_range(request: web.Request, length: int, tag: str) -> range | None:
    """Return the bytes that are asked for; an empty range: none of them; None: the whole file.

    A Range that can't be read, or is for another version (``If-Range``), is ignored (RFC 9110,
    13.1.5 and 14.2).
    """
    try:
        asked = request.http_range
    except ValueError:
        return None
    if asked.start is None or request.headers.get("If-Range", tag) != tag:
        return None
    return range(*asked.indices(length))


log = logging.getLogger(__name__)

WAITS: Final = (30.0, 60.0, 120.0, 240.0)  # seconds of the provider's time between its five tries
PATIENCE: Final = 10.0  # seconds for one try


class Callbacks:
    """Announces the ends of generations to whoever asked for it; ``secret`` signs each body."""

    def __init__(self, world: World, clock: Clock, secret: str | None) -> None:
        self._world = world
        self._clock = clock
        self._secret = secret
        self._promised: set[str] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def promise(self, item: Made, address: object, files: str) -> None:
        """Announce a generation's end when it comes, once, on this machine alone."""
        if not isinstance(address, str) or not is_here(address) or item.id in self._promised:
            return
        self._promised.add(item.id)
        task = asyncio.create_task(self._announce(item, address, files))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self, app: web.Application) -> None:
        """Forget what is promised: callbacks are lost with a server that ends."""
        del app
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _announce(self, item: Made, address: str, files: str) -> None:
        while (left := item.takes - (self._clock.now() - item.created_at).total_seconds()) > 0:
            await self._clock.sleep(left)
        shown = self._world.view(item, self._clock.now(), files)
        # each family shows other fields; one that has nothing to say is left out
        told = {name: value for name, value in shown.items() if value is not None}
        body = json.dumps(told).encode()
        for wait in (*WAITS, None):
            if await self._call(address, body) or wait is None:
                return
            await self._clock.sleep(wait / self._world.time_scale)

    async def _call(self, address: str, body: bytes) -> bool:
        """Call once; return whether it was taken."""
        headers = {"Content-Type": "application/json"}
        if self._secret is not None:
            signature = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
            headers["X-RunBlob-Signature"] = signature
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE))
        try:
            async with self._session.post(
                address, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.ok
        except (aiohttp.ClientError, TimeoutError) as error:
            log.info("a callback was not taken: %s", error)
            return False
