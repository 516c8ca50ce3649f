"""The door: beyond loopback nobody comes in without the password.

It is compared in constant time, and only so often a minute, whoever asks: guessing takes for ever.
"""

import hashlib
import hmac
from collections import OrderedDict
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from batchsora.web.rendering import render
from jobs.clock import Clock

TRIES: Final = 10
"""Wrong passwords in a row that are answered at once."""

REST: Final = 6.0
"""Seconds until another one is answered."""

MOST_SESSIONS: Final = 1000
SHORTEST: Final = 12
"""Characters of a password."""


class Door:
    """Knows who may come in.

    Args:
        password: None lets everybody in: on loopback.
        clock: time.
    """

    def __init__(self, password: str | None, clock: Clock) -> None:
        self._digest = None if password is None else _digest(password)
        self._clock = clock
        self._inside: OrderedDict[str, None] = OrderedDict()
        self._tries = float(TRIES)
        self._at = clock.monotonic()

    @property
    def locked(self) -> bool:
        """Say whether a password is asked for."""
        return self._digest is not None

    def is_open(self, session: str) -> bool:
        """Say whether a session may come in."""
        return self._digest is None or session in self._inside

    def knows(self, authorization: str) -> bool:
        """Take the password from a program: ``Authorization: Bearer …``."""
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and self.fits(given) is True

    def fits(self, password: str) -> bool | None:
        """Compare a password; None when it is too soon to say."""
        now = self._clock.monotonic()
        self._tries = min(float(TRIES), self._tries + (now - self._at) / REST)
        self._at = now
        if self._tries < 1:
            return None
        if self._digest is not None and hmac.compare_digest(_digest(password), self._digest):
            return True
        self._tries -= 1
        return False

    def let_in(self, session: str) -> None:
        """Let a session in until it leaves, or the server ends."""
        self._inside[session] = None
        if len(self._inside) > MOST_SESSIONS:
            self._inside.popitem(last=False)

    def let_out(self, session: str) -> None:
        """Ask a session for the password again."""
        self._inside.pop(session, None)


def _digest(password: str) -> bytes:
    return hashlib.sha256(password.encode("utf-8", "replace")).digest()


async def _show(request: Request) -> Response:
    return render(request, "login.html", problem="")


async def _enter(request: Request) -> Response:
    door: Door = request.app.state.door
    form = await request.form(max_files=0, max_fields=5)
    fits = door.fits(str(form.get("password", "")))
    if fits:
        door.let_in(request.scope["session"])
        return Response(status_code=204, headers={"HX-Redirect": "/"})
    problem = "That is not the password."
    if fits is None:
        problem = "Too many tries: wait some seconds, and try again."
    return render(request, "login.html", problem=problem, status_code=429 if fits is None else 403)


async def _leave(request: Request) -> Response:
    door: Door = request.app.state.door
    door.let_out(request.scope["session"])
    if request.headers.get("hx-request"):
        return Response(status_code=204, headers={"HX-Redirect": "/login"})
    return RedirectResponse("/login", 303)


routes = [
    Route("/login", _show),
    Route("/login", _enter, methods=["POST"]),
    Route("/logout", _leave, methods=["POST"]),
]
