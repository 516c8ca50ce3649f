"""What pages answer with: templates, the functions of the command line, and their refusals."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from batchsora._version import __version__
from batchsora.presentation.cost import beside_spent
from batchsora.presentation.errors import message
from batchsora.presentation.json_shapes import iso
from batchsora.presentation.request_words import format_text
from batchsora.presentation.terminal_text import clean, state_text
from batchsora.web.web_context import WebContext
from jobs.model.errors import NotFoundError
from jobs.model.money import usd_text
from jobs.ports.seen import BatchRow, JobRow


class PageInterface:
    """A :class:`UserInterface` for :mod:`batchsora.usecases` that keeps what is said.

    It never asks: a page has asked before it calls, with consent. ``document`` is the result for
    scripts, ``text`` the one for people.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.document: Any = None
        self.text = ""

    def say(self, text: str = "") -> None:
        """Keep a line."""
        if text:
            self.lines.append(text)

    def can_ask(self) -> bool:
        """Return False: nobody can be asked."""
        return False

    def confirm(self, question: str) -> bool:
        """Fail: a page must ask before."""
        raise AssertionError(f"asked on a page: {question}")

    def amount(self, question: str) -> Decimal | None:
        """Fail: a page must ask before."""
        raise AssertionError(f"asked on a page: {question}")

    def result(self, document: Any, text: Callable[[], str]) -> None:
        """Keep the result."""
        self.document, self.text = document, text()


def web_context_of(request: Request) -> WebContext:
    """Return what the pages work with."""
    web: WebContext = request.app.state.web
    return web


def batch_of(request: Request) -> BatchRow:
    """Return the batch that an address names by its number, or raise a 404."""
    number = request.path_params["batch"]
    for batch in web_context_of(request).queries.batches():
        if batch.id == number:
            return batch
    raise HTTPException(404, "No such batch; it may have been removed.")


def job_of(request: Request) -> JobRow:
    """Return the job that an address names by its number, or raise a 404."""
    key = f"#{request.path_params['job']}"
    try:
        return web_context_of(request).queries.job(key)
    except NotFoundError:
        raise HTTPException(404, "No such job; its batch may have been removed.") from None


def done(text: str, *, trouble: bool = False, go: str | None = None) -> Response:
    """Answer a change: the page announces it, and stays or goes to ``go``, an address of ours."""
    headers = told(text, trouble=trouble)
    if go is not None:
        headers["HX-Redirect"] = go
    return Response(status_code=204, headers=headers)


def asked(
    request: Request,  # what is answered
    question: str,  # what is done, and what it costs
    lines: Sequence[str],  # what else to know
    button: str,  # its text
    *,
    possible: bool = True,  # False if there is nothing to agree to
    action: str | None = None,  # the address to post to; None for this one
    include: str = "",  # a selector of the form whose fields are sent along
) -> Response:
    """Ask in a dialog whether the person agrees."""
    shown: dict[str, Any] = {
        "question": question,
        "lines": lines,
        "button": button,
        "possible": possible,
        "include": include,
    }
    return render(request, "_ask.html", action=action or request.url.path, **shown)


IN_DIALOG: Final = {"HX-Retarget": "#ask", "HX-Reswap": "innerHTML"}
"""Headers that put an answer into the dialog, whatever asked for it."""


def moved(request: Request, there: str) -> Response:
    """Lead on from a page, or from a part of one that is polled."""
    if "part" in request.query_params:
        return Response(status_code=204, headers={"HX-Redirect": there})
    return Response(status_code=303, headers={"Location": there})


def refused(error: Exception) -> Response:
    """Answer what can't be done now, in the words of the command line."""
    status = 404 if isinstance(error, NotFoundError) else 409
    return Response(clean(message(error)), status, media_type="text/plain")


REMEDIES: Final[Mapping[int, tuple[str, str]]] = {
    400: ("The request can't be read", "Reload the page and try again."),
    403: ("This was refused", "Nothing was changed. Reload the page and try again."),
    404: ("Not found", "The address may be mistyped, or what it named was removed."),
    405: ("Not an address to open", "Use the buttons of the pages instead."),
    408: ("The request was incomplete", "Nothing was changed. Check the connection and try again."),
    409: ("This can't be done now", "Nothing was changed."),
    410: ("The file is gone", "The job and its history are kept."),
    413: ("This is too large", "Nothing was changed. Send less at a time, or a smaller file."),
    429: ("Too many attempts", "Wait a few seconds and try again."),
    500: (
        "Something went wrong in batchsora",
        "Runs are not affected. Reload the page; the log of 'batchsora web' says what failed.",
    ),
}
"""What an error's page says by its status: its heading, and what to do."""


def is_page(request: Request) -> bool:
    """Return whether a browser opens a page, rather than a script of ours a part of one."""
    wanted = request.headers.get("accept", "")
    return "text/html" in wanted and not request.headers.get("hx-request")


def failed(
    request: Request, status: int, text: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """Answer what went wrong: a page for a browser, else its text alone."""
    title, remedy = REMEDIES.get(status, REMEDIES[500 if status >= 500 else 400])  # noqa: PLR2004
    text = clean(text).strip()
    if not is_page(request):
        return PlainTextResponse(text or f"{title}. {remedy}", status, headers)
    shown = {"title": title, "text": text, "remedy": remedy}
    return render(request, "error.html", status, headers, **shown)


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the environment of all templates, made once; everything is escaped."""
    found = Environment(
        loader=PackageLoader("batchsora.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "usd": usd,
        "beside_spent": beside_spent,
        "format_text": format_text,
        "time": time,
        "moment": moment,
        "words": state_text,
        "clean": clean,
        "number": number,
        "span": span,
        "plural": plural,
    }
    found.globals |= {"version": __version__}
    return found


def render(
    request: Request,
    template: str,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """Answer with a template, which gets the request and ``context``."""
    body = environment().get_template(template).render(request=request, **context)
    return HTMLResponse(body, status_code, headers)


def told(text: str, *, trouble: bool = False) -> dict[str, str]:
    """Return the header that makes the page announce a message in its live region."""
    # JSON in ASCII: a header can't carry anything else
    return {"HX-Trigger": json.dumps({"told": {"text": clean(text), "trouble": trouble}})}


def usd(micros: int | None) -> str:
    """Return micro-dollars as dollars."""
    return "\u2013" if micros is None else f"${usd_text(micros)}"


def moment(text: str | None) -> datetime | None:
    """Read a time that the database keeps as a text; None where it is none."""
    try:
        return datetime.fromisoformat(text or "")
    except ValueError:
        return None


def time(moment: datetime | None) -> Markup:
    """Return a time in UTC, which the page shows in the reader's own zone."""
    if moment is None:
        return Markup("\u2013")
    return Markup('<time datetime="{}">{}</time>').format(
        iso(moment), f"{moment:%Y-%m-%d %H:%M} UTC"
    )


def number(value: int) -> str:
    """Return a count with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def span(seconds: float | None) -> str:
    """Return a duration in its two largest units."""
    if seconds is None:
        return "\u2013"
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"
