"""How the account's list echoes prompts: as they were sent, or altered in a way that shows. Pure.

A provider may cut, escape or lower-case the prompts that its list shows. What it does to the
generations that we know is what it does to the one that we look for (money.md, *Absence*).
"""

import html
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .text import prompt_key, text_key


def _as_sent(prompt: str) -> str:
    return prompt


def _escaped_but_quotes(prompt: str) -> str:
    return html.escape(prompt, quote=False)


WAYS: Final[Mapping[str, Callable[[str], str]]] = {
    "as they were sent": _as_sent,
    "HTML-escaped": html.escape,
    "HTML-escaped but for quotes": _escaped_but_quotes,
    "HTML-unescaped": html.unescape,
    "lower-cased": str.lower,
    "upper-cased": str.upper,
}
"""What a list may do to prompts, by how people call it; the first that explains all counts."""

ENDINGS: Final = ("", "…", "...")
"""What may stand where a prompt was cut."""

SHORTEST_CUT: Final = 8
"""Characters below which the beginning of a prompt says nothing of the rest."""


@dataclass(frozen=True, slots=True)
class Echo:
    """What a list does to prompts.

    Attributes:
        way: one of :data:`WAYS`.
        cut: characters after which it cuts them; None where it does not.
        ending: what it puts there.
    """

    way: str = "as they were sent"
    cut: int | None = None
    ending: str = ""

    @property
    def altered(self) -> bool:
        """Check whether prompts are shown in another way than they were sent."""
        return self != Echo()

    def __str__(self) -> str:
        cut = "" if self.cut is None else f"cut after {self.cut} characters"
        way = "" if self.way == Echo().way else self.way
        return " and ".join(filter(None, (way, cut))) or self.way

    def of(self, prompt: str) -> str:
        """Return a prompt as the list would show it."""
        text = WAYS[self.way](prompt)
        if self.cut is None or len(text) <= self.cut:
            return text
        return text[: self.cut] + self.ending

    def key(self, prompt: str) -> str:
        """Return the key (:func:`jobs.text.prompt_key`) that the list's prompt has."""
        return prompt_key(self.of(prompt))

    def explains(self, sent: str, shown: str) -> bool:
        """Check whether a prompt that was sent would be shown like this."""
        return text_key(self.of(sent)) == text_key(shown)


def learn_echo(samples: Sequence[tuple[str, str]]) -> Echo | None:
    """Find what a list does to prompts.

    Args:
        samples: prompts of ours as they were sent, and as the list shows them.

    Returns:
        What explains every sample; None where nothing does, as when prompts are rewritten.
    """
    pairs = list(dict.fromkeys(samples))
    for echo in _candidates(pairs):
        if all(echo.explains(sent, shown) for sent, shown in pairs):
            return echo
    return None


def _candidates(pairs: Iterable[tuple[str, str]]) -> Iterable[Echo]:
    for way in WAYS:
        whole = Echo(way)
        yield whole
        # the first that is not whole tells where all are cut, or nothing does
        odd = next((shown for sent, shown in pairs if not whole.explains(sent, shown)), None)
        if odd is None:
            continue
        for ending in ENDINGS:
            if odd.endswith(ending) and len(odd) - len(ending) >= SHORTEST_CUT:
                yield Echo(way, len(odd) - len(ending), ending)


def resembles(sent: str, shown: str) -> bool:
    """Check whether a shown prompt could be a sent one after an alteration nobody has seen yet.

    Compared are letters and digits alone, without case; the shown one may be cut.
    """
    ours, theirs = _plain(sent), _plain(shown)
    if ours == theirs:
        return bool(ours) or text_key(sent) == text_key(shown)
    return len(theirs) >= SHORTEST_CUT and ours.startswith(theirs)


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", html.unescape(text)).casefold()
    return "".join(filter(str.isalnum, folded))
