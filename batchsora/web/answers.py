"""How the functions of the command line speak on a page, and how their refusals look there."""

from collections.abc import Callable, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from batchsora.presentation.errors import message
from batchsora.presentation.terminal_text import clean
from batchsora.web.rendering import render, told
from batchsora.web.web_context import WebContext
from jobs.model.errors import NotFoundError
from jobs.ports.seen import BatchRow, JobRow


class PageInterface:
    """A :class:`UserInterface` for :mod:`batchsora.usecases`: keeps what is said, and asks nobody.

    The page has asked already: what it calls is called with consent.

    Attributes:
        lines: what was said.
        document: the result for scripts.
        text: the result for people.
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
        """Say that nobody can be asked."""
        return False

    def confirm(self, question: str) -> bool:
        """Never be asked."""
        raise AssertionError(f"asked on a page: {question}")

    def result(self, document: Any, text: Callable[[], str]) -> None:
        """Keep the result."""
        self.document, self.text = document, text()


def web_context_of(request: Request) -> WebContext:
    """Return what the pages work with."""
    web: WebContext = request.app.state.web
    return web


def batch_of(request: Request) -> BatchRow:
    """Find the batch that an address names by its number.

    Raises:
        HTTPException: 404, there is none.
    """
    number = request.path_params["batch"]
    for batch in web_context_of(request).queries.batches():
        if batch.id == number:
            return batch
    raise HTTPException(404, "No such batch; it may have been removed.")


def job_of(request: Request) -> JobRow:
    """Find the job that an address names by its number.

    Raises:
        HTTPException: 404, there is none.
    """
    key = f"#{request.path_params['job']}"
    try:
        return web_context_of(request).queries.job(key)
    except NotFoundError:
        raise HTTPException(404, "No such job; its batch may have been removed.") from None


def done(text: str, *, trouble: bool = False, go: str | None = None) -> Response:
    """Answer a change: the page says so, and goes somewhere else or stays where it is.

    Args:
        text: what happened, what it means for the money.
        trouble: it did not happen.
        go: an address of ours.
    """
    headers = told(text, trouble=trouble)
    if go is not None:
        headers["HX-Redirect"] = go
    return Response(status_code=204, headers=headers)


def asked(
    request: Request,
    question: str,
    lines: Sequence[str],
    button: str,
    *,
    possible: bool = True,
    action: str | None = None,
) -> Response:
    """Ask in a dialog whether the person agrees.

    Args:
        request: its answer.
        question: what is done, and what it costs.
        lines: what else to know.
        button: what agrees.
        possible: False: there is nothing to agree to.
        action: the address to post to; None: this one.
    """
    shown: dict[str, Any] = {
        "question": question,
        "lines": lines,
        "button": button,
        "possible": possible,
    }
    return render(request, "_ask.html", action=action or request.url.path, **shown)


def moved(request: Request, there: str) -> Response:
    """Lead on from a page, or from a part of one that is asked for again and again."""
    if "part" in request.query_params:
        return Response(status_code=204, headers={"HX-Redirect": there})
    return Response(status_code=303, headers={"Location": there})


def refused(error: Exception) -> Response:
    """Answer what can't be done now, in the words of the command line."""
    status = 404 if isinstance(error, NotFoundError) else 409
    return Response(clean(message(error)), status, media_type="text/plain")
