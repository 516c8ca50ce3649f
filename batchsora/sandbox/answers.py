"""What an endpoint answers, and the answers that a fault can name in a word."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiohttp import web

PAGE = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
_NUMBERED = re.compile(r"(html)?([45]\d\d)")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the provider answers.

    Attributes:
        status: of HTTP; 0 drops the connection instead.
        body: written as JSON, text as HTML.
        headers: beside the usual ones.
    """

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_page(self) -> bool:
        """Check whether the body is an HTML page."""
        return isinstance(self.body, str)


_NAMED: Mapping[str, Reply] = {
    "html": Reply(200, PAGE.format("Sign in")),
    "shape": Reply(200, {"ok": True}),
    "envelope": Reply(
        200, {"status": "error", "message": "Internal server error, please try again"}
    ),
    "json": Reply(200, {"detail": "Please sign in"}),
    "hang-up": Reply(0, None),
}
ANSWERS = f"400 to 599, html400 to html599, {', '.join(_NAMED)}"
"""The words, for people."""


def answer(word: str) -> Reply:
    """Return what a word stands for: a status, a status with a page of HTML, or a named one.

    Raises:
        ValueError: there is no such answer.
    """
    if word in _NAMED:
        return _NAMED[word]
    numbered = _NUMBERED.fullmatch(word)
    if numbered is None:
        raise ValueError(f"unknown answer {word!r}; available: {ANSWERS}")
    status = int(numbered[2])
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
    return Reply(status, PAGE.format(f"{status} {phrase}") if numbered[1] else {"detail": phrase})


def is_answer(word: str) -> bool:
    """Check whether a word stands for an answer."""
    return word in _NAMED or _NUMBERED.fullmatch(word) is not None


def checked(word: str) -> str:
    """Return the word of an answer.

    Raises:
        ValueError: there is no such answer.
    """
    answer(word)
    return word


def send(request: web.Request, reply: Reply) -> web.Response:
    """Return the response that a reply is; a status of 0 drops the connection."""
    if reply.status == 0:
        return hang_up(request)
    if reply.is_page:
        return web.Response(
            text=reply.body, status=reply.status, headers=reply.headers, content_type="text/html"
        )
    return web.json_response(reply.body, status=reply.status, headers=reply.headers)


def hang_up(request: web.Request) -> web.Response:
    """Drop the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
