"""What a cell could mean, in more writings than are read: enough to ask, never to buy.

Of two kinds: what is certain (``15 сек``, ``00:00:15.000``), and what is so only where every cell
of a column is (``0:15`` may be minutes, ``15”`` inches).
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

from batchsora.manifest import values
from batchsora.manifest.errors import CellError

LONGEST: Final = 60
"""Characters of a cell that could mean a duration, a number or an orientation."""

_UNITS: Final = (
    "s", "sec", "secs", "second", "seconds", "seconde", "secondes", "seconden", "secondi",
    "secondo", "seg", "segundo", "segundos", "sek", "sekunde", "sekunden", "sekund", "sekunder",
    "sekundy", "sekunti", "sekuntia", "сек", "секунд", "секунда", "секунды", "\u0441", "秒", "秒钟",
    "秒鐘", "秒間", "초", "sn", "saniye", "giây", "detik", "másodperc", "δευτ", "δευτερόλεπτα",
    "secunde", "שניות", "ثانية", "วินาที", "सेकंड",
)  # fmt: skip
_NUMBER: Final = rf"(?P<n{{}}>{'|'.join(map(str, values.MODEL.durations))})"
_UNIT: Final = rf"(?:{'|'.join(_UNITS)})\.?"
_NAUGHT: Final = r"(?:[.,]0+)?"
_DAY: Final = r"(?:(?:1899-12-3[01]|1900-01-0[01]|1904-01-01)[ t]|0 days?,? )?"
_CERTAIN: Final = re.compile(
    rf"(?:~|ca\.?|circa|about|approx\.?)?\s*{_NUMBER.format(0)}{_NAUGHT}\s*[-\u2010-\u2013]?\s*{_UNIT}"
    r"(?:\s+(?:long|video|clip))?"
    rf"|{_DAY}(?:00?|12(?=.*am)):00:{_NUMBER.format(1)}(?:[.,:]0+)?\s*(?:am)?"
    rf"|(?:00?\s?h\s*)?00?\s?m(?:in)?\.?\s*{_NUMBER.format(2)}{_NAUGHT}\s*s(?:ec)?\.?"
    rf"|p(?:0d)?t(?:0h)?(?:0m)?{_NUMBER.format(3)}{_NAUGHT}s"
    rf"|{_NUMBER.format(4)}[.,]?000\s*(?:ms|msec|millis(?:econds?)?|milliseconds?)"
)
_UNSURE: Final = re.compile(
    r"00?:(?:10|15)(?:[.,:]0+)?(?:\s*(?:min\.?|minutes?|h))?"
    r"|00?[:h'\u2019\u2032]\s*(?:10|15)\s*(?:\"|''|\u201d|\u2032\u2032)"
    r"|(?:10|15)\s*[\u201c\u201d\u201e\u02ba]"
    r"|(?:10|15)[.,]000"
)
_ANY_LENGTH: Final = re.compile(
    rf"[0-9]{{1,4}}(?:[.,][0-9]+)?\s*-?\s*(?:{_UNIT})?|00?:[0-9]{{2}}(?::[0-9]{{2}})?"
)
_HOW_MANY: Final = re.compile(
    r"[x\u00d7]?\s*([0-9]{1,4})(?:[.,]0+)?\s*"
    r"(?:[x\u00d7]|mal|times|stück|stk|st|pcs|videos?|clips?|takes?|versions?|个|個|本|шт)?\.?"
)
_RATIO: Final = re.compile(r"[0-9]{1,5}\s?[:x\u00d7]\s?[0-9]{1,5}")

_LIES: Final = frozenset(
    [
        "liggend", "staand", "paysage", "verticale", "verticaal", "horizontaal", "horizontale",
        "orizzontale", "vertikal", "apaisado", "apaisada", "paisaje", "paisagem", "retrato",
        "ritratto", "hochkant", "querkant", "breitbild", "widescreen", "liggande", "liggende",
        "stående", "vaaka", "pysty", "poziomo", "pionowo", "poziomy", "pionowy", "dikey", "yatay",
        "горизонтально", "вертикально", "горизонтальная", "вертикальная", "горизонтальный",
        "вертикальный", "горизонтальное", "вертикальное", "横", "横屏", "横向", "横型", "横長",
        "竖", "竖屏", "竖向", "纵向", "縦", "縦型", "縦長", "横向き", "縦向き", "가로", "세로",
    ]
)  # fmt: skip
"""An orientation in other words."""
_LIES_PERHAPS: Final = _LIES | {
    "wide", "tall", "breit", "upright", "square", "quadratisch", "quadrat", "carré", "cuadrado",
    "vierkant",
}  # fmt: skip
"""The same, and what says one under a header that asks for it."""
_YES_OR_NO: Final = frozenset(
    [
        "yes", "no", "y", "n", "ja", "nein", "j", "nee", "nej", "nei", "oui", "non", "si", "sí",
        "sì", "sim", "não", "nao", "tak", "nie", "evet", "hay\u0131r", "да", "нет", "是", "否",
        "はい", "いいえ", "x", "true", "false", "wahr", "falsch", "vrai", "faux", "on", "off",
        "1", "0", "✓", "✔", "✔️", "✅", "❌", "☑", "☐", "☒", "✗", "✘",
    ]
)  # fmt: skip


def _plain(text: str) -> str:
    words = text.strip()
    return "" if len(words) > LONGEST else unicodedata.normalize("NFKC", words).casefold().strip()


def seconds(text: str) -> int | None:
    """Return which duration that can be bought a cell says, in any writing; None: it says none."""
    try:
        return values.duration(text) if text.strip() else None
    except CellError:
        found = _CERTAIN.fullmatch(_plain(text))
        return None if found is None else int(next(filter(None, found.groups())))


def may_be_seconds(text: str) -> bool:
    """Whether a cell says such a duration, or may, if all cells beside it do."""
    return seconds(text) is not None or _UNSURE.fullmatch(_plain(text)) is not None


def is_orientation(text: str) -> bool:
    """Whether a cell says an orientation as it is read."""
    try:
        values.orientation(text)
    except CellError:
        return False
    return True


def may_be_orientation(text: str) -> bool:
    """Whether a cell says an orientation, in the words of other languages, too."""
    return is_orientation(text) or _plain(text) in _LIES


def _lies(text: str) -> bool:
    word = _plain(text).strip(values.BESIDE + " ")
    return is_orientation(text) or word in _LIES_PERHAPS or _RATIO.fullmatch(word) is not None


def is_yes_or_no(text: str) -> bool:
    """Whether a cell answers a question, or is a checkbox."""
    return _plain(text).strip(".!") in _YES_OR_NO


def how_many(text: str) -> int | None:
    """Return the number that a cell says; None where it says something else."""
    found = _HOW_MANY.fullmatch(_plain(text))
    return None if found is None else int(found[1])


COULD: Final[Mapping[str, Callable[[str], bool]]] = {
    "orientation": _lies,
    "side": lambda text: is_yes_or_no(text) or _lies(text),
    "count": lambda text: how_many(text) is not None,
    "duration": lambda text: (
        _ANY_LENGTH.fullmatch(_plain(text)) is not None or may_be_seconds(text)
    ),
    "campaign": lambda text: bool(text.strip()),
}
"""What a cell must say so that a header means what it may: see
:func:`batchsora.manifest.rows.likely_headers.may_mean`."""
