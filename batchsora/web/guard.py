"""What every request passes: who asks, from where, how much; and the headers of every answer.

Every other page that the person has open can reach a page on this machine. So the ``Host`` must be
ours (DNS rebinding), a change must come from our own pages (``Origin``, and a token that only they
know), and nothing of ours may be framed, sniffed or scripted from elsewhere.
"""

import asyncio
import hmac
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchsora.web.answers import failed, is_page
from batchsora.web.entering import ENTER, came_from_elsewhere, closed, onward
from batchsora.web.login import DEVICE, LOGIN, Door, login_for

COOKIE: Final = "batchsora"
REMEMBERED: Final = 365 * 86_400  # seconds for which a browser keeps that it had the password
CSRF_HEADER: Final = "x-csrf-token"
SAFE: Final = ("GET", "HEAD", "OPTIONS")
PUBLIC: Final = ("/static/", "/healthz")  # what strangers are served, beside the way in
NEWEST: Final = "open the newest address that 'batchsora web' shows in its terminal"
LOG_IN: Final = f"You are not logged in, and nothing was changed: open {LOGIN} to log in again."
STRANGER: Final = (
    f"Not logged in: {NEWEST}. Programs, "
    "such as Prometheus, need a password: set BATCHSORA_WEB_PASSWORD for 'batchsora web', and send "
    "'Authorization: Bearer PASSWORD'.\n"
)

HOOKS: Final = "/hooks/"
"""Callbacks come from the provider, through whatever leads here from outside: they have neither
our name nor a cookie, and guard themselves."""

WATCHING: Final = "/events"  # open pages ask by themselves: no sign that a person is there
LARGEST: Final = 1024**2  # bytes of a request's body, where its page says nothing else
SLOWEST: Final = 30.0  # seconds without a byte of a body that is announced
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; manifest-src 'self'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


TOO_LARGE: Final = (413, "This is larger than the page accepts.")


class BodyError(Exception):
    """A body is larger than its page takes, or does not arrive: the status and its text."""


class Guard:
    """An ASGI middleware around all pages."""

    def __init__(
        self,
        app: ASGIApp,  # the pages
        hosts: Collection[str],  # host names under which the page answers, without port
        door: Door,  # knows who is logged in, and whether a password is needed
        roomy: Sequence[tuple[str, int]] = (),  # other limits by path, in bytes
        patience: float = SLOWEST,  # seconds without a byte of an announced body
        *,
        hooks: bool = False,  # let callbacks through
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._door = door
        self._roomy = tuple(roomy)
        self._patience = patience
        self._hooks = hooks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        name = _cookie_name(headers)
        is_used = scope["path"] != WATCHING
        given = self._given(_cookies(headers, name), used=is_used)
        session = given or self._door.new_session()
        scope["session"], scope["csrf"], scope["inside"] = (
            session,
            self._door.csrf_token(session),
            False,
        )
        scope["holds_key"] = self._door.is_open(session, used=False)
        scope["logs_in"] = self._door.locked and scope["path"] == LOGIN
        address = (scope.get("client") or ("",))[0]
        scope["guesser"] = self._door.guesser(address, _cookies(headers, f"{name}-{DEVICE}"))
        send = _Answering(send, scope, name, given)
        try:
            refused = self._refusal(scope, headers)
            if refused is not None:
                await refused(scope, receive, send)
                return
            own = (size for prefix, size in self._roomy if scope["path"].startswith(prefix))
            limited = _Limited(receive, headers, next(own, LARGEST), self._patience)
            if not scope["inside"]:
                limited.hurry()
            await self._app(scope, limited, send)
        except BodyError as error:
            if not send.began:
                status, text = error.args
                # the rest of a large one is read and dropped: else its sender would miss the answer
                away = {"Connection": "close"} if status == HTTPStatus.REQUEST_TIMEOUT else None
                await failed(Request(scope), status, text, away)(scope, receive, send)

    def _given(self, sessions: Sequence[str], *, used: bool) -> str:
        """Choose among cookies of one name: others of this host may set it for some paths.

        Browsers send the one of the longer path first, which may be theirs.
        """
        for fits in (partial(self._door.is_open, used=used), self._door.made):
            for session in sessions:
                if fits(session):
                    return session
        return ""

    def _refusal(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        """Return why a request is refused; None when it is served."""
        path, method = scope["path"], scope["method"]
        if self._hooks and method == "POST" and path.startswith(HOOKS):
            return None
        if _host(headers.get("host", "")) not in self._hosts:
            return PlainTextResponse(
                "The page does not answer under this host name. On this machine open the address "
                "that "
                "'batchsora web' shows: 127.0.0.1, not localhost. For a proxy or another "
                "name: batchsora web --allow-host NAME, with a password\n",
                421,
            )
        if method not in SAFE:
            if not _is_from_here(headers):
                return PlainTextResponse("This came from another site's page.\n", 403)
            given = headers.get(CSRF_HEADER, "")
            fits = hmac.compare_digest(given.encode(), scope["csrf"].encode())
            # the password says more than the key, and is the way out for who is inside without it
            if not fits and not scope["logs_in"]:
                again = f"open {LOGIN}" if self._door.locked else NEWEST
                return failed(
                    Request(scope),
                    403,
                    "Nothing was changed: the server was restarted, or you logged in elsewhere. "
                    f"Reload the page; if that is not enough, {again} to log in again.",
                )
        return self._at_the_door(scope, headers)

    def _at_the_door(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        """Refuse whoever is not logged in, and show how to come in."""
        session, door = scope["session"], self._door
        scope["inside"] = scope["holds_key"]
        scope["may_stay"] = lambda: door.is_open(session, used=False)
        if not scope["inside"] and door.knows(headers.get("authorization", ""), scope["guesser"]):
            scope["inside"] = True
            scope["may_stay"] = lambda: True
        way_in = LOGIN if door.locked else ENTER
        if scope["inside"] or scope["path"].startswith((*PUBLIC, way_in)):
            return None
        request = Request(scope)
        if scope["method"] != "GET" or not is_page(request):
            # a part of a page as well: a script would put the whole way in into its middle
            return PlainTextResponse(f"{LOG_IN}\n" if door.locked else STRANGER, 401)
        query = scope["query_string"].decode("latin-1")
        asked = scope["raw_path"].decode("latin-1") + (query and f"?{query}")
        if came_from_elsewhere(request):
            return onward(request, asked)
        return RedirectResponse(login_for(asked), 303) if door.locked else closed(request)


class _Limited:
    """A request's body, limited in size and time."""

    def __init__(self, receive: Receive, headers: Headers, limit: int, patience: float) -> None:
        self._receive = receive
        self._patience = patience
        self._left = limit
        self._whole = False
        self._until: float | None = None
        announced = headers.get("content-length", "0")
        if not announced.isdecimal() or len(announced) > LONGEST_NUMBER or int(announced) > limit:
            raise BodyError(*TOO_LARGE)

    def hurry(self) -> None:
        """Limit the time of the whole body, not only of each piece: a stranger sends it."""
        self._until = asyncio.get_running_loop().time() + self._patience

    async def __call__(self) -> Message:
        if self._whole:  # from here on it only waits for the connection to end
            return await self._receive()
        try:
            now = asyncio.get_running_loop().time()
            async with asyncio.timeout_at(self._until or now + self._patience):
                message = await self._receive()
        except TimeoutError as error:
            raise BodyError(408, "The request was incomplete.") from error
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise BodyError(*TOO_LARGE)
            self._whole = not message.get("more_body", False)
        return message


LONGEST_NUMBER: Final = 15  # digits of a length that is believed to be one


class _Answering:
    """Adds to the beginning of an answer what each must have."""

    def __init__(self, send: Send, scope: Scope, name: str, given: str) -> None:
        self._send = send
        self._scope = scope
        self._name = name
        self._given = given
        self.began = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.began = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            for cookie in self._cookies():
                headers.append("Set-Cookie", cookie)
        await self._send(message)

    def _cookies(self) -> Iterator[str]:
        flags = "Path=/; HttpOnly; SameSite=Strict" + (
            "; Secure" if _is_secure(self._scope) else ""
        )
        # strangers have no use for one but to log in; whoever comes by another site's link seems to
        # be one, and must not lose the own
        lasts = self._scope["inside"] or self._scope["logs_in"]
        if lasts and self._scope["session"] != self._given:
            yield f"{self._name}={self._scope['session']}; {flags}"
        if device := self._scope.get("device"):
            yield f"{self._name}-{DEVICE}={device}; Max-Age={REMEMBERED}; {flags}"


def _cookies(headers: Headers, name: str) -> list[str]:
    """Return the values of a cookie of ours; other sites of this host may have set any of them.

    Browsers send the cookies of every port in one header, proxies may split it, and those of others
    may be malformed.
    """
    found = []
    for header in headers.getlist("cookie"):
        for pair in header.split(";"):
            key, _, value = pair.partition("=")
            if key.strip() == name:
                found.append(value.strip())
    return found


def _cookie_name(headers: Headers) -> str:
    """Return the session cookie's name: cookies ignore ports, and each port has its own page."""
    try:
        port = urlsplit(f"//{headers.get('host', '')}").port
    except ValueError:
        port = None
    return COOKIE if port is None else f"{COOKIE}-{port}"


def _host(given: str) -> str:
    try:
        return urlsplit(f"//{given}").hostname or ""
    except ValueError:
        return ""


def _is_from_here(headers: Headers) -> bool:
    """Return whether a page of ours asked for a change."""
    origin = headers.get("origin")
    if origin is None:  # browsers send it with every change; other programs need not
        return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    try:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    except ValueError:
        return False


def _is_secure(scope: Scope) -> bool:
    """Return whether the browser uses TLS; a false claim harms only who makes it."""
    said = Headers(scope=scope).get("x-forwarded-proto", "")
    return scope.get("scheme") == "https" or said.partition(",")[0].strip().lower() == "https"
