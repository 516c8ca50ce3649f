"""Serving the pages until somebody stops it."""

import contextlib
import errno
import ipaddress
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn
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
from batchsora.settings import Settings, SettingsError, is_loopback
from batchsora.web.app import create_app
from batchsora.web.connections import BACKLOG, bounded
from batchsora.web.login import SHORTEST
from batchsora.web.opening import ADDRESS, Opening, readable_folder
from batchsora.web.web_context import opened
from batchsora.web.webhooks import Webhooks
from jobs.ports.control import Terms

PASSWORD = "BATCHSORA_WEB_PASSWORD"  # noqa: S105 - its name
FIXED = 8321
"""The port where one must be known before the page starts."""

RANDOM = range(49152, 65536)
"""Ports that are nobody's (RFC 6335, 6); browsers refuse some below."""

TRIES = 50
"""Random ports that are tried: some are taken."""

SILENCE = 75
"""Seconds after which a connection without a request is closed."""

WAITING = 2048
"""Connections that wait to be accepted: beyond them the system drops a beginning, which its sender
repeats after 1 s and 3 s."""

FAREWELL = 2
"""Seconds that requests under way are waited for when the server stops."""


@dataclass(frozen=True, slots=True)
class WebTerms:
    """How to serve.

    Attributes:
        host: where to listen; ``localhost`` is 127.0.0.1.
        port: 0 takes a random one that is free; None: see :func:`_port`.
        names: further names under which the page may be asked for.
        password_file: where the password is, if not in the environment.
        download: the folder of the files of runs that are started on the page.
        browser: open one.
        webhooks: take the provider's callbacks.
        standing: caps that ``run`` would take from environment and configuration.
        terminal: whether what is shown goes to a terminal, so that nobody else reads it.
    """

    host: str
    port: int | None
    names: tuple[str, ...]
    password_file: Path | None
    download: Path
    browser: bool
    webhooks: bool
    standing: Terms
    terminal: bool


def serve(
    settings: Settings,
    terms: WebTerms,
    deps: RunDependencies,
    say: Callable[[str], None],
    show: Callable[[str], None],
) -> None:
    """Serve until Ctrl-C.

    Args:
        settings: whose database and API.
        terms: how to serve.
        deps: time and chance.
        say: tells a person something.
        show: shows how the page is opened: always, and in no log.

    Raises:
        OSError: there is no terminal, and no folder for the file with the address.
        SettingsError: it can't listen there, or is to be reached from elsewhere without a password.
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
        names = {_reached(terms.host), *terms.names}
        port, file = listener.getsockname()[1], None
        address = f"http://{_shown(terms.host)}:{port}/"
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
            _tell(webhooks, settings, say)
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
    """Return how uvicorn serves the pages.

    Args:
        app: the pages.
        farewell: seconds that requests under way are waited for when the server stops.
        http: of :func:`batchsora.web.connections.bounded`, with other bounds.
    """
    return uvicorn.Config(
        app,
        http=http or bounded(),
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whoever guesses would choose by them whose guesses those are
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
    """Check that there is a password where the page can be reached from elsewhere.

    Raises:
        SettingsError: there is none.
    """
    if password is not None:
        return
    if not is_loopback(_numbers(terms.host)):
        raise SettingsError(
            f"--host {terms.host} can be reached from other machines, so the page needs a "
            f"password: put one of {SHORTEST} characters or more into {PASSWORD}, or into a file "
            "for --password-file"
        )
    if terms.names:
        raise SettingsError(
            f"--allow-host {terms.names[0]} makes the page reachable from other "
            f"machines, so it needs a password: put one of {SHORTEST} characters or more into "
            f"{PASSWORD}, or into a file for --password-file"
        )
    if terms.webhooks and not api_is_here(settings):
        raise SettingsError(
            "--webhooks makes the page reachable from outside, "
            f"so it needs a password; put one of {SHORTEST} characters or more into {PASSWORD}, "
            "or into a file for --password-file"
        )


def _tell(webhooks: Webhooks, settings: Settings, say: Callable[[str], None]) -> None:
    say(f"callbacks are received on {webhooks.path}")
    say("  runs announce it to the API with --callback-base and this page's public address")
    if webhook_secret() is None and not api_is_here(settings):
        say(f"  set {WEBHOOK_SECRET}, and callbacks without a valid signature are refused")


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
    """Return where to listen as browsers write it; other names than ``localhost`` stay.

    Browsers try ``[::1]`` first for ``localhost``, where any other account may listen.
    """
    host = {"localhost": "127.0.0.1", "": "0.0.0.0"}.get(host.lower(), host)  # noqa: S104 - named
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def _reached(host: str) -> str:
    """Return under which host this machine's browsers reach the page."""
    host = _numbers(host)
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared


def _port(terms: WebTerms, password: str | None) -> int:
    """Return where to listen; 0 is a random port.

    What a browser keeps for an address (scripts, service workers) was planted by whoever had the
    port before, which any account may while the page is stopped. So the page has another port at
    each start. A password is for what must know the port before: proxies, Prometheus, other
    machines. Callbacks come from a tunnel; without a password, they are a sandbox's.
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


def _shown(host: str) -> str:
    host = _reached(host)
    return f"[{host}]" if ":" in host else host
