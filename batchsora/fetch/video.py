"""Fetching one video into a file: resumed where it broke off, renamed only when it is whole.

The server's word is not taken for anything: its length, range, version, redirects and pace are
checked, and the content must begin as an MP4.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import httpx

from batchsora._version import __version__
from batchsora.fetch.addresses import ADDRESSES, Resolve, public_addresses, system_addresses
from batchsora.fetch.beside import beside
from batchsora.fetch.pace import Pace
from batchsora.fetch.part import BLOCK, MP4_HEAD, Fetched, FetchError, Part

LARGEST_FILE: Final = 2 * 1024**3
MOST_REDIRECTS: Final = 5
LONGEST: Final = 1800.0
"""Seconds for one try: a trickle must not keep a run alive. The next try goes on from its end."""

_LONGEST_SAID: Final = 200
_HEADERS: Final = {
    "Accept": "video/mp4, video/*;q=0.9, */*;q=0.5",
    "Accept-Encoding": "identity",
    "User-Agent": f"batchsora/{__version__}",
}
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


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
        http: a client without the API's token, which does not follow redirects, and connects to
            the addresses that a request's extension names (batchsora.fetch.addresses).
        url: of the video.
        target: where it goes; what is there is replaced, so the caller chooses a name of its own.
        largest: bytes that are accepted at most.
        longest: seconds that this try may take, beside those that ``pace`` takes.
        allow_private: take it from loopback and private addresses as well.
        progress: told the number of bytes that are here, now and then.
        pace: shared by all downloads that stay within a rate together; None is no limit.
        resolve: names to addresses.

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
                total = _begin(part, response)
                if total is not None and total > largest:
                    raise FetchError(f"the file has {total} bytes, more than {largest}")
                paced = response.aiter_raw() if pace is None else _paced(response, pace, limit)
                await _read(paced, part, largest, progress)
        except TimeoutError as error:
            raise FetchError(f"the file did not come within {longest:.0f} seconds") from error
        if total is not None and part.size != total:
            raise FetchError(f"the file broke off after {part.size} of {total} bytes")
        if part.size < MP4_HEAD:
            part.forget()
            raise FetchError("what came is no MP4: it has almost no content")
        return await beside(part.finish)


@contextlib.asynccontextmanager
async def _answer(
    http: httpx.AsyncClient, url: str, part: Part, resolve: Resolve, *, allow_private: bool
) -> AsyncIterator[httpx.Response]:
    """Ask for the file, or for what is missing of it; follow redirects.

    Raises:
        FetchError: there is no answer that has the file.
    """
    redirects = 0
    address = _address(url)
    protected = address.scheme == "https"
    while redirects <= MOST_REDIRECTS:
        headers = dict(_HEADERS)
        if part.size:
            headers |= {"Range": f"bytes={part.size}-", "If-Range": part.version}
        extensions = {} if allow_private else {ADDRESSES: await _checked(address, resolve)}
        if protected and address.scheme != "https":
            raise FetchError("the address of the file redirects from https to http")
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
                    raise FetchError(
                        f"the address of the file answered {code}", expired=code in (403, 404, 410)
                    )
                address = _redirected(address, location)
                redirects += 1
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            # what a server sent may be quoted in it
            said = "".join(c if c.isprintable() else "?" for c in str(error)[:_LONGEST_SAID])
            raise FetchError(f"the file's server can't be read: {said}") from error
    raise FetchError("the address of the file redirects too often")


def _address(url: str) -> httpx.URL:
    """Read an address, and refuse what is none of the web's."""
    try:
        found = httpx.URL(url)
        host = found.host
    except (httpx.InvalidURL, ValueError) as error:  # ValueError: a name that is no name
        raise FetchError("the address of the file can't be read") from error
    if found.scheme not in ("http", "https") or not host:
        raise FetchError(f"the file has no web address, but one of the kind {found.scheme!r}")
    return found


def _redirected(before: httpx.URL, location: str) -> httpx.URL:
    """Read where a redirect leads."""
    try:
        return _address(urljoin(str(before), location))
    except ValueError as error:
        raise FetchError("the address of the file redirects to none that can be read") from error


async def _checked(address: httpx.URL, resolve: Resolve) -> Sequence[str]:
    """Find the addresses that a connection may go to."""
    found = await public_addresses(address, resolve)
    if found is None:
        raise FetchError(f"the file's address leads into a private network ({address.host})")
    return found


def _begin(part: Part, response: httpx.Response) -> int | None:
    """Line the part up with the answer; returns the whole file's bytes, None when nobody says.

    Raises:
        FetchError: the answer can't be joined to what is here, or its end could not be known.
    """
    headers = response.headers
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise FetchError("the file came in an encoding that was not asked for")
    version = _version(headers)
    if response.status_code == 206:  # noqa: PLR2004 - partial content
        match = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
        start, end, total = (int(number) for number in match.groups()) if match else (-1, 0, 0)
        if start != part.size or not start <= end == total - 1 or version not in ("", part.version):
            part.restart()
            raise FetchError("the server resumed with something else; the next try begins anew")
        return total
    part.restart(version)
    length = headers.get("content-length", "")
    if re.fullmatch(r"\d{1,18}", length):
        return int(length)
    if "chunked" not in headers.get("transfer-encoding", "").lower():
        raise FetchError("the server does not say how long the file is")
    return None


def _version(headers: httpx.Headers) -> str:
    """Name the version of the file for ``If-Range``; empty when it has none that would do."""
    tag = str(headers.get("etag", ""))
    version = tag if tag and not tag.startswith("W/") else str(headers.get("last-modified", ""))
    return version if version.isascii() and version.isprintable() else ""


async def _paced(
    response: httpx.Response, pace: Pace, limit: asyncio.Timeout
) -> AsyncIterator[bytes]:
    """Give the answer's body at a pace, which is not the server's fault."""
    async for chunk in response.aiter_raw():
        yield chunk
        seconds = pace.charge(len(chunk))
        if seconds:
            limit.reschedule((limit.when() or 0.0) + seconds)
            await pace.wait(seconds)


async def _read(
    body: AsyncIterator[bytes],
    part: Part,
    largest: int,
    progress: Callable[[int], None] | None,
) -> None:
    """Bring the answer's body to the part."""
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
