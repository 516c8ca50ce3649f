"""The pages as one Starlette application around one :class:`WebContext`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from batchsora.settings import SettingsError
from batchsora.web import entering, live, login, media
from batchsora.web.answers import refused, render
from batchsora.web.entering import Tickets
from batchsora.web.guard import HOOKS, SLOWEST, Guard
from batchsora.web.live import Live
from batchsora.web.login import Door
from batchsora.web.pages import batches, gallery, generate, manifests, steering
from batchsora.web.planning import Planner
from batchsora.web.web_context import WebContext
from batchsora.web.webhooks import LARGEST, Webhooks, watched
from jobs.model.errors import EngineError

STATIC = Path(__file__).parent / "static"
ROOMY = (("/generate", 11 * 1024**2), ("/manifests", 101 * 1024**2), (HOOKS, LARGEST))
"""Bytes of a body, by the beginning of its path: a picture of 10 MB, a manifest of 100 MB."""


def create_app(
    web: WebContext,  # what the pages work with
    hosts: Collection[str] = ("127.0.0.1",),  # host names under which it answers
    password: str | None = None,  # without one, people come in by tickets
    webhooks: Webhooks | None = None,  # takes the provider's callbacks, if wanted
    patience: float = SLOWEST,  # seconds without a byte of an announced body
    *,
    tell: Callable[[str], None],  # called with each ticket where there is no password
) -> Starlette:
    """Return the application."""
    door = Door(password, web.clock)
    routes: list[BaseRoute] = [
        *batches.routes,
        *steering.routes,
        *generate.routes,
        *gallery.routes,
        *manifests.routes,
        *media.routes,
        *watched,
        *live.routes,
        *(login.routes if door.locked else entering.routes),
        *login.leaving,
        *([] if webhooks is None else [webhooks.route()]),
        Mount("/static", _Static(directory=STATIC), name="static"),
    ]
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(
                Guard,
                hosts=hosts,
                door=door,
                roomy=ROOMY,
                patience=patience,
                hooks=webhooks is not None,
            ),
        ],
        exception_handlers={
            HTTPException: _http_error,
            EngineError: _engine_error,
            SettingsError: _engine_error,
            ClientDisconnect: _gone,
        },
        lifespan=_lifespan,
    )
    app.state.web, app.state.door, app.state.live = web, door, Live(web)
    app.state.planner = Planner(web)
    app.state.sent = {}
    app.state.webhooks = webhooks
    app.state.tickets = Tickets(tell)
    if not door.locked:
        app.state.tickets.renew()
    return app


class _Static(StaticFiles):
    """Files of the package: the browser keeps them, and asks each time whether they changed."""

    async def get_response(self, path: str, scope: dict[str, object]) -> Response:  # type: ignore[override]
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    working = [asyncio.create_task(app.state.live.run())]
    if app.state.webhooks is not None:
        working.append(asyncio.create_task(app.state.webhooks.run()))
    try:
        yield
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = error.detail if isinstance(error, HTTPException) else ""
    if request.headers.get("hx-request") or "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse(text, status)
    return render(request, "error.html", status_code=status, title=text or "Not found", code=status)


async def _gone(request: Request, error: Exception) -> Response:
    """Answer a sender who left before the form was complete; that is no fault to log."""
    del request, error
    return Response(status_code=400)


async def _engine_error(request: Request, error: Exception) -> Response:
    del request
    return refused(error)
