"""The sandbox, some of whose answers a test replaces: over real HTTP."""

import inspect
from collections.abc import Awaitable, Callable

from aiohttp import web

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

Answered = web.StreamResponse | None
Answerer = Callable[[web.Request], Answered | Awaitable[Answered]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

POST = "/v1/sora/generate"
LIST = "/v1/sora/generations"
BALANCE = "/v1/data/balance"


class OddServer(SandboxServer):
    """A sandbox that asks a function first what to answer.

    Args:
        world: what the provider does otherwise.
        answer: gives an answer, or None for the sandbox's own.
    """

    def __init__(self, world: World, answer: Answerer) -> None:
        super().__init__(world)
        usual = self._sandbox.application

        @web.middleware
        async def first(request: web.Request, handler: Handler) -> web.StreamResponse:
            found = answer(request)
            if inspect.isawaitable(found):
                found = await found
            return await handler(request) if found is None else found

        def application() -> web.Application:
            app = usual()
            app.middlewares.append(first)
            return app

        self._sandbox.application = application  # type: ignore[method-assign]


def html(status: int) -> web.Response:
    """Answer as a firewall does."""
    page = "<!doctype html><title>Attention required</title><p>You have been blocked."
    return web.Response(text=page, status=status, content_type="text/html")
