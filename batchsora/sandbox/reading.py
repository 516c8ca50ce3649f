"""Reads the values of faults: ``word:argument+word:argument``, numbers within bounds, spans."""

import math
from dataclasses import dataclass

LONGEST = 86400.0
"""Seconds that any time of a fault may have."""


@dataclass(frozen=True, slots=True)
class Span:
    """A time, in seconds since the sandbox started: from ``start`` on, before ``end``."""

    start: float = 0.0
    end: float = math.inf

    def covers(self, age: float) -> bool:
        """Check whether a moment lies within."""
        return self.start <= age < self.end


def words(text: str) -> list[tuple[str, list[str]]]:
    """Split ``a:1+b`` into words and their arguments.

    Raises:
        ValueError: there is none.
    """
    pieces = [piece.strip() for piece in text.split("+")]
    found = [(name, rest) for name, *rest in (piece.split(":") for piece in pieces if piece)]
    if not found:
        raise ValueError("needs a value")
    return found


def number(text: str, highest: float) -> float:
    """Read a number.

    Raises:
        ValueError: it can't be read, is below 0 or above ``highest``.
    """
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
    """Read a whole number.

    Raises:
        ValueError: it is none.
    """
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text[:9])


def span(arguments: list[str]) -> Span:
    """Read ``from`` and ``to``; without ``to`` it does not end.

    Raises:
        ValueError: one of them can't be read, or the end is not after the start.
    """
    times = [seconds(text) for text in arguments]
    found = Span(*times)
    if found.end <= found.start:
        raise ValueError(f"{':'.join(arguments)}: must end after it starts")
    return found
