"""Callbacks: the sandbox announces ends as the provider does (docs/api.md), on this machine alone.

A rehearsal touches nothing outside, so that an address elsewhere is taken and never called.
"""

import asyncio
import hashlib
import hmac
import json
import logging
from typing import Final

import aiohttp
from aiohttp import web

from batchsora.sandbox.account import Made
from batchsora.sandbox.world import World
from batchsora.settings import is_here
from jobs.model.clock import Clock

log = logging.getLogger(__name__)

WAITS: Final = (30.0, 60.0, 120.0, 240.0)
"""Seconds of the provider's time between its five tries."""

PATIENCE: Final = 10.0
"""Seconds for one try."""


class Callbacks:
    """Tells whoever asked for it that a generation has ended.

    Args:
        world: whose generations they are.
        clock: time.
        secret: signs each body, where it is set.
    """

    def __init__(self, world: World, clock: Clock, secret: str | None) -> None:
        self._world = world
        self._clock = clock
        self._secret = secret
        self._promised: set[str] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def promise(self, item: Made, address: object, files: str) -> None:
        """Announce a generation's end when it comes, once.

        Args:
            item: the generation.
            address: what the request named; None and addresses elsewhere are called by nobody.
            files: the address below which videos are.
        """
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
        while (left := item.takes - self._age(item)) > 0:
            await self._clock.sleep(left)
        shown = self._world.view(item, self._clock.now(), files)
        told = "error_message" if shown["video_url"] is None else "video_url"
        names = ("generation_id", "status", "prompt", told, "created_at", "completed_at")
        body = json.dumps({name: shown[name] for name in names}).encode()
        for wait in (*WAITS, None):
            if await self._call(address, body) or wait is None:
                return
            await self._clock.sleep(wait / self._world.time_scale)

    def _age(self, item: Made) -> float:
        return (self._clock.now() - item.created_at).total_seconds()

    async def _call(self, address: str, body: bytes) -> bool:
        """Call once; says whether it was taken."""
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
