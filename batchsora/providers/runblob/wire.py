"""Requests to one account: reads, which are free, and the one request that spends money.

A read has a timeout for all of it. A purchase with an image also gets the time of its upload
(:data:`SLOWEST_UPLOAD`), which is extended while bytes are moving.
"""

import asyncio
import contextlib
import os
import re
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from batchsora.fetch.addresses import public
from batchsora.providers.runblob import errors, models
from batchsora.providers.runblob.answers import Answer, Call, error_of, http_date, parsed, succeeded
from batchsora.providers.runblob.body import Body, OnceBody, UploadSlot
from batchsora.providers.runblob.models import GenerationCreated
from batchsora.providers.runblob.transport import USER_AGENT
from batchsora.providers.runblob.words import clean
from batchsora.settings import SettingsError, find_token, read_settings

BASE_URL: Final = "https://platform.runblob.io"

LARGEST_ANSWER: Final = 8 * 1024**2
"""Bytes of an answer's decoded body; a page of a hundred generations has less than 3 MB."""

SLOWEST_UPLOAD: Final = 64 * 1024
"""Bytes a second, for an upload's additional time. A slower one only ends if it stands still."""

LONGEST_CONNECT: Final = 20.0
"""Seconds for a connection; shorter than the whole, so that running out of it is known unsent."""

DATE_LASTS: Final = timedelta(minutes=1)
"""How long after an answer its ``Date`` tells the clocks: then ours may have been set."""


class Wire:
    """Sends each request once, and turns every answer but a success into an error.

    Args:
        timeout: seconds for a whole exchange, without uploads.
        transport: closed by the caller.
        now: the wall-clock time, aware.
    """

    def __init__(
        self,
        token: str,
        base_url: str,
        timeout: float,
        transport: httpx.AsyncBaseTransport,
        now: Callable[[], datetime],
    ) -> None:
        self._token = token
        self._base_url = base_url
        self._timeout = timeout
        self._transport = transport
        self._now = now
        self._last_date = ""
        self._compared: tuple[datetime, timedelta] | None = None
        connect = min(timeout / 2, LONGEST_CONNECT)
        self.times = httpx.Timeout(timeout, connect=connect, pool=connect)
        self._headers = {
            "Authorization": f"Bearer {token}",
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        }

    async def read(self, path: str, call: Call, query: Mapping[str, int] | None = None) -> Any:
        """GET a document.

        Raises:
            RunBlobError: see :mod:`batchsora.providers.runblob.errors`.
        """
        url = f"{self._base_url}{path}"
        request = httpx.Request("GET", url, params=query, headers=self._headers)
        answer = await self._sent(request, self._timeout, asyncio.timeout(self._timeout))
        if isinstance(answer, str):
            raise errors.UnreachableError(f"the API can't be reached ({answer})")
        if not succeeded(answer, call):
            raise error_of(answer, call, self._token, self._now)
        document = document_of(answer)
        if document is None:
            raise errors.WrongAddressError(
                f"what answers at {self._base_url} is not this API ({answer.status}, no JSON)",
                status=answer.status,
            )
        return document

    async def buy(
        self,
        body: Body,
        idempotency_key: str | None,
        may_send: Callable[[], bool],
        slot: UploadSlot,
        prompt: str,
        path: str,
    ) -> GenerationCreated:
        """POST a body, once.

        Args:
            may_send: asked once, when the request is about to be written; False sends nothing.
            slot: of the image; freed when all of it is written.
            prompt: which the API may quote.
            path: of the model's submissions.

        Raises:
            WithheldError: ``may_send`` returned False.
            InDoubtError: the video may have been bought.
            RunBlobError: it was not bought; see :mod:`batchsora.providers.runblob.errors`.
        """
        seconds = self._timeout + body.size / SLOWEST_UPLOAD
        limit = asyncio.timeout(seconds)

        def written(last: bool) -> None:  # noqa: FBT001 - the one thing that is told
            if last:
                slot.leave()
            if body.has_picture:  # all else goes in no time
                _prolong(limit, self._timeout)

        once = OnceBody(body, may_send, written)
        headers = {"Content-Type": "application/json", "Content-Length": str(body.size)}
        if idempotency_key is not None:
            headers["X-Idempotency-Key"] = idempotency_key
        answer = await self._sent(
            httpx.Request(
                "POST",
                f"{self._base_url}{path}",
                headers=self._headers | headers,
                stream=once,
            ),
            seconds,
            limit,
        )
        if isinstance(answer, str):
            if once.withheld:
                raise errors.WithheldError("held back: it was too late to send it")
            if not once.started:
                raise errors.UnreachableError(
                    f"the API can't be reached ({answer}); nothing was sent"
                )
            reason = once.broken or answer
            raise errors.InDoubtError(f"no answer ({reason}); the generation may still exist")
        if not succeeded(answer, Call.GENERATE):
            raise error_of(answer, Call.GENERATE, self._token, self._now, prompt)
        made = models.created(document_of(answer, unique=True))
        if made is None:
            raise errors.InDoubtError(
                f"the API accepted the request ({answer.status}) without a usable id",
                status=answer.status,
            )
        return made

    async def _sent(
        self, request: httpx.Request, silence: float, limit: asyncio.Timeout
    ) -> Answer | str:
        """Send a request once, and read the answer; return how it broke if there is none.

        A status that arrived counts even if the body broke off. The exception is dropped on
        purpose: exceptions of the layers below know the request's headers. There is no
        ``httpx.AsyncClient`` in between: its cookies, redirects and authentication are not wanted.
        """
        request.extensions["timeout"] = self.times.as_dict() | {"read": silence}
        answer: Answer | None = None
        failure = ""
        try:
            async with limit:
                response = await self._transport.handle_async_request(request)
                try:
                    answer = Answer(response.status_code, response.headers, b"", whole=False)
                    self._compare_clocks(response.headers)
                    body = await _read_limited(response)
                    answer = Answer(response.status_code, response.headers, body, whole=True)
                finally:
                    await response.aclose()
        except TimeoutError:
            failure = "no answer in time"
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:
            failure = clean(str(error), self._token) or type(error).__name__
        return failure if answer is None else answer

    def _compare_clocks(self, headers: Mapping[str, str]) -> None:
        """Keep how far the ``Date`` of an answer is ahead of our clock."""
        date = headers.get("Date", "")
        if date == self._last_date:  # a second has many answers
            return
        self._last_date = date
        told = http_date(date)
        if told is not None:
            now = self._now()
            self._compared = now, told - now

    @property
    def clock_ahead(self) -> timedelta | None:
        """Return how far the API's clock is ahead of ours; None if no recent ``Date`` shows it."""
        if self._compared is None:
            return None
        at, ahead = self._compared
        return ahead if abs(self._now() - at) <= DATE_LASTS else None


def _prolong(limit: asyncio.Timeout, seconds: float) -> None:
    """Leave an exchange at least so many seconds from now."""
    until = asyncio.get_running_loop().time() + seconds
    with contextlib.suppress(RuntimeError):  # it is over already
        limit.reschedule(max(until, limit.when() or until))


def document_of(answer: Answer, *, unique: bool = False) -> Any:
    """Return an answer's JSON; None if there is none, or ``unique`` and a name occurs twice."""
    try:
        return parsed(answer, unique=unique)
    except ValueError:
        return None


async def _read_limited(response: httpx.Response) -> bytes:
    """Read a body up to the limit, which also holds for the unpacked bytes."""
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
    """Return the body's bytes as they came, also if the transport already holds them."""
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError("an asynchronous transport gave a synchronous body")
    async for chunk in response.stream:
        yield chunk


def usable_token(given: str | None, base_url: str) -> str:
    """Check a token; raise a ValueError that never shows it.

    None takes the one that the command line would: ``RUNBLOB_API_KEY``, ``BATCHSORA_TOKEN_FILE``,
    or what ``batchsora login`` kept for this address.
    """
    if given is not None:
        if not re.fullmatch(r"[!-~]+", given):
            raise ValueError("not a valid token: it is empty, or has blanks or unusual characters")
        return given
    try:
        settings = read_settings(
            base_url=base_url, token_file=os.environ.get("BATCHSORA_TOKEN_FILE") or None
        )
        found = find_token(settings, os.environ)
    except SettingsError as error:
        raise ValueError(str(error)) from None
    if found is None:
        raise ValueError(
            "no token: pass one, RunBlobClient(token), or set RUNBLOB_API_KEY in the environment, "
            "or run 'batchsora login' once"
        )
    return found.value


def usable_address(given: str | None) -> str:
    """Check a base address, without slashes at its end; raise a ValueError if not valid.

    None takes the one in ``BATCHSORA_BASE_URL``, or else the provider's own.
    """
    base_url = (os.environ.get("BATCHSORA_BASE_URL") or BASE_URL) if given is None else given
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ValueError("the base address can't be read") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("the base address must begin with https:// or http://")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("the base address takes no user, query or fragment")
    return base_url.strip().rstrip("/")


def is_local(base_url: str) -> bool:
    """Check by its address whether an API is on this machine or in a private network."""
    host = httpx.URL(base_url).host
    try:
        return not public(host)
    except ValueError:  # a name
        return host == "localhost" or host.endswith(".localhost")
