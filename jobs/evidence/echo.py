"""How the account's list shows prompts: as they were sent, or altered in a regular way. Pure.

A provider may lower-case, escape or cut prompts (by characters, UTF-16 units or bytes), or show
only non-ASCII characters in another way. What it does to generations that we know is what it does
to the one that we look for (money.md, *Absence*).
"""

import codecs
import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final, NamedTuple

from ..model.text import normalized, prompt_key, text_key, unescaped


class Sort(NamedTuple):
    """A sort of characters that an encoding either has or lacks."""

    script: str  # of letters, as Unicode names it; else empty
    beyond_latin_1: bool
    beyond_16_bits: bool


def sorts(text: str) -> frozenset[Sort]:
    """List the sorts of non-ASCII characters in a text."""
    if text.isascii():
        return frozenset()
    return frozenset(_sort(one) for one in set(text_key(text)) if not one.isascii())


@lru_cache(4096)
def _sort(character: str) -> Sort:
    name = unicodedata.name(character, "") if character.isalpha() else ""
    return Sort(name.partition(" ")[0], character > "\xff", character > "\uffff")


def readable(texts: Iterable[str]) -> frozenset[Sort]:
    """List the sorts in some shown texts, except those decoded in a wrong encoding."""
    odd = (one for one in texts if not one.isascii())
    return frozenset().union(*(sorts(one) for one in odd if not _misread(one)))


_WRONG = ("latin-1", "cp1252", "cp1251", "cp866", "koi8-r", "gbk", "shift_jis", "big5", "euc-kr")


def _misread(text: str) -> bool:
    """Check whether a text is UTF-8 that was decoded in another encoding; it may be cut."""
    for encoding in _WRONG:
        try:
            codecs.utf_8_decode(text.encode(encoding), "strict", False)
        except UnicodeError:
            continue
        return True
    return False


Sizes = tuple[int, int, int]
"""Characters, UTF-16 units, and bytes in UTF-8."""

NOT_WHOLE: Sizes = (0, 1, 3)
"""How much less a cut leaves that went through a character, which is left out then."""


def sizes(text: str) -> Sizes:
    """Measure a text in all units that a list may cut it by."""
    if text.isascii():
        return (len(text),) * 3
    beyond = sum(one > "\uffff" for one in text)
    return len(text), len(text) + beyond, len(text.encode("utf-8", "surrogatepass"))


def start(prompt: str) -> str:
    """Return the letters and digits of a prompt before its first non-ASCII character."""
    kept = marks_dropped(prompt)
    return kept[: next((n for n, one in enumerate(kept) if not one.isascii()), None)]


def marks_dropped(text: str) -> str:
    """Return a text in one case without white space and ASCII punctuation."""
    folded = text_key(unescaped(text)).casefold()
    return "".join(one for one in folded if one.isalnum() or not one.isascii())


WAYS: Final[Mapping[str, Callable[[str], str]]] = {
    "as they were sent": str,
    "HTML-escaped": html.escape,
    "HTML-escaped but for quotes": partial(html.escape, quote=False),
    "HTML-unescaped": unescaped,
    "lower-cased": str.lower,
    "upper-cased": str.upper,
}
"""What a list may do to prompts, by how people call it; the first that explains all counts."""

ENDINGS: Final = ("", "…", "...")
"""What may stand where a prompt was cut."""

SHORTEST_CUT: Final = 8
"""Characters below which the beginning of a prompt says nothing of the rest."""

ANY_CUT: Final[Sizes] = (SHORTEST_CUT,) * 3
"""The least that an unknown cut leaves."""


@dataclass(frozen=True, slots=True)
class Echo:
    """What a list does to prompts: one of :data:`WAYS`, and a cut after so many characters."""

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

    def text(self, prompt: str) -> str:
        """Return a prompt as the list would show it, folded (:func:`jobs.model.text.text_key`)."""
        return text_key(self.of(prompt))

    def key(self, prompt: str) -> str:
        """Return the key (:func:`jobs.model.text.prompt_key`) that the list's prompt has."""
        return prompt_key(self.of(prompt))

    def explains(self, sent: str, shown: str) -> bool:
        """Check whether a sent prompt would be shown like this."""
        return self.text(sent) == text_key(shown)


def learn_echo(samples: Sequence[tuple[str, str]]) -> Echo | None:
    """Find what explains every sample, a prompt as sent and as shown; None if nothing does."""
    pairs = list(dict.fromkeys(samples))
    for echo in _candidates(pairs):
        if all(echo.explains(sent, shown) for sent, shown in pairs):
            return echo
    return None


def _candidates(pairs: Iterable[tuple[str, str]]) -> Iterable[Echo]:
    for way in WAYS:
        whole = Echo(way)
        yield whole
        # a prompt that is not whole shows where all are cut; white space at the end of a
        # cut may be gone, so the longest show most
        odd = {shown for sent, shown in pairs if not whole.explains(sent, shown)}
        lengths = sorted({len(shown) for shown in odd}, reverse=True)[:LENGTHS]
        for shown in (next(one for one in odd if len(one) == length) for length in lengths):
            for ending in ENDINGS:
                if shown.endswith(ending) and len(shown) - len(ending) >= SHORTEST_CUT:
                    yield Echo(way, len(shown) - len(ending), ending)


def learn_most(samples: Sequence[tuple[str, str]]) -> Echo | None:
    """Find what a list does to prompts, ignoring those that differ only in punctuation or case.

    A list that leaves out an emoji rewrites nothing: :class:`Likeness` finds a prompt with the same
    letters and digits.
    """
    echo = learn_echo(samples)
    if echo is not None:
        return echo
    return learn_echo([(sent, shown) for sent, shown in samples if plain(sent) != plain(shown)])


class EchoLearner:
    """Learns what a list does to prompts, page by page."""

    def __init__(self) -> None:
        self.echo: Echo | None = Echo()
        self._samples: dict[tuple[str, str], None] = {}

    def heed(self, samples: Iterable[tuple[str, str]]) -> bool:
        """Learn from a page; returns whether the list does something else than was known."""
        fresh = [pair for pair in samples if pair not in self._samples]
        if not fresh:
            return False
        self._samples |= dict.fromkeys(fresh)
        for old in list(self._samples)[:-SAMPLES]:
            del self._samples[old]
        before = self.echo
        if before is None or not all(before.explains(*pair) for pair in fresh):
            self.echo = learn_most(list(self._samples))
        return self.echo != before


SAMPLES: Final = 200
LENGTHS: Final = 4
"""Lengths of cut prompts that are tried."""


def resembles(sent: str, shown: str) -> bool:
    """Check whether a shown prompt could be a sent one, altered in an unknown way.

    Only letters and digits are compared, without case; the shown one may be cut.
    """
    ours, theirs = plain(sent), plain(shown)
    if ours == theirs:
        return bool(ours) or text_key(sent) == text_key(shown)
    return len(theirs) >= SHORTEST_CUT and ours.startswith(theirs)


def plain(text: str) -> str:
    """Return the letters and digits of a prompt, without case."""
    folded = normalized(unescaped(text), "NFKC").casefold()
    return "".join(filter(str.isalnum, folded))


class Likeness:
    """Finds shown prompts that could be sent ones, altered in an unknown way.

    As :func:`resembles`, for many at once; but a cut makes no prompt shorter than others that the
    same list shows whole: ``shortest`` is the least it leaves in one unit; one that ends in an
    ellipsis may be shorter.
    """

    def __init__(self, shown: Iterable[str], shortest: Sizes = ANY_CUT) -> None:
        self._equal: dict[str, list[str]] = {}
        self._cut: dict[str, list[str]] = {}
        self._in_a_character: set[str] = set()  # what a cut leaves only where it went through one
        for text in shown:
            self._equal.setdefault(plain(text), []).append(text)
            beginning = plain(_ENTITY.sub("", text.rstrip()))
            marked = text.endswith(tuple(filter(None, ENDINGS)))
            if len(beginning) < SHORTEST_CUT:
                continue
            if not (marked or _reaches(text, shortest)):
                if not _reaches(text, shortest, NOT_WHOLE):
                    continue
                self._in_a_character.add(text)
            self._cut.setdefault(beginning, []).append(text)
        self._equal.pop("", None)
        self._sorted = sorted(self._cut)

    def of(self, sent: str) -> Sequence[str]:
        """List what a sent prompt could be shown as."""
        if not self._equal:
            return ()
        ours = plain(sent)
        found = list(self._equal.get(ours, ()))
        # what begins a text stands before it, and what stands between begins with the same
        place = bisect_right(self._sorted, ours)
        rest = ours
        while place and len(rest) >= SHORTEST_CUT:
            before = self._sorted[place - 1]
            if rest.startswith(before):
                found += self._cut[before] if before != ours else ()
                rest = before[:-1]
            else:
                rest = _common(rest, before)
            place = bisect_right(self._sorted, rest, hi=place)
        if sent.isascii():
            return [one for one in found if one not in self._in_a_character or plain(one) == ours]
        return found


def _reaches(text: str, shortest: Sizes, missing: Sizes = (0, 0, 0)) -> bool:
    """Check whether a cut text is as long as a cut leaves it, in one of the units."""
    measured = zip(sizes(text), missing, shortest, strict=True)
    return any(size + less >= least for size, less, least in measured)


_ENTITY: Final = re.compile(r"(?:&#?\w{0,8})?(?:…|\.\.\.)?$")
"""Where a cut went through an HTML entity, and what marks it."""


def _common(one: str, other: str) -> str:
    size = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    return one[: min(len(one), len(other)) if size is None else size]
