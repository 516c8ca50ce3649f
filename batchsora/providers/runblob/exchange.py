"""One request and its answer, read within limits whatever the API sends."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import httpx

from batchsora.providers.runblob.answers import Answer, parsed
from batchsora.providers.runblob.words import clean

LARGEST_ANSWER: Final = 8 * 1024**2
"""Bytes of an answer's decoded body; a page of a hundred generations has less than 3 MB."""


async def exchange(
    transport: httpx.AsyncBaseTransport,
    request: httpx.Request,
    limit: asyncio.Timeout,
    secret: str,
    heard: Callable[[Mapping[str, str]], None],
) -> Answer | str:
    """Send a request once, and read what comes back; as text, how it broke.

    A status that came counts although the body broke off. The exception that broke it is left
    behind on purpose: exceptions of the layers below know the request's headers. There is no
    ``httpx.AsyncClient`` in between, whose cookies, redirections and authentication are not wanted.

    Args:
        transport: to send it with.
        request: what is asked.
        limit: of its time.
        secret: the token, to be taken out of the text.
        heard: told the headers as soon as they are here.
    """
    answer: Answer | None = None
    failure = ""
    try:
        async with limit:
            response = await transport.handle_async_request(request)
            try:
                answer = Answer(response.status_code, response.headers, b"", whole=False)
                heard(response.headers)
                body = await _read_limited(response)
                answer = Answer(response.status_code, response.headers, body, whole=True)
            finally:
                await response.aclose()
    except TimeoutError:
        failure = "no answer in time"
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:
        failure = clean(str(error), secret) or type(error).__name__
    return failure if answer is None else answer


def document_of(answer: Answer, *, unique: bool = False) -> Any:
    """Read an answer's JSON; None when there is none, or ``unique`` and a name occurs twice."""
    try:
        return parsed(answer, unique=unique)
    except ValueError:
        return None


async def _read_limited(response: httpx.Response) -> bytes:
    """Read a body up to the limit, which holds for what is unpacked as well.

    Raises:
        httpx.ReadError: it has no end, or is packed in a way that was not asked for.
    """
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("", "identity", "gzip", "x-gzip"):
        raise httpx.ReadError("an answer in an encoding that was not requested")
    # one layer, bounded: a few kilobytes of gzip inside gzip unpack to more than any memory
    unpacking = None if packed in ("", "identity") else zlib.decompressobj(wbits=31)
    parts: list[bytes] = []
    room = LARGEST_ANSWER
    try:
        async for chunk in _raw(response):
            part = chunk if unpacking is None else unpacking.decompress(chunk, room + 1)
            room -= len(part)
            if room < 0:
                raise httpx.ReadError("an answer that never ends")
            parts.append(part)
    except zlib.error as error:
        raise httpx.ReadError("an answer that can't be unpacked") from error
    if unpacking is not None and not unpacking.eof:
        raise httpx.ReadError("an answer that ends too early")
    return b"".join(parts)


async def _raw(response: httpx.Response) -> AsyncIterator[bytes]:
    """Read a body as it came, also one that the transport holds already."""
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError("an asynchronous transport gave a synchronous body")
    async for chunk in response.stream:
        yield chunk
