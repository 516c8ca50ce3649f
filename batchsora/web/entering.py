"""Coming in without a password: by an address that works once, shown to the owner alone.

Whoever can read the terminal of ``batchsora web`` may come in; other accounts of the machine can
open the port too, and must not. Guesses are not throttled: a ticket has 256 bits, and a limit would
let another account keep the owner out.

``ps`` shows a browser's arguments to every account, so a browser gets the path of a file that leads
on to the address, and that we alone can read. Output that is not a terminal may be read by anybody,
so there the address goes into a file that we alone can read, and its path is shown.
"""

import hashlib
import hmac
import html
import secrets
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from batchsora.children import open_browser
from batchsora.web.answers import render
from jobs import system
from jobs.model.files import replaced

if TYPE_CHECKING:
    from batchsora.web.login import Door

ENTER: Final = "/enter/"  # what the path of every such address begins with
BYTES: Final = 32  # random bytes of a ticket
QUIET: Final = {"Referrer-Policy": "no-referrer"}  # no other site gets an address with a ticket


class Tickets:
    """Keeps the ticket that lets the next browser in, and calls ``tell`` with each new one."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._digest = b""

    def renew(self) -> None:
        """Make another ticket; the one before is void."""
        ticket = secrets.token_urlsafe(BYTES)
        self._digest = _digest(ticket)
        self._tell(ticket)

    def take(self, given: str) -> bool:
        """Return whether this is the ticket; then it is replaced."""
        if not hmac.compare_digest(_digest(given), self._digest):
            return False
        self.renew()
        return True


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode("utf-8", "replace")).digest()


def came_from_elsewhere(request: Request) -> bool:
    """Return whether another site led here: then browsers send no cookie."""
    return request.headers.get("sec-fetch-site") == "cross-site"


def onward(request: Request, to: str, key: str = "") -> Response:
    """Make the browser ask for a path of ours by itself, which sends the cookie.

    After a redirect the request would still be one of the site that led here. ``key`` is what
    changes must carry from now on, for the browser to keep.
    """
    # two slashes, or their like, would lead to another host
    to = "/" + to.lstrip("/\\")
    return render(request, "onward.html", to=to, key=key, headers=QUIET)


def closed(request: Request, status_code: int = 401, *, used: bool = False) -> Response:
    """Return how to come in; ``used``: a ticket was tried that is not the newest."""
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
    """Return whether a browser only prefetches what its person might open next."""
    names = ("sec-purpose", "purpose", "x-purpose", "x-moz")
    said = " ".join(request.headers.get(name, "") for name in names).lower()
    return any(word in said for word in ("prefetch", "prerender", "preview"))


routes = [Route(f"{ENTER}{{ticket:path}}", _enter)]


ADDRESS: Final = "open-{port}.txt"
"""The file with the newest address, where there is no terminal. Each page that is served over one
database has a port of its own."""

PREFIX: Final = "batchsora-open-"  # what the name of the file's folder begins with
LEFT_AFTER: Final = 3600.0  # seconds after which such a folder is one that a killed page left
PAGE: Final = "open.html"

_LEADS_ON: Final = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0;url={address}">
<title>batchsora</title>
<p><a href="{address}">Open the page</a></p>
"""


class Opening:
    """Shows each new address in the terminal, and opens the first one in a browser."""

    def __init__(
        self,
        address: str,  # of the page, with a slash at its end
        show: Callable[[str], None],  # writes a line to stderr, and to no log
        above: Path | None,  # of the browser's file; None: the system's place
        *,
        browser: bool,  # open one
        file: Path | None = None,  # for the address; None if stderr is a terminal
    ) -> None:
        self._address = address
        self._show = show
        self._above = above
        self._browser = browser
        self._file = file
        self._folder: Path | None = None

    def __call__(self, ticket: str) -> None:
        """Show the address with a new ticket; the one before is void."""
        self.close()
        address = f"{self._address}{ENTER[1:]}{ticket}"
        with suppress(OSError):  # the terminal is gone; open sessions stay
            self._show(address if self._file is None else self._kept(self._file, address))
        if self._browser:
            self._browser = False
            page = self._page(address)
            if page is not None:
                open_browser(page.as_uri())

    def close(self) -> None:
        """Remove the files."""
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @staticmethod
    def _kept(file: Path, address: str) -> str:
        """Write the address into the file; return what to show of that."""
        try:
            with replaced(file) as draft:
                draft.write_text(f"{address}\n", encoding="ascii")
        except OSError as error:
            return (
                f"the address that opens the page can't be written to {file} ({error.strerror}): "
                "start the page in a terminal"
            )
        return f"the newest address that opens the page is in {file}"

    def _page(self, address: str) -> Path | None:
        """Write the browser's file in a folder that is ours alone; None where that fails."""
        for above in dict.fromkeys((self._above, None)):
            try:
                self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=above))
                page = self._folder / PAGE
                page.touch(0o600)
                page.write_text(_LEADS_ON.format(address=html.escape(address)), encoding="utf-8")
            except OSError:
                self.close()
            else:
                _remove_left(self._folder)
                return page
        return None


def _remove_left(ours: Path) -> None:
    """Remove what killed pages left beside our own folder, and nothing of others."""
    for folder in ours.parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if ours.stat().st_mtime - folder.lstat().st_mtime > LEFT_AFTER:
                if list(folder.iterdir()) == [folder / PAGE]:
                    (folder / PAGE).unlink()
                folder.rmdir()


def readable_folder() -> Path | None:
    """Return a folder whose files browsers can read; None for the system's temporary one.

    On Linux many browsers are snaps, which see neither ``/tmp`` nor hidden folders, but the home
    folder.
    """
    try:
        return Path.home() if system.BROWSERS_SEE_HOME else None
    except RuntimeError:  # it is unknown
        return None
