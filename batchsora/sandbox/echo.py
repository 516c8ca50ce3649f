"""How prompts are echoed: providers cut, escape, trim and rewrite them."""

import html
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from batchsora.sandbox.reading import count, words

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
    """One way to alter a prompt.

    Attributes:
        way: one of ``WAYS``.
        longest: characters that ``cut`` and ``ellipsis`` leave.
    """

    way: str
    longest: int = 100

    @classmethod
    def of(cls, way: str, arguments: list[str]) -> "Echo":
        """Return the way that has a name, such as ``cut`` with ``["100"]``.

        Raises:
            ValueError: there is none of this name, or its length can't be read.
        """
        if (way in _PLAIN and not arguments) or (way in _MEASURED and len(arguments) <= 1):
            return cls(way, *map(count, arguments))
        said = ":".join([way, *arguments])
        raise ValueError(f"unknown echo {said!r}; available: {', '.join(WAYS)}")

    def __call__(self, prompt: str) -> str | None:
        """Alter a prompt; None where it is not shown."""
        if self.way in _PLAIN:
            return _PLAIN[self.way](prompt)
        return _MEASURED[self.way](prompt, self.longest)


def echoes(text: str) -> tuple[Echo, ...]:
    """Read ``cut:100+lower``; the alterations follow each other.

    Raises:
        ValueError: see :meth:`Echo.of`.
    """
    return tuple(Echo.of(way, arguments) for way, arguments in words(text))


def echoed(prompt: str | None, ways: tuple[Echo, ...]) -> str | None:
    """Return a prompt as it is shown."""
    for alter in ways:
        prompt = None if prompt is None else alter(prompt)
    return prompt
