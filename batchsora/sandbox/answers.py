"""What an endpoint answers, the answers that a fault can name, and how faults' values are read.

Whatever reads a value raises a ValueError that says what is wrong.
"""

import math
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
    """What the provider answers."""

    status: int  # of HTTP; 0 drops the connection instead
    body: Any  # written as JSON, text as HTML
    headers: Mapping[str, str] = field(default_factory=dict)  # beside the usual ones

    @property
    def is_page(self) -> bool:
        """Return whether the body is an HTML page."""
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
ANSWERS = f"400 to 599, html400 to html599, {', '.join(_NAMED)}"  # the words, for people


def answer(word: str) -> Reply:
    """Return what a word stands for: a status, a status with a page of HTML, or a named answer.

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
    """Return whether a word stands for an answer."""
    return word in _NAMED or _NUMBERED.fullmatch(word) is not None


def checked(word: str) -> str:
    """Return the word of an answer.

    Raises:
        ValueError: there is no such answer.
    """
    answer(word)
    return word


def send(request: web.Request, reply: Reply) -> web.Response:
    """Return the response for a reply; a status of 0 drops the connection."""
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


LONGEST = 86400.0  # seconds that any time of a fault may have


@dataclass(frozen=True, slots=True)
class Span:
    """A time in seconds since the sandbox started: from ``start`` on, before ``end``."""

    start: float = 0.0
    end: float = math.inf

    def covers(self, age: float) -> bool:
        """Return whether a moment lies within."""
        return self.start <= age < self.end


def words(text: str) -> list[tuple[str, list[str]]]:
    """Split ``a:1+b`` into words, at least one, and their arguments.

    Raises:
        ValueError: there is none.
    """
    pieces = [piece.strip() for piece in text.split("+")]
    found = [(name, rest) for name, *rest in (piece.split(":") for piece in pieces if piece)]
    if not found:
        raise ValueError("needs a value")
    return found


def number(text: str, highest: float) -> float:
    """Read a number from 0 to ``highest``."""
    try:
        found = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if not 0 <= found <= highest:
        raise ValueError(f"{text}: from 0 to {highest:g}")
    return found


def rate(text: str) -> float:
    """Read a share from 0 to 1."""
    return number(text, 1.0)


def seconds(text: str) -> float:
    """Read a time, as ``60`` or ``60s``."""
    return number(text.removesuffix("s"), LONGEST)


def count(text: str) -> int:
    """Read a whole number."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text[:9])


def span(arguments: list[str]) -> Span:
    """Read ``from`` and ``to``, which is later; without ``to`` it does not end."""
    times = [seconds(text) for text in arguments]
    found = Span(*times)
    if found.end <= found.start:
        raise ValueError(f"{':'.join(arguments)}: must end after it starts")
    return found
