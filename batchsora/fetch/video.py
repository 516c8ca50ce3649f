"""Fetch one video into a file: resumed where it broke off, renamed only when it is whole.

The server is not trusted: its length, range, version, redirects and pace are checked, and the
content must begin as an MP4, whatever its type. If the length is unknown, the file itself must show
that it is whole.
"""

import asyncio
import contextlib
import re
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import httpx

from batchsora._version import __version__
from batchsora.fetch.addresses import ADDRESSES, Resolve, public_addresses, system_addresses
from batchsora.fetch.pace import Pace
from batchsora.fetch.part import BLOCK, Fetched, FetchError, Part, beside

LARGEST_FILE: Final = 2 * 1024**3
MOST_REDIRECTS: Final = 5
LONGEST: Final = 1800.0
"""Seconds for one try: a trickle must not keep a run alive. The next try resumes it."""

_PASSING: Final = (408, 425, 429)
_SERVER_ERRORS: Final = 500
"""These, and higher ones, may pass by themselves: no other address is needed at once."""

_GZIP: Final = 31
"""zlib's word for a gzip'd stream: its largest window, and 16."""

_LONGEST_SAID: Final = 200
_HEADERS: Final = {
    "Accept": "video/mp4, video/*;q=0.9, */*;q=0.5",
    "Accept-Encoding": "identity",
    "User-Agent": f"batchsora/{__version__}",
}
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


@dataclass(frozen=True, slots=True)
class _Body:
    """What an answer's head says: bytes after it (None: unknown), whether that is all, gzip."""

    reach: int | None
    last: bool
    packed: bool = False


async def fetch_video(
    http: httpx.AsyncClient,
    url: str,
    target: Path,
    *,
    largest: int = LARGEST_FILE,
    longest: float = LONGEST,
    allow_private: bool = False,
    progress: Callable[[int], None] | None = None,
    pace: Pace | None = None,
    resolve: Resolve = system_addresses,
) -> Fetched:
    """Fetch an MP4 to a file, whole or not at all.

    Args:
        http: a client without the API's token, which does not follow redirects, and connects to the
            addresses of a request's extension (:mod:`batchsora.fetch.addresses`).
        target: replaced if it is there.
        largest: bytes that are accepted at most.
        longest: seconds for this try, without the waits of ``pace``.
        allow_private: also accept loopback and private addresses.
        progress: called now and then with the number of bytes that are here.
        pace: shared by all downloads; None: no limit.

    Raises:
        FetchError: it could not be fetched.
        OSError: the disk is full, or the folder can't be written.
    """
    with Part.opened(target) as part:
        await beside(part.resume)
        try:
            async with (
                asyncio.timeout(longest) as limit,
                _answer(http, url, part, resolve, allow_private=allow_private) as response,
            ):
                body = _begin(part, response)
                if body.reach is not None and body.reach > largest:
                    raise FetchError(f"the file has {body.reach} bytes, more than {largest}")
                sent = response.aiter_raw() if pace is None else _paced(response, pace, limit)
                await _read(_unpacked(sent) if body.packed else sent, part, largest, progress)
        except TimeoutError as error:
            raise FetchError(f"the file did not arrive within {longest:.0f} seconds") from error
        if body.reach is not None and part.size != body.reach:
            raise FetchError(f"the download broke off after {part.size} of {body.reach} bytes")
        if not part.begins_video():
            part.forget()
            raise FetchError("the content is not an MP4: it has almost no content", expired=True)
        if not body.last and not await beside(part.whole_video):
            raise FetchError(
                f"the download broke off after {part.size} bytes (its length is unknown)"
            )
        return await beside(part.finish)


@contextlib.asynccontextmanager
async def _answer(
    http: httpx.AsyncClient, url: str, part: Part, resolve: Resolve, *, allow_private: bool
) -> AsyncIterator[httpx.Response]:
    """Request the file, or what is missing of it; follow redirects."""
    redirects = 0
    address = _address(url)
    protected = address.scheme == "https"
    while redirects <= MOST_REDIRECTS:
        headers = dict(_HEADERS)
        if part.size:
            headers |= {"Range": f"bytes={part.size}-", "If-Range": part.version}
        extensions: dict[str, Sequence[str]] = {}
        if not allow_private:
            found = await public_addresses(address, resolve)
            if found is None:
                raise FetchError(
                    f"the file's address leads into a private network ({address.host})",
                    expired=True,
                )
            extensions[ADDRESSES] = found
        if protected and address.scheme != "https":
            raise FetchError("the address of the file redirects from https to http", expired=True)
        try:
            async with http.stream(
                "GET", address, headers=headers, follow_redirects=False, extensions=extensions
            ) as response:
                if response.status_code in (200, 206):
                    yield response
                    return
                if response.status_code == 416 and part.size:  # noqa: PLR2004 - no such range
                    part.restart()
                    continue
                location = response.headers.get("location")
                if not response.is_redirect or location is None:
                    code = response.status_code
                    expired = code not in _PASSING and code < _SERVER_ERRORS
                    raise FetchError(f"the address of the file answered {code}", expired=expired)
                address = _redirected(address, location)
                redirects += 1
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            # what a server sent may be quoted in it
            said = "".join(c if c.isprintable() else "?" for c in str(error)[:_LONGEST_SAID])
            raise FetchError(f"the file's server can't be read: {said}") from error
    raise FetchError("the address of the file redirects too often", expired=True)


def _address(url: str) -> httpx.URL:
    """Read an address, and refuse other schemes than the web's."""
    try:
        found = httpx.URL(url)
        host = found.host
    except (httpx.InvalidURL, ValueError) as error:  # ValueError: not a valid name
        raise FetchError("the address of the file can't be read", expired=True) from error
    if found.scheme not in ("http", "https") or not host:
        raise FetchError(
            f"the file's address is not a web address ({found.scheme!r})", expired=True
        )
    return found


def _redirected(before: httpx.URL, location: str) -> httpx.URL:
    """Return the target of a redirect."""
    try:
        return _address(urljoin(str(before), location))
    except ValueError as error:
        raise FetchError(
            "the address of the file redirects to an invalid address", expired=True
        ) from error


def _begin(part: Part, response: httpx.Response) -> _Body:
    """Line the part up with the answer; raise a FetchError if they can't be joined."""
    headers = response.headers
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise FetchError("the file came in an encoding that was not requested", expired=True)
    packed = encoding.endswith("gzip")
    if response.status_code == 206:  # noqa: PLR2004 - partial content
        return _joined(part, headers, packed=packed)
    # a part of what is packed can't be resumed: ranges would count the packed bytes
    part.restart("" if packed else _version(headers))
    if packed:
        return _Body(None, last=True, packed=True)  # its last bytes have length and checksum
    length = headers.get("content-length", "")
    if re.fullmatch(r"\d{1,18}", length):
        return _Body(int(length), last=True)
    return _Body(None, last="chunked" in headers.get("transfer-encoding", "").lower())


def _joined(part: Part, headers: httpx.Headers, *, packed: bool) -> _Body:
    """Append a range of the file, or begin with it; raise a FetchError if it does not follow."""
    version = _version(headers)
    match = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    start, end = (int(match[1]), int(match[2])) if match else (-1, -1)
    known = match is not None and match[3] != "*"
    whole = match is not None and (not known or end == int(match[3]) - 1)
    same = not part.size or version in ("", part.version)
    if packed or not (whole and same and start == part.size and start <= end):
        part.restart()
        raise FetchError("the server resumed with different content; the next try starts over")
    if not part.size:
        part.restart(version)
    return _Body(end + 1, last=known)


def _version(headers: httpx.Headers) -> str:
    """Return the version of the file for ``If-Range``; empty if it has no usable one."""
    tag = str(headers.get("etag", ""))
    version = tag if tag and not tag.startswith("W/") else str(headers.get("last-modified", ""))
    return version if version.isascii() and version.isprintable() else ""


async def _paced(
    response: httpx.Response, pace: Pace, limit: asyncio.Timeout
) -> AsyncIterator[bytes]:
    """Return the answer's body at a pace, which is not the server's fault."""
    async for chunk in response.aiter_raw():
        yield chunk
        seconds = pace.charge(len(chunk))
        if seconds:
            limit.reschedule((limit.when() or 0.0) + seconds)
            await pace.wait(seconds)


async def _unpacked(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Unpack gzip, never more than a block at a time."""
    unpack, came = zlib.decompressobj(_GZIP), False
    async for chunk in body:
        left, came = chunk, True
        while left:
            if unpack.eof:  # several may follow each other in one file
                unpack = zlib.decompressobj(_GZIP)
            try:
                block = unpack.decompress(left, BLOCK)
            except zlib.error as error:
                message = "the content is declared as gzip, but is not"
                raise FetchError(message, expired=True) from error
            left = unpack.unconsumed_tail or unpack.unused_data
            yield block
    if came and not unpack.eof:
        raise FetchError("the gzip content broke off")


async def _read(
    body: AsyncIterator[bytes],
    part: Part,
    largest: int,
    progress: Callable[[int], None] | None,
) -> None:
    """Write the answer's body to the part."""
    buffer = bytearray()
    try:
        async for chunk in body:
            buffer += chunk
            if part.size + len(buffer) > largest:
                buffer.clear()
                part.forget()
                raise FetchError(f"the file has more than {largest} bytes")
            if len(buffer) >= BLOCK:
                await _add(part, buffer, progress)
    finally:
        # also what came before a break is kept; when cancelled this is at most one block
        if buffer:
            part.add(bytes(buffer), mark=False)
    if progress is not None:
        progress(part.size)


async def _add(part: Part, buffer: bytearray, progress: Callable[[int], None] | None) -> None:
    block = bytes(buffer)
    buffer.clear()
    await beside(lambda: part.add(block))
    if progress is not None:
        progress(part.size)
