"""The pages as one Starlette application, and serving it until it is stopped."""

import asyncio
import contextlib
import errno
import ipaddress
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from batchsora.children import open_browser
from batchsora.composition.callbacks import (
    WEBHOOK_SECRET,
    api_is_here,
    callback_path,
    webhook_secret,
)
from batchsora.composition.databases import made_side_folder
from batchsora.composition.session import RunDependencies
from batchsora.presentation.errors import message
from batchsora.settings import Settings, SettingsError, is_loopback
from batchsora.web import entering, live, login
from batchsora.web.answers import failed, is_page, refused
from batchsora.web.dropped import LARGEST_FORM
from batchsora.web.entering import ADDRESS, Opening, Tickets, readable_folder
from batchsora.web.guard import HEADERS, HOOKS, SLOWEST, Guard
from batchsora.web.live import BACKLOG, Live, bounded
from batchsora.web.login import SHORTEST, Door
from batchsora.web.pages import (
    batches,
    budgets,
    candidates,
    gallery,
    generate,
    manifest_starts,
    manifests,
    news,
    results,
    rewording,
    steering,
)
from batchsora.web.planning import Planner
from batchsora.web.web_context import WebContext, opened
from batchsora.web.webhooks import LARGEST, Webhooks, watched
from jobs.model.errors import EngineError
from jobs.ports.control import Terms

STATIC = Path(__file__).parent / "static"
ROOMY = (("/generate", 11 * 1024**2), ("/manifests", LARGEST_FORM + 1024**2), (HOOKS, LARGEST))
"""Bytes of a body, by the beginning of its path: a picture of 10 MB, a manifest with pictures."""


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
        *budgets.routes,
        *candidates.routes,
        *results.routes,
        *rewording.routes,
        *generate.routes,
        *gallery.routes,
        *manifests.routes,
        *news.routes,
        *manifest_starts.routes,
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
            Exception: _broke,
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
    if not isinstance(error, HTTPException):
        return await _broke(request, error)
    usual = HTTPStatus(error.status_code).phrase  # Starlette's own words
    text = "" if error.detail == usual else error.detail
    return failed(request, error.status_code, text, error.headers)


async def _broke(request: Request, error: Exception) -> Response:
    """Answer where the page itself fails; Starlette raises the error again, for the log."""
    del error
    return failed(request, 500, headers={**HEADERS, "Cache-Control": "no-store"})


async def _gone(request: Request, error: Exception) -> Response:
    """Answer a sender who left before the form was complete; that is no fault to log."""
    del request, error
    return Response(status_code=400)


async def _engine_error(request: Request, error: Exception) -> Response:
    answer = refused(error)
    if is_page(request):
        return failed(request, answer.status_code, message(error))
    return answer


PASSWORD = "BATCHSORA_WEB_PASSWORD"  # noqa: S105 - its name
FIXED = 8321  # the port where one must be known before the page starts
RANDOM = range(49152, 65536)  # dynamic ports (RFC 6335, 6); browsers refuse some below
TRIES = 50  # random ports that are tried: some are taken
SILENCE = 75  # seconds after which a connection without a request is closed
WAITING = 2048
"""Connections that wait to be accepted: beyond them the system drops a beginning, which its sender
repeats after 1 s and 3 s."""

FAREWELL = 2  # seconds that requests under way are waited for when the server stops


@dataclass(frozen=True, slots=True)
class WebTerms:
    """How to serve."""

    host: str  # where to listen; ``localhost`` is 127.0.0.1
    port: int | None  # 0 takes a free random one; None: see :func:`_port`
    names: tuple[str, ...]  # further host names of the page
    password_file: Path | None  # where the password is, if not in the environment
    download: Path  # the folder of the files of runs started on the page
    browser: bool  # open one
    webhooks: bool  # take the provider's callbacks
    standing: Terms  # caps that ``run`` would take from environment and configuration
    terminal: bool  # output goes to a terminal, so that nobody else reads it


def serve(
    settings: Settings,  # whose database and API
    terms: WebTerms,  # how to serve
    deps: RunDependencies,  # time and chance
    say: Callable[[str], None],  # writes a message
    show: Callable[[str], None],  # shows how the page is opened: always, and never in a log
) -> None:
    """Serve until Ctrl-C.

    Raises:
        OSError: there is no terminal, and no folder for the file with the address.
        SettingsError: it can't listen there, or needs a password and has none.
        jobs.model.errors.EngineError: the database can't be used.
    """
    password = _password(terms)
    _check_password(settings, terms, password)
    with (
        opened(settings, deps, terms.download, terms.standing) as web,
        _listening(terms, _port(terms, password)) as listener,
        contextlib.ExitStack() as put_away,
    ):
        webhooks = None
        if terms.webhooks:
            path = callback_path(settings.database)
            webhooks = Webhooks(web, path, webhook_secret())
        # nothing else of this machine: whoever listens on [::1], which `localhost` leads to first,
        # would be given what a browser keeps for that name
        host = _reached(terms.host)
        names = {host, *terms.names}
        port, file = listener.getsockname()[1], None
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        if password is not None:
            say(f"the page is at {address}; stop it with Ctrl-C; runs continue without it")
        else:
            say("the page is served until Ctrl-C; runs that it starts continue without it")
            if terms.terminal:
                say("open this address; it works once, then the next one is shown:")
            else:
                say("the output is not a terminal, so the address, which works once, is in a file:")
                file = made_side_folder(settings.database) / ADDRESS.format(port=port)
        opening = Opening(address, show, readable_folder(), browser=terms.browser, file=file)
        put_away.callback(opening.close)
        app = create_app(web, names, password, webhooks, tell=opening)
        if webhooks is not None:
            say(f"callbacks are received on {webhooks.path}")
            say("  runs announce it to the API with --callback-base and this page's public address")
            if webhook_secret() is None and not api_is_here(settings):
                say(f"  set {WEBHOOK_SECRET}, and callbacks without a valid signature are refused")
        if not is_loopback(_numbers(terms.host)):
            say("put a server with TLS in front of it: the password is sent unencrypted")
        if terms.browser and password is not None:
            open_browser(address)

        async def farewell() -> None:
            opening.close()  # after a signal the process may end without coming back here
            await app.state.live.end()

        _Server(configured(app), farewell).run(sockets=[listener])


def configured(
    app: ASGIApp, farewell: int = FAREWELL, http: type[H11Protocol] | None = None
) -> uvicorn.Config:
    """Return uvicorn's configuration for the pages; ``farewell`` is in seconds."""
    return uvicorn.Config(
        app,
        http=http or bounded(),
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # a guesser would choose by them whose guesses count
        timeout_keep_alive=SILENCE,
        timeout_graceful_shutdown=farewell,
        h11_max_incomplete_event_size=64 * 1024,
    )


class _Server(uvicorn.Server):
    """Lets open pages go before it waits for requests under way."""

    def __init__(self, config: uvicorn.Config, farewell: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._farewell = farewell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(WAITING)  # asyncio's backlog is also how many it accepts in one go

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._farewell()
        await super().shutdown(sockets)


def _check_password(settings: Settings, terms: WebTerms, password: str | None) -> None:
    """Raise an error where other machines could reach the page without a password."""
    if password is not None:
        return
    why = None
    if not is_loopback(_numbers(terms.host)):
        why = (
            f"--host {terms.host} can be reached from other machines, so the page needs a password:"
        )
    elif terms.names:
        named = f"--allow-host {terms.names[0]}"
        why = f"{named} makes the page reachable from other machines, so it needs a password:"
    elif terms.webhooks and not api_is_here(settings):
        why = "--webhooks makes the page reachable from outside, so it needs a password;"
    if why is not None:
        raise SettingsError(
            f"{why} put one of {SHORTEST} characters or more into {PASSWORD}, or into a file for "
            "--password-file"
        )


def _password(terms: WebTerms) -> str | None:
    found = os.environ.get(PASSWORD)
    where = PASSWORD
    if found is None and terms.password_file is not None:
        where = str(terms.password_file)
        try:
            found = terms.password_file.read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise SettingsError(f"the password in {where} can't be read: {error}") from error
    if found is not None and len(found) < SHORTEST:
        raise SettingsError(f"the password in {where} is shorter than {SHORTEST} characters")
    return found


def _numbers(host: str) -> str:
    """Return the address to listen on as browsers write it; names other than ``localhost`` stay.

    Browsers try ``[::1]`` first for ``localhost``, where any other account may listen.
    """
    host = {"localhost": "127.0.0.1", "": "0.0.0.0"}.get(host.lower(), host)  # noqa: S104 - named
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def _reached(host: str) -> str:
    """Return the host under which this machine's browsers reach the page."""
    host = _numbers(host)
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared


def _port(terms: WebTerms, password: str | None) -> int:
    """Return the port to listen on; 0 is a random one.

    What a browser keeps for an address (scripts, service workers) may be planted by whoever had the
    port before, which any account may while the page is stopped. So the page has another port at
    each start. A password is for what must know the port before: proxies, Prometheus, other
    machines. Callbacks come from a tunnel; without a password they are a sandbox's.
    """
    if terms.port is not None:
        return terms.port
    return FIXED if password is not None or terms.webhooks else 0


def _listening(terms: WebTerms, port: int) -> socket.socket:
    # the system's own choice is not random everywhere
    ports = (
        [port] if port else [RANDOM.start + secrets.randbelow(len(RANDOM)) for _ in range(TRIES)]
    )
    for number in ports:
        try:
            host = _numbers(terms.host)
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = socket.create_server((host, number), family=family)
        except OSError as error:
            if number != ports[-1] and error.errno in (errno.EADDRINUSE, errno.EACCES):
                continue
            raise SettingsError(
                f"the page can't listen on {terms.host}, port {number} ({error.strerror}): choose "
                "another one with --port, or 0 for any"
            ) from error
        break
    # asyncio sets it for sockets that name their protocol alone; without it an answer whose head
    # and body are two writes waits 40 ms for the client's delayed acknowledgement
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
