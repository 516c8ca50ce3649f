"""How the list answers: what it leaves out, its order and pages, and how prompts are altered."""

import html
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from batchsora.sandbox.account import Made, chance
from batchsora.sandbox.answers import Span, checked, count, is_answer, rate, span, words

_PLAIN: Final[Mapping[str, Callable[[str], str | None]]] = {
    "escape": html.escape,
    "lower": str.lower,
    "strip": str.strip,
    "one-line": lambda prompt: " ".join(prompt.split()),
    "nfd": lambda prompt: unicodedata.normalize("NFD", prompt),
    "enhance": lambda prompt: f"A cinematic shot. {prompt.capitalize()} Highly detailed, 4K.",
    "none": lambda _: None,
}
_MEASURED: Final[Mapping[str, Callable[[str, int], str]]] = {
    "cut": lambda prompt, longest: prompt[:longest],
    "ellipsis": lambda p, longest: p if len(p) <= longest else f"{p[:longest]}…",
}
WAYS: Final = (*_MEASURED, *_PLAIN)


@dataclass(frozen=True, slots=True)
class Echo:
    """One way to alter a prompt."""

    way: str  # one of ``WAYS``
    longest: int = 100  # characters that ``cut`` and ``ellipsis`` leave

    @classmethod
    def of(cls, way: str, arguments: list[str]) -> "Echo":
        """Return a way by its name, such as ``cut`` with ``["100"]``."""
        if (way in _PLAIN and not arguments) or (way in _MEASURED and len(arguments) <= 1):
            return cls(way, *map(count, arguments))
        said = ":".join([way, *arguments])
        raise ValueError(f"unknown echo {said!r}; available: {', '.join(WAYS)}")

    def __call__(self, prompt: str) -> str | None:
        """Return the altered prompt; None where it is not shown."""
        if self.way in _PLAIN:
            return _PLAIN[self.way](prompt)
        return _MEASURED[self.way](prompt, self.longest)


def echoes(text: str) -> tuple[Echo, ...]:
    """Read ``cut:100+lower``: alterations that follow each other.

    Raises:
        ValueError: see :meth:`Echo.of`.
    """
    return tuple(Echo.of(way, arguments) for way, arguments in words(text))


def echoed(prompt: str | None, ways: tuple[Echo, ...]) -> str | None:
    """Return a prompt as it is shown."""
    for alter in ways:
        prompt = None if prompt is None else alter(prompt)
    return prompt


REPEATS: Final = "repeats"


@dataclass(frozen=True, slots=True)
class Listing:
    """How the list behaves; by default it is newest first, complete, and in pages that join."""

    frozen: Span | None = None  # when it shows nothing that was made since this time began
    longest: int | None = None  # it shows only the oldest so many: it stopped growing
    newest: int | None = None  # it shows only the newest so many
    lossy: float = 0.0  # share of generations that it never shows
    order: str = "newest"  # ``newest`` first, ``oldest`` first, or ``none``
    capped: int | None = None  # the largest page, whatever the limit
    ignores_offset: bool = False  # every page is the first
    short: bool = False  # a page holds half of what it could; the next one begins where it ended
    # what a page past the end answers: a word of an answer, or ``repeats`` for the last page
    # again; by default the page is empty
    past_end: str = ""
    echo: tuple[Echo, ...] = ()  # how prompts are altered, in the list alone
    echo_share: float = 1.0  # of how many of them
    answer: str = ""  # the word of what it always answers instead

    @classmethod
    def read(cls, text: str) -> "Listing":
        """Read ``capped:20+lossy:0.1``.

        Raises:
            ValueError: a word or its argument can't be read.
        """
        found: dict[str, Any] = {}
        for word, arguments in words(text):
            if word == "altered" and arguments:
                echo = Echo.of(arguments[0], arguments[1:])
                found["echo"] = (*found.get("echo", ()), echo)
            else:
                found |= _read(word, arguments)
        return cls(**found)

    def pick(
        self, made: Sequence[Made], seed: int, now: datetime, since: datetime, lag: float = 0.0
    ) -> Iterator[Made]:
        """Return what the list shows, in its order; it is ``lag`` seconds behind."""
        known = made if self.longest is None else made[: self.longest]
        visible = (i for i in reversed(known) if self._shows(i, seed, now, since, lag))
        found = islice(visible, self.newest)  # None: all of them
        if self.order == "oldest":
            return reversed(list(found))
        if self.order == "none":
            return iter(sorted(found, key=lambda item: chance(seed, "order", item.id)))
        return found

    def _shows(self, item: Made, seed: int, now: datetime, since: datetime, lag: float) -> bool:
        if (now - item.created_at).total_seconds() < lag:
            return False
        frozen = self.frozen
        if frozen is not None and frozen.covers((now - since).total_seconds()):
            last = since + timedelta(seconds=frozen.start)
            if item.created_at >= last:
                return False
        return self.lossy == 0 or chance(seed, "lossy", item.id) >= self.lossy

    def echo_of(self, generation_id: str, seed: int) -> tuple[Echo, ...]:
        """Return how the prompt of a generation is altered."""
        drawn = self.echo_share >= 1 or chance(seed, "altered", generation_id) < self.echo_share
        return self.echo if drawn else ()

    def page(self, found: Iterable[Made], limit: int, offset: int) -> list[Made] | str:
        """Return a page, or the word of an answer in its place."""
        if self.answer:
            return self.answer
        limit = limit if self.capped is None else min(limit, self.capped)
        offset = 0 if self.ignores_offset else offset
        if self.past_end and offset:
            found = list(found)
            if offset >= len(found):
                if self.past_end != REPEATS:
                    return self.past_end
                offset = max(0, len(found) - limit)
        first = min(offset, sys.maxsize - limit)  # islice refuses what fits no machine word
        page = list(islice(found, first, first + limit))
        return page[: (len(page) + 1) // 2] if self.short else page


_FLAGS: Final[Mapping[str, dict[str, Any]]] = {
    "frozen": {"frozen": Span()},
    "unordered": {"order": "none"},
    "oldest-first": {"order": "oldest"},
    "ignores-offset": {"ignores_offset": True},
    "short-pages": {"short": True},
    "repeats-past-end": {"past_end": REPEATS},
    "errors-past-end": {"past_end": "404"},
}
_READERS: Final[Mapping[str, Callable[[str], dict[str, Any]]]] = {
    "newest": lambda text: {"newest": count(text)},
    "capped": lambda text: {"capped": count(text)},
    "lossy": lambda text: {"lossy": rate(text)},
    "some": lambda text: {"echo_share": rate(text)},
    "errors-past-end": lambda text: {"past_end": checked(text)},
}


def _read(word: str, arguments: list[str]) -> dict[str, Any]:
    match arguments:
        case [] if word in _FLAGS:
            return _FLAGS[word]
        case [] if is_answer(word):
            return {"answer": word}
        case [text] if word in _READERS:
            return _READERS[word](text)
        case [text] if word == "frozen" and text.isdigit():
            return {"longest": count(text)}
        case [_] | [_, _] if word == "frozen":
            return {"frozen": span(arguments)}
    names = ", ".join(dict.fromkeys((*_FLAGS, *_READERS, "altered")))
    said = ":".join([word, *arguments])
    raise ValueError(f"unknown word {said!r}; available: {names}, and answers")
