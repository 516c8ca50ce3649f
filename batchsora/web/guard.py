"""What every request passes: who asks, from where, how much; and what every answer says.

A page on this machine is reachable by every other page that the person has open. So the ``Host``
must be ours (DNS rebinding), a change must come from our own pages (``Origin``, and a token that
only they know), and nothing of ours may be framed, sniffed or scripted from elsewhere.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchsora.web.login import Door

COOKIE: Final = "batchsora"
CSRF_HEADER: Final = "x-csrf-token"
SAFE: Final = ("GET", "HEAD", "OPTIONS")
PUBLIC: Final = ("/static/", "/login", "/healthz")
"""What is served before anybody has said who they are, where that is asked."""

HOOKS: Final = "/hooks/"
"""Callbacks come from the provider, through whatever leads here from outside: they have neither
our name nor a cookie, and guard themselves."""

LARGEST: Final = 1024**2
"""Bytes of a request's body, where its page says nothing else."""

SLOWEST: Final = 30.0
"""Seconds without a byte of a body that is announced."""

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


class TooLargeError(Exception):
    """A body is larger than its page takes."""


class TooSlowError(Exception):
    """A body that was announced does not come."""


class Guard:
    """An ASGI middleware around all pages.

    Args:
        app: the pages.
        hosts: names under which the page may be asked for, without port; others are refused.
        door: asks for a password, where there is one.
        roomy: paths whose bodies have limits of their own, in bytes.
        patience: seconds without a byte of a body that is announced.
        hooks: let callbacks through.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str],
        door: Door,
        roomy: Sequence[tuple[str, int]] = (),
        patience: float = SLOWEST,
        *,
        hooks: bool = False,
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._door = door
        self._roomy = tuple(roomy)
        self._patience = patience
        self._hooks = hooks
        self._secret = secrets.token_bytes(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        session = _session(headers)
        fresh = session is None
        scope["session"] = session = session or secrets.token_urlsafe(32)
        scope["csrf"] = self._token(session)
        send = _Answering(send, session if fresh else None, _is_secure(scope))
        try:
            refused = self._refusal(scope, headers)
            if refused is not None:
                await refused(scope, receive, send)
                return
            limited = _Limited(receive, headers, self._limit(scope["path"]), self._patience)
            await self._app(scope, limited, send)
        except TooLargeError:
            if not send.began:
                # the rest is read and dropped: an answer to somebody who still sends would be lost
                text = "This is more than the page takes."
                await PlainTextResponse(text, 413)(scope, receive, send)
        except TooSlowError:
            if not send.began:
                away = {"Connection": "close"}
                text = "The rest of it did not come."
                await PlainTextResponse(text, 408, away)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        """Say why a request is not served; None when it is."""
        path, method = scope["path"], scope["method"]
        if self._hooks and method == "POST" and path.startswith(HOOKS):
            return None
        if _host(headers.get("host", "")) not in self._hosts:
            return PlainTextResponse(
                "This address is not one of the page's own. Behind a proxy or under another "
                "name, say so: batchsora web --allow-host NAME\n",
                421,
            )
        if method not in SAFE:
            if not _is_from_here(headers):
                return PlainTextResponse("This came from another site's page.\n", 403)
            given = headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(given.encode(), scope["csrf"].encode()):
                return PlainTextResponse(
                    "This page is from before a restart: reload it, and try again.\n", 403
                )
        return self._at_the_door(scope, headers)

    def _at_the_door(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        """Ask for the password, where there is one."""
        path = scope["path"]
        if self._door.is_open(scope["session"]) or path.startswith(PUBLIC):
            return None
        if self._door.knows(headers.get("authorization", "")):
            return None
        if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            return RedirectResponse("/login", 303)
        return PlainTextResponse("Log in first.\n", 401)

    def _token(self, session: str) -> str:
        return hmac.new(self._secret, session.encode(), hashlib.sha256).hexdigest()

    def _limit(self, path: str) -> int:
        return next((size for prefix, size in self._roomy if path.startswith(prefix)), LARGEST)


class _Limited:
    """A request's body, up to a size, and not for ever."""

    def __init__(self, receive: Receive, headers: Headers, limit: int, patience: float) -> None:
        self._receive = receive
        self._patience = patience
        self._left = limit
        self._whole = False
        announced = headers.get("content-length", "0")
        if not announced.isdecimal() or len(announced) > LONGEST_NUMBER or int(announced) > limit:
            raise TooLargeError

    async def __call__(self) -> Message:
        if self._whole:  # from here on it only waits for the connection to end
            return await self._receive()
        try:
            async with asyncio.timeout(self._patience):
                message = await self._receive()
        except TimeoutError as error:
            raise TooSlowError from error
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise TooLargeError
            self._whole = not message.get("more_body", False)
        return message


_SESSION: Final = re.compile(r"[A-Za-z0-9_-]{43}")
LONGEST_NUMBER: Final = 15
"""Digits of a length that is believed to be one."""


class _Answering:
    """Adds to the beginning of an answer what each has to say."""

    def __init__(self, send: Send, session: str | None, secure: bool) -> None:  # noqa: FBT001 - one caller
        self._send = send
        self._session = session
        self._secure = secure
        self.began = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.began = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            if self._session is not None:
                flags = "; Secure" if self._secure else ""
                cookie = f"{COOKIE}={self._session}; Path=/; HttpOnly; SameSite=Strict{flags}"
                headers.append("Set-Cookie", cookie)
        await self._send(message)


def _session(headers: Headers) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found is not None and _SESSION.fullmatch(found.value) else None


def _host(given: str) -> str:
    """Name a ``Host`` without its port."""
    try:
        return urlsplit(f"//{given}").hostname or ""
    except ValueError:
        return ""


def _is_from_here(headers: Headers) -> bool:
    """Say whether a change was asked for by a page of ours."""
    origin = headers.get("origin")
    if origin is None:  # browsers send it with every change; other programs need not
        return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    try:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    except ValueError:
        return False


def _is_secure(scope: Scope) -> bool:
    found: Any = scope.get("scheme")
    return bool(found == "https")
