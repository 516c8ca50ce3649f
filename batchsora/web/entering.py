"""Coming in without a password: by an address that works once.

Whoever may read the terminal of ``batchsora web`` may come in; every other account of the machine
can open the port too, and must not. Guesses are not throttled: a ticket has 256 bits, and a limit
would let another account keep the owner out.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from batchsora.web.rendering import render

if TYPE_CHECKING:
    from batchsora.web.login import Door

ENTER: Final = "/enter/"
"""What the path of every such address begins with."""

BYTES: Final = 32
"""Random bytes of a ticket."""

QUIET: Final = {"Referrer-Policy": "no-referrer"}
"""An address with a ticket in it is named to nobody."""


class Tickets:
    """Keeps the ticket that lets the next browser in.

    Args:
        tell: called with each new ticket: the first one at :meth:`renew`, the next when it is used.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._digest = b""

    def renew(self) -> None:
        """Void the ticket, and make another one."""
        ticket = secrets.token_urlsafe(BYTES)
        self._digest = _digest(ticket)
        self._tell(ticket)

    def take(self, given: str) -> bool:
        """Return whether this is the ticket; then it is void, and there is another one."""
        if not hmac.compare_digest(_digest(given), self._digest):
            return False
        self.renew()
        return True


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode("utf-8", "replace")).digest()


def came_from_elsewhere(request: Request) -> bool:
    """Check whether another site led here: then a browser sends no cookie, even if it has one."""
    return request.headers.get("sec-fetch-site") == "cross-site"


def onward(request: Request, to: str, key: str = "") -> Response:
    """Let the browser ask by itself for a path of ours: then it sends the cookie.

    A redirect would not do: to a browser it is still a request of the site that led here.

    Args:
        request: what is answered.
        to: the path.
        key: what changes must carry from now on; the browser is to keep it.
    """
    # two slashes, or their like, would lead to another host
    to = "/" + to.lstrip("/\\")
    return render(request, "onward.html", to=to, key=key, headers=QUIET)


def closed(request: Request, status_code: int = 401, *, used: bool = False) -> Response:
    """Return how to come in.

    Args:
        request: of a stranger.
        status_code: of the answer.
        used: an address with a ticket was opened, but not with the newest one.
    """
    return render(request, "closed.html", status_code, QUIET, used=used)


async def _enter(request: Request) -> Response:
    door: Door = request.app.state.door
    tickets: Tickets = request.app.state.tickets
    if request.method != "GET" or _is_ahead(request):
        text = "This address works once: open it in a browser, not in a preview.\n"
        return PlainTextResponse(text, 403, QUIET)
    if tickets.take(request.path_params["ticket"]):
        # also who is inside: the browser may have got a session, and not the key that comes with it
        session = door.let_in(instead_of=request.scope["session"])
        request.scope["session"], request.scope["inside"] = session, True
        return onward(request, "/", door.csrf_token(session))
    if request.scope["inside"] or came_from_elsewhere(request):
        return onward(request, "/")
    return closed(request, 403, used=True)


def _is_ahead(request: Request) -> bool:
    """Check whether a browser only fetches what its person might open next."""
    names = ("sec-purpose", "purpose", "x-purpose", "x-moz")
    said = " ".join(request.headers.get(name, "") for name in names).lower()
    return any(word in said for word in ("prefetch", "prerender", "preview"))


routes = [Route(f"{ENTER}{{ticket:path}}", _enter)]
