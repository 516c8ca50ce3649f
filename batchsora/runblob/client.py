"""The client of the RunBlob Sora API: one method a call, every outcome a value or one error.

Money is only ever spent by :meth:`RunBlobClient.generate` (and :meth:`RunBlobClient.send` below
it): one request for each call, never repeated. Reads are free.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import httpx

from batchsora.runblob import models
from batchsora.runblob.answers import Answer, Call, error_of, http_date, parsed, succeeded
from batchsora.runblob.body import OnceBody, encode
from batchsora.runblob.errors import (
    InDoubtError,
    UnreachableError,
    WithheldError,
    WrongAddressError,
)
from batchsora.runblob.images import ImageSource
from batchsora.runblob.models import GenerationCreated, GenerationInfo, usable_id
from batchsora.runblob.transport import USER_AGENT, new_transport
from batchsora.runblob.words import clean

BASE_URL: Final = "https://platform.runblob.io"
LARGEST_ANSWER: Final = 8 * 1024**2
"""Bytes of an answer's decoded body; a page of a hundred generations has less than 3 MB."""

SLOWEST_UPLOAD: Final = 64 * 1024
"""Bytes a second; an upload gets so much time in addition to the timeout."""

LONGEST_CONNECT: Final = 20.0
"""Seconds for a connection; shorter than the whole, so that running out of it is known unsent."""


def _now() -> datetime:
    return datetime.now(UTC)


def _always() -> bool:
    return True


class RunBlobClient:
    """A connection to one account; an asynchronous context manager.

    Args:
        token: of the account; sent to the base address' origin alone, and never shown.
        base_url: of the API; http or https.
        timeout: seconds for a whole call (an upload's own time comes on top).
        transport: of HTTP; None makes the program's own.
        now: the wall-clock time, aware.

    Attributes:
        base_url: the API's address.
        clock_ahead: by how much the API's clock is ahead of ours, as its last answer told.

    Raises:
        ValueError: the token or the base address can't be one; the text never shows the token.
    """

    def __init__(
        self,
        token: str,
        *,
        base_url: str = BASE_URL,
        timeout: float = 60,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError(
                "this can't be a token: it is empty, or has blanks or unusual characters"
            )
        if timeout <= 0:
            raise ValueError("the timeout must be more than 0 seconds")
        self._token = token
        self.base_url = _checked_address(base_url)
        self._generate = httpx.URL(f"{self.base_url}/v1/sora/generate")
        self._timeout = timeout
        self._now = now
        self.clock_ahead: timedelta | None = None
        connect = min(timeout / 2, LONGEST_CONNECT)
        self._http = httpx.AsyncClient(
            transport=new_transport() if transport is None else transport,
            timeout=httpx.Timeout(timeout, connect=connect, pool=connect),
            headers={
                "Authorization": f"Bearer {token}",
                "User-Agent": USER_AGENT,
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
            },
            follow_redirects=False,
        )

    def __repr__(self) -> str:
        return f"RunBlobClient({self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def generate(
        self,
        prompt: str,
        *,
        orientation: str = "9:16",
        duration: int = 10,
        image: ImageSource | None = None,
        callback_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> GenerationCreated:
        """Buy one video.

        Args:
            prompt: 1 to 4000 characters.
            orientation: ``"9:16"`` or ``"16:9"``.
            duration: seconds: 10 or 15.
            image: to start from: a path, a picture's bytes, a web address or a data URI.
            callback_url: where the API announces the end.
            idempotency_key: sent along; the API does not promise to heed it.

        Raises:
            InDoubtError: the video may have been bought; look before you pay again.
            RunBlobError: it was not; see :mod:`batchsora.runblob.errors`.
        """
        body = await encode(prompt, orientation, duration, image, callback_url)
        return await self.send(body, idempotency_key)

    async def send(
        self,
        body: Sequence[bytes],
        idempotency_key: str | None,
        may_send: Callable[[], bool] = _always,
    ) -> GenerationCreated:
        """Send a body from :func:`batchsora.runblob.body.encode`, once.

        Args:
            body: the request's JSON.
            idempotency_key: sent along, unless None.
            may_send: asked once, when the connection stands and the request is about to be written;
                False sends nothing.

        Raises:
            WithheldError: ``may_send`` said no.
            InDoubtError: as for :meth:`generate`, like all the others.
        """
        once = OnceBody(body, may_send)
        headers = {"Content-Type": "application/json", "Content-Length": str(once.size)}
        if idempotency_key is not None:
            headers["X-Idempotency-Key"] = idempotency_key
        request = self._http.build_request("POST", self._generate, content=once, headers=headers)
        answer = await self._exchange(request, self._timeout + once.size / SLOWEST_UPLOAD)
        if isinstance(answer, str):
            if once.withheld:
                raise WithheldError("held back: it was too late to send it")
            if not once.started:
                raise UnreachableError(f"the API can't be reached ({answer}); nothing was sent")
            raise InDoubtError(f"no answer ({answer}); the generation may exist all the same")
        if not succeeded(answer, Call.GENERATE):
            raise self._error(answer, Call.GENERATE)
        made = models.created(_document(answer, unique=True))
        if made is None:
            raise InDoubtError(
                f"the API said yes ({answer.status}) without an id that can be used",
                status=answer.status,
            )
        return made

    async def status(self, generation_id: str) -> GenerationInfo:
        """Look one generation up.

        Raises:
            NotFoundError: the account has none of this id.
            ValueError: this can't be an id.
            RunBlobError: see :mod:`batchsora.runblob.errors`.
        """
        if usable_id(generation_id) is None:
            raise ValueError(f"not an id of a generation: {clean(generation_id, longest=60)!r}")
        path = f"/v1/sora/generations/{quote(generation_id, safe='')}/"
        document = await self._read(path, Call.STATUS)
        if not isinstance(document, dict):
            raise WrongAddressError("the answer to a status is no generation")
        found = models.info({"generation_id": generation_id} | document, self._token)
        if found.generation_id is None or found.generation_id.lower() != generation_id.lower():
            raise UnreachableError("the API answered with another generation than was asked for")
        return found

    async def list_generations(self, limit: int = 50, offset: int = 0) -> list[GenerationInfo]:
        """Read a page of the account's generations, newest first.

        Args:
            limit: 1 to 100.
            offset: how many to leave out.

        Raises:
            RunBlobError: see :mod:`batchsora.runblob.errors`.
        """
        document = await self._read(
            "/v1/sora/generations", Call.READ, {"limit": limit, "offset": offset}
        )
        found = models.listed(document, self._token)
        if found is None:
            raise WrongAddressError("the answer is no list of generations")
        return found

    async def get_balance(self) -> Decimal:
        """Read the account's money in USD; less than zero counts as zero.

        Raises:
            RunBlobError: see :mod:`batchsora.runblob.errors`.
        """
        document = await self._read("/v1/data/balance", Call.READ)
        found = models.balance(document)
        if found is None:
            raise WrongAddressError("the answer is no balance")
        return found

    async def _read(self, path: str, call: Call, query: Mapping[str, int] | None = None) -> Any:
        """GET a document."""
        request = self._http.build_request("GET", f"{self.base_url}{path}", params=query)
        answer = await self._exchange(request, self._timeout)
        if isinstance(answer, str):
            raise UnreachableError(f"the API can't be reached ({answer})")
        if not succeeded(answer, call):
            raise self._error(answer, call)
        document = _document(answer)
        if document is None:
            raise WrongAddressError(
                f"what answers at {self.base_url} is not this API ({answer.status}, no JSON)",
                status=answer.status,
            )
        return document

    def _error(self, answer: Answer, call: Call) -> Exception:
        return error_of(answer, call, self._token, self._now)

    def _compare_clocks(self, date: str | None) -> None:
        """Keep by how much the API's clock is ahead of ours, as an answer's ``Date`` tells."""
        told = None if date is None else http_date(date)
        if told is not None:
            self.clock_ahead = told - self._now()

    async def _exchange(self, request: httpx.Request, seconds: float) -> Answer | str:
        """Send a request once, and read what comes back; as text, how it broke.

        A status that came counts although the body broke off. The exception that broke it is left
        behind on purpose: exceptions of the layers below know the request's headers.
        """
        answer: Answer | None = None
        failure = ""
        try:
            async with asyncio.timeout(seconds):
                response = await self._http.send(request, stream=True)
                try:
                    answer = Answer(response.status_code, response.headers, b"", whole=False)
                    self._compare_clocks(response.headers.get("Date"))
                    body = await _limited(response)
                    answer = Answer(response.status_code, response.headers, body, whole=True)
                finally:
                    await response.aclose()
        except TimeoutError:
            failure = "no answer in time"
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:
            failure = clean(str(error), self._token) or type(error).__name__
        return failure if answer is None else answer


async def _limited(response: httpx.Response) -> bytes:
    """Read a body up to the limit, which holds for what is unpacked as well.

    Raises:
        httpx.ReadError: it has no end, or is packed in a way that was not asked for.
    """
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("", "identity", "gzip", "x-gzip"):
        raise httpx.ReadError("an answer in an encoding that was not asked for")
    # one layer, bounded: a few kilobytes of gzip inside gzip unpack to more than any memory
    unpacking = None if packed in ("", "identity") else zlib.decompressobj(wbits=31)
    parts: list[bytes] = []
    room = LARGEST_ANSWER
    try:
        async for chunk in _raw(response):
            part = chunk if unpacking is None else unpacking.decompress(chunk, room + 1)
            room -= len(part)
            if room < 0:
                raise httpx.ReadError("an answer without end")
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


def _document(answer: Answer, *, unique: bool = False) -> Any:
    """Read the JSON; None when there is none."""
    try:
        return parsed(answer, unique=unique)
    except ValueError:
        return None


def _checked_address(base_url: str) -> str:
    """Check a base address, and take the slashes from its end."""
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ValueError("the base address can't be read") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("the base address must begin with https:// or http://")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("the base address takes no user, query or fragment")
    return base_url.strip().rstrip("/")
