"""The door: who is logged in, and how to log in with the password.

It is needed beyond loopback and wherever it is set; otherwise one comes in by
:mod:`batchsora.web.entering`. It is compared in constant time, and each guesser has few tries a
minute: guessing takes forever, and keeps nobody else out.
"""

import hashlib
import hmac
import ipaddress
import json
import re
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from batchsora.web.answers import is_page, render
from batchsora.web.entering import onward
from jobs.model.clock import Clock

if TYPE_CHECKING:
    from batchsora.web.live import Live

LOGIN: Final = "/login"
MOST_SESSIONS: Final = 1000
SHORTEST: Final = 12  # characters of a password
IDLE: Final = 12 * 3600.0  # seconds after which a session that asked for nothing ends
LONGEST: Final = 7 * 86_400.0  # seconds after which any session ends
DEVICE: Final = "known"
"""Marks, in a cookie's name, a browser that had the password once: strangers who guess wrong from
the same address do not keep it waiting."""


@dataclass(slots=True)
class _Inside:
    """A session that is logged in; times by the monotonic clock."""

    since: float
    seen: float


class Door:
    """Knows who may come in; without a password nobody does by one."""

    def __init__(self, password: str | None, clock: Clock) -> None:
        self._digest = None if password is None else _digest(password)
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._inside: OrderedDict[str, _Inside] = OrderedDict()
        self._throttle = Throttle(clock)

    @property
    def locked(self) -> bool:
        """Return whether a password is needed."""
        return self._digest is not None

    def new_session(self) -> str:
        """Make the id of a session, which only this server can have made."""
        return self._signed("session", secrets.token_urlsafe(16))

    def made(self, session: str) -> bool:
        """Return whether an id is one of :meth:`new_session`."""
        return self._is_signed("session", session)

    def new_device(self) -> str:
        """Make the mark of a browser that had the password."""
        return self._signed("device", secrets.token_urlsafe(16))

    def csrf_token(self, session: str) -> str:
        """Return what a change in this session must carry: only our own pages know it.

        A browser gets it once, when it comes in, and keeps it for this host and port. No page
        carries it: browsers send cookies to every port of a host, so that whoever listens on
        another one could ask for that page, and then spend.
        """
        return self._mark("csrf", session)

    def guesser(self, address: str, devices: Iterable[str]) -> str:
        """Return whose wrong guesses count together: a known browser's own, else an address's."""
        known = (one for one in devices if self._is_signed("device", one))
        return next(known, network_of(address))

    def is_open(self, session: str, *, used: bool = True) -> bool:
        """Return whether a session may come in; ``used`` keeps it open."""
        found, now = self._inside.get(session), self._clock.monotonic()
        if found is None:
            return False
        if now - found.seen > IDLE or now - found.since > LONGEST:
            del self._inside[session]
            return False
        if used:
            found.seen = now
        return True

    def knows(self, authorization: str, guesser: str) -> bool:
        """Check a program's password: ``Authorization: Bearer …``."""
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and self.fits(_written(given), guesser) is True

    def fits(self, password: str, guesser: str) -> bool | None:
        """Compare a password; None when it is too soon for another try."""
        if not self._throttle.may(guesser):
            return None
        if self._digest is not None and hmac.compare_digest(_digest(password), self._digest):
            return True
        self._throttle.failed(guesser)
        return False

    def let_in(self, instead_of: str = "") -> str:
        """Log somebody in with a new session id: others may know the one of before, which ends."""
        self.let_out(instead_of)
        now, session = self._clock.monotonic(), self.new_session()
        self._inside[session] = _Inside(now, now)
        if len(self._inside) > MOST_SESSIONS:
            self._inside.popitem(last=False)
        return session

    def let_out(self, session: str) -> None:
        """End a session."""
        self._inside.pop(session, None)

    def _signed(self, what: str, name: str) -> str:
        return f"{name}.{self._mark(what, name)}"

    def _is_signed(self, what: str, given: str) -> bool:
        name, _, mark = given.partition(".")
        return bool(mark) and hmac.compare_digest(mark.encode(), self._mark(what, name).encode())

    def _mark(self, what: str, name: str) -> str:
        return hmac.new(self._secret, f"{what} {name}".encode(), hashlib.sha256).hexdigest()


def _digest(password: str) -> bytes:
    return hashlib.sha256(password.encode("utf-8", "replace")).digest()


def _written(given: str) -> str:
    """Return a header's text, which is taken for Latin-1, as UTF-8 where it is that."""
    try:
        return given.encode("latin-1").decode()
    except UnicodeError:
        return given


_OWN: Final = re.compile(r"/(?![/\\])[!-\[\]-~]{0,2000}", re.ASCII)
"""A path of ours: neither another host (``//``, ``/\\``) nor anything that browsers leave out."""

_DOORS: Final = (LOGIN, "/logout", "/enter/")


def way_back(asked: str) -> str:
    """Return the path of ours that somebody asked for before logging in; else the first page's."""
    return asked if _OWN.fullmatch(asked) and not asked.startswith(_DOORS) else "/"


def login_for(asked: str) -> str:
    """Return the address of the form that leads on to what was asked for."""
    to = way_back(asked)
    return LOGIN if to == "/" else f"{LOGIN}?{urlencode({'next': to})}"


async def _show(request: Request) -> Response:
    to = way_back(request.query_params.get("next", ""))
    return render(request, "login.html", problem="", to=to)


async def _enter(request: Request) -> Response:
    door: Door = request.app.state.door
    form = await request.form(max_files=0, max_fields=5)
    fits = door.fits(str(form.get("password", "")), request.scope["guesser"])
    to = way_back(str(form.get("next", "")))
    if fits:
        request.scope["session"] = door.let_in(instead_of=request.scope["session"])
        request.scope["device"] = door.new_device()
        request.scope["inside"] = True
        key = door.csrf_token(request.scope["session"])
        if is_page(request):  # a browser without scripts
            return onward(request, to, key)
        entered = json.dumps({"entered": {"key": key}})
        return Response(status_code=204, headers={"HX-Trigger": entered, "HX-Redirect": to})
    problem = "Wrong password."
    if fits is None:
        problem = "Too many attempts: wait a few seconds, and try again."
    if request.headers.get("hx-request"):  # the page takes this for its form, filled in wrong
        return render(request, "_login_form.html", problem=problem, to=to, status_code=422)
    status = 429 if fits is None else 403
    return render(request, "login.html", problem=problem, to=to, status_code=status)


async def _leave(request: Request) -> Response:
    door: Door = request.app.state.door
    live: Live = request.app.state.live
    door.let_out(request.scope["session"])
    request.scope["session"] = door.new_session()
    await live.look_round()  # its open pages get no more events
    to = LOGIN if door.locked else "/"
    if request.headers.get("hx-request"):
        return Response(status_code=204, headers={"HX-Redirect": to})
    return RedirectResponse(to, 303)


routes = [Route(LOGIN, _show), Route(LOGIN, _enter, methods=["POST"])]
leaving = [Route("/logout", _leave, methods=["POST"])]


TRIES: Final = 10  # wrong passwords in a row that are answered at once
REST: Final = 6.0  # seconds until another one is answered
MOST: Final = 10_000  # guessers that are remembered; a forgotten one starts again
SITE: Final = 64  # bits of an IPv6 address that one customer of a network has at least


UNKNOWN: Final = "unknown"  # all without a valid address count together


def network_of(address: str) -> str:
    """Return whose guesses count together: an address, or the network of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(found, ipaddress.IPv6Address) and not found.is_loopback:
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, SITE), strict=False))
    return str(found)


class Throttle:
    """Counts wrong guesses by guesser."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._guessers: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def may(self, guesser: str) -> bool:
        """Return whether a guess is looked at now."""
        return self._left(guesser) >= 1

    def failed(self, guesser: str) -> None:
        """Note a wrong guess."""
        left = self._left(guesser) - 1
        self._guessers[guesser] = (left, self._clock.monotonic())
        self._guessers.move_to_end(guesser)
        if len(self._guessers) > MOST:
            self._guessers.popitem(last=False)

    def _left(self, guesser: str) -> float:
        left, at = self._guessers.get(guesser, (float(TRIES), 0.0))
        return min(float(TRIES), left + (self._clock.monotonic() - at) / REST)
