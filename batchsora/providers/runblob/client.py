"""The client of the RunBlob Sora API: one method a call; the outcome is a value or one error.

Only :meth:`RunBlobClient.generate` (and :meth:`RunBlobClient.send` below it) spends money: one
request for each call, never repeated. Reads are free.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

import httpx

from batchsora.providers.model import START
from batchsora.providers.runblob import errors, models
from batchsora.providers.runblob.answers import Call
from batchsora.providers.runblob.asked import Asked, asked_of
from batchsora.providers.runblob.body import UploadSlots, with_images
from batchsora.providers.runblob.catalog import LISTED, PATHS, SORA
from batchsora.providers.runblob.checked import check_request, chosen_image
from batchsora.providers.runblob.images import ImageSource, size_of
from batchsora.providers.runblob.models import GenerationCreated, GenerationInfo, Named
from batchsora.providers.runblob.saving import Progress, Sleep, save_video
from batchsora.providers.runblob.transport import Transport
from batchsora.providers.runblob.waiting import Watcher, note, wait
from batchsora.providers.runblob.wire import (
    Wire,
    is_local,
    usable_address,
    usable_token,
)
from jobs.model.families import family_of, named_id, provider_id

_MOST_STALE: Final = 2
"""Pages in a row without anything new after which the API must be ignoring the offset."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def _always() -> bool:
    return True


def _named(family: str, found: GenerationInfo) -> GenerationInfo:
    if found.generation_id is None:
        return found
    return found.model_copy(update={"generation_id": named_id(family, found.generation_id)})


class RunBlobClient:
    """A connection to one account; an asynchronous context manager.

    Calls that fail raise an error of :mod:`batchsora.providers.runblob.errors`.

    Args:
        token: sent to the base address' origin alone, and never shown; None: as the command line
            finds it, in ``RUNBLOB_API_KEY``, ``BATCHSORA_TOKEN_FILE``, or where ``login`` kept it.
        base_url: of the API; None: ``BATCHSORA_BASE_URL``, or the provider's.
        timeout: seconds for a whole call (an upload's own time comes on top).
        transport: of HTTP; None: the program's own, with the environment's proxies
            (``HTTPS_PROXY``, ``NO_PROXY``) and certificates (``SSL_CERT_FILE``, ``SSL_CERT_DIR``).
        now: the wall-clock time, aware.
        monotonic: seconds that only move forward.

    Raises:
        ValueError: there is no token, or the token or address is not valid; never shows the token.
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float = 60,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        if timeout <= 0:
            raise ValueError("the timeout must be more than 0 seconds")
        self.base_url = usable_address(base_url)
        self._token = usable_token(token, self.base_url)
        self._monotonic = monotonic
        self._sleep = sleep
        self._uploads = UploadSlots()
        self._transport = Transport() if transport is None else transport
        self._wire = Wire(self._token, self.base_url, timeout, self._transport, now)

    @property
    def clock_ahead(self) -> timedelta | None:
        """Return how far the API's clock is ahead of ours; None if no recent answer shows it."""
        return self._wire.clock_ahead

    def __repr__(self) -> str:
        return f"RunBlobClient({self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def generate(
        self,
        prompt: str,
        orientation: str = "9:16",
        duration: int = 10,
        image: ImageSource | None = None,
        callback_url: str | None = None,
        idempotency_key: str | None = None,
        *,
        image_url: str | None = None,
        image_base64: str | bytes | None = None,
    ) -> GenerationCreated:
        """Buy one video. What can't be sent as it is is refused before anything is sent.

        Args:
            prompt: 1 to 4000 characters.
            orientation: ``"9:16"`` or ``"16:9"``.
            duration: seconds: 10 or 15.
            image: to start from: a path, a picture's bytes, a web address or a data URI.
            callback_url: where the API announces the end; HTTPS.
            idempotency_key: sent along; the API does not promise to use it.
            image_url: an image's address, by the API's own name for it.
            image_base64: an image as base64 or as a data URI, by the API's own name for it.

        Raises:
            InDoubtError: the video may have been bought; look before you pay again.
            RunBlobError: it was not bought; see :mod:`batchsora.providers.runblob.errors`.
        """
        seconds = check_request(SORA, prompt, orientation, duration, callback_url, idempotency_key)
        source = chosen_image(image, image_url, image_base64)
        images = {} if source is None else {START: source}
        asked = asked_of(SORA, prompt, orientation, seconds, callback_url, {}, images)
        return await self.send(asked, idempotency_key)

    async def generate_from_image(
        self,
        prompt: str,
        image: ImageSource | None = None,
        orientation: str = "9:16",
        duration: int = 10,
        callback_url: str | None = None,
        idempotency_key: str | None = None,
        *,
        image_url: str | None = None,
        image_base64: str | bytes | None = None,
    ) -> GenerationCreated:
        """Buy one video that starts from an image: :meth:`generate` with a required image.

        The image is ``image``, ``image_url`` or ``image_base64``.

        Raises:
            InDoubtError: the video may have been bought; look before you pay again.
            RunBlobError: it did not work; see :mod:`batchsora.providers.runblob.errors`.
        """
        if not (image or image_url or image_base64):
            raise errors.ImageError("nothing was sent: there is no image to start from")
        return await self.generate(
            prompt,
            orientation,
            duration,
            image,
            callback_url,
            idempotency_key,
            image_url=image_url,
            image_base64=image_base64,
        )

    async def send(
        self,
        asked: Asked,
        idempotency_key: str | None,
        may_send: Callable[[], bool] = _always,
        patience: float | None = None,
    ) -> GenerationCreated:
        """Buy one video as :meth:`generate`, unless it is too late.

        Args:
            may_send: asked once, when the request is about to be written; False sends nothing.
            patience: seconds to wait for other uploads; None: no limit.

        Raises:
            WithheldError: ``may_send`` returned False, or the patience was over.
            InDoubtError: as for :meth:`generate`, like all the others.
        """
        slot = self._uploads.slot(sum(size_of(image.source) for image in asked.images))
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(patience):
                    if asked.images:
                        await stack.enter_async_context(slot)
            except TimeoutError:
                raise errors.WithheldError("held back: other images were on their way") from None
            body = await stack.enter_async_context(with_images(asked.fields, asked.images))
            made = await self._wire.buy(
                body, idempotency_key, may_send, slot, asked.prompt, asked.model.generate
            )
        name = named_id(asked.model.family, made.generation_id)
        return made.model_copy(update={"generation_id": name})

    async def status(self, generation_id: Named) -> GenerationInfo:
        """Look up one generation.

        Raises:
            NotFoundError: the account has none of this id.
            ValueError: not a valid id.
        """
        generation_id = models.id_of(generation_id)
        own = provider_id(generation_id)
        path = f"{PATHS[family_of(generation_id)]}/{quote(own, safe='')}/"
        document = await self._wire.read(path, Call.STATUS)
        if not isinstance(document, dict):
            raise errors.WrongAddressError("the answer to a status is not a generation")
        found = models.looked_up(document, own, self._token, self.base_url)
        if found is None:  # an error of the request, told with a 200, is no end of the generation
            raise errors.UnreachableError(
                "the answer does not name the generation that was asked for"
            )
        return found.model_copy(update={"generation_id": generation_id})

    get_status = status
    """The same, under the name of the provider's examples."""

    async def list_generations(
        self, limit: int = 50, offset: int = 0, *, family: str = SORA.family
    ) -> list[GenerationInfo]:
        """Read a page of the account's generations of a family of models, newest first.

        Args:
            limit: 1 to 100.
            offset: how many to skip.
            family: ``sora``, ``veo`` or ``kling``.

        Raises:
            ValueError: there is no such family, or it has no list.
            RunBlobError: see :mod:`batchsora.providers.runblob.errors`.
        """
        if family not in LISTED:
            raise ValueError(f"there is no list of {family!r}; there is one of {', '.join(LISTED)}")
        document = await self._wire.read(
            PATHS[family], Call.READ, {"limit": limit, "offset": offset}
        )
        found = models.listed(document, self._token, self.base_url)
        if found is None:
            raise errors.WrongAddressError("the answer is not a list of generations")
        return [_named(family, one) for one in found]

    async def iter_generations(self, page_size: int = 100) -> AsyncIterator[GenerationInfo]:
        """Read all of the account's generations, newest first, each id once.

        Entries without a usable id are left out.

        Args:
            page_size: how many to read at a time: 1 to 100.

        Raises:
            RunBlobError: see :mod:`batchsora.providers.runblob.errors`.
        """
        # new ones push older ones onto the next page; a page may have fewer than requested, so only
        # an empty one is the end
        seen: set[str] = set()
        offset = stale = 0
        while stale < _MOST_STALE and (page := await self.list_generations(page_size, offset)):
            offset += len(page)
            stale += 1
            for info in page:
                if info.generation_id is not None and info.generation_id not in seen:
                    seen.add(info.generation_id)
                    stale = 0
                    yield info

    async def wait_for_completion(
        self,
        generation_id: Named,
        poll_interval: float = 5,
        timeout: float = 900,  # noqa: ASYNC109 - no cancellation: a read that is under way is finished
        callback: Watcher | None = None,
    ) -> GenerationInfo:
        """Wait until a generation is completed; repeat reads that fail for a while.

        The result prints as the video's address. An error has a note with the generation's id, also
        one that the callback raises: the generation was paid for, and can be waited for again.

        Args:
            poll_interval: seconds between two polls; more when the API asks for it or fails.
            timeout: seconds after which to stop; it is polled once at least.
            callback: called with each status; may be asynchronous.

        Raises:
            GenerationFailedError: it failed.
            StillRunningError: the time is over. The generation continues; call this again.
            NotFoundError: the account has none of this id.
            ValueError: not a valid id, interval or timeout.
            TypeError: the callback can't be called.
        """
        try:
            generation_id = models.id_of(generation_id)
            return await wait(
                generation_id,
                poll_interval,
                timeout,
                callback,
                look=self.status,
                monotonic=self._monotonic,
                sleep=self._sleep,
            )
        except Exception as error:
            note(error, generation_id)
            raise

    async def download(
        self,
        video: Named,
        path: str | os.PathLike[str],
        progress: Progress | None = None,
        *,
        allow_private: bool = False,
    ) -> Path:
        """Download a finished video, whole or not at all; replace the file that is there.

        A download that breaks off is resumed a few times. The token is not sent along.

        Args:
            video: a generation's id, the generation itself, or a video's address.
            path: of the file, or of a folder, for a file named by the id.
            progress: called with the bytes that are here, and the total (None: unknown).
            allow_private: also accept loopback and private addresses, as is always done if the API
                has such an address.

        Returns:
            The file's path.

        Raises:
            DownloadError: it failed; what arrived is kept for the next call.
            StillRunningError: the generation is not finished.
            GenerationFailedError: it failed.
            OSError: the file can't be written.
        """
        return await save_video(
            video,
            path,
            look=self.status,
            transport=self._transport,
            timeout=self._wire.times,
            sleep=self._sleep,
            progress=progress,
            allow_private=allow_private or is_local(self.base_url),
        )

    async def get_balance(self) -> Decimal:
        """Read the account's money in USD; a negative balance counts as zero.

        Raises:
            RunBlobError: see :mod:`batchsora.providers.runblob.errors`.
        """
        document = await self._wire.read("/v1/data/balance", Call.READ)
        found = models.balance(document)
        if found is None:
            raise errors.WrongAddressError("the answer is not a balance")
        return found
