"""The wire to one account: reads, which are free, and the one request that spends money.

Time-outs are about standing still. A read has so many seconds for all of it. A purchase with an
image has them beside what the upload takes: :data:`SLOWEST_UPLOAD`, and longer while it goes on.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from batchsora.providers.runblob import models
from batchsora.providers.runblob.answers import Answer, Call, error_of, http_date, succeeded
from batchsora.providers.runblob.body import Body, OnceBody
from batchsora.providers.runblob.errors import (
    InDoubtError,
    UnreachableError,
    WithheldError,
    WrongAddressError,
)
from batchsora.providers.runblob.exchange import document_of, exchange
from batchsora.providers.runblob.models import GenerationCreated
from batchsora.providers.runblob.transport import USER_AGENT
from batchsora.providers.runblob.upload_slots import UploadSlot

SLOWEST_UPLOAD: Final = 64 * 1024
"""Bytes a second; an upload gets so much time in addition to the timeout. A slower one is given up
only when it stands still for the timeout."""

LONGEST_CONNECT: Final = 20.0
"""Seconds for a connection; shorter than the whole, so that running out of it is known unsent."""

DATE_LASTS: Final = timedelta(minutes=1)
"""How long after an answer its ``Date`` tells the clocks: then ours may have been set."""


class Wire:
    """Sends requests, each once, and makes one error of whatever comes back but a success.

    Args:
        token: of the account; sent to the base address alone.
        base_url: of the API.
        timeout: seconds for a whole exchange, uploads aside.
        transport: of HTTP; closed by the caller.
        now: the wall-clock time, aware.

    Attributes:
        times: the time-outs of one request.
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
            raise UnreachableError(f"the API can't be reached ({answer})")
        if not succeeded(answer, call):
            raise error_of(answer, call, self._token, self._now)
        document = document_of(answer)
        if document is None:
            raise WrongAddressError(
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
        model: str,
    ) -> GenerationCreated:
        """POST a body, once.

        Args:
            body: the request's JSON.
            idempotency_key: sent along, unless None.
            may_send: asked once, when the connection stands and the request is about to be written;
                False sends nothing.
            slot: of its image, freed as soon as all of it is written.
            prompt: what it asks for, which the API's words may quote.
            model: whose path it goes to.

        Raises:
            WithheldError: ``may_send`` said no.
            InDoubtError: the video may have been bought.
            RunBlobError: it was not; see :mod:`batchsora.providers.runblob.errors`.
        """
        seconds = self._timeout + body.size / SLOWEST_UPLOAD
        limit = asyncio.timeout(seconds)

        def written(last: bool) -> None:  # noqa: FBT001 - the one thing that is told
            if last:
                slot.leave()
            if body.picture is not None:  # all else goes in no time
                _prolong(limit, self._timeout)

        once = OnceBody(body, may_send, written)
        headers = {"Content-Type": "application/json", "Content-Length": str(once.size)}
        if idempotency_key is not None:
            headers["X-Idempotency-Key"] = idempotency_key
        answer = await self._sent(
            httpx.Request(
                "POST",
                f"{self._base_url}/v1/{model}/generate",
                headers=self._headers | headers,
                stream=once,
            ),
            seconds,
            limit,
        )
        if isinstance(answer, str):
            if once.withheld:
                raise WithheldError("held back: it was too late to send it")
            if not once.started:
                raise UnreachableError(f"the API can't be reached ({answer}); nothing was sent")
            reason = once.broken or answer
            raise InDoubtError(f"no answer ({reason}); the generation may still exist")
        if not succeeded(answer, Call.GENERATE):
            raise error_of(answer, Call.GENERATE, self._token, self._now, prompt)
        made = models.created(document_of(answer, unique=True))
        if made is None:
            raise InDoubtError(
                f"the API accepted the request ({answer.status}) without a usable id",
                status=answer.status,
            )
        return made

    async def _sent(
        self, request: httpx.Request, silence: float, limit: asyncio.Timeout
    ) -> Answer | str:
        request.extensions["timeout"] = self.times.as_dict() | {"read": silence}
        return await exchange(self._transport, request, limit, self._token, self._compare_clocks)

    def _compare_clocks(self, headers: Mapping[str, str]) -> None:
        """Keep by how much the API's clock is ahead of ours, as an answer's ``Date`` tells."""
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
        """Return by how much the API's clock is ahead of ours, as a ``Date`` told just now.

        None where the last one is older, or our clock was set since: then it tells nothing.
        """
        if self._compared is None:
            return None
        at, ahead = self._compared
        return ahead if abs(self._now() - at) <= DATE_LASTS else None


def _prolong(limit: asyncio.Timeout, seconds: float) -> None:
    """Return an exchange that goes on at least so much time from now."""
    until = asyncio.get_running_loop().time() + seconds
    with contextlib.suppress(RuntimeError):  # it is over already
        limit.reschedule(max(until, limit.when() or until))
