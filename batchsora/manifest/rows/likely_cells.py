"""What a cell could mean, in more notations than are read: enough to ask, never to buy.

Some are certain (``15 сек``, ``00:00:15.000``), others only if all cells of a column are like that
(``0:15`` may be minutes, ``15”`` inches).
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from batchsora.manifest import values
from batchsora.manifest.errors import CellError
from batchsora.manifest.rows.headers import FILLERS, HINT, OTHER_UNITS, hinted
from batchsora.manifest.rows.spelling import folded

NAMES: Final = {"side": "orientation"}
"""The column of ours that a kind is, if it has another name."""

_WORDS: Final = {
    # asked for one of both: yes, no, or the word itself
    "side": (
        "landscape", "portrait", "vertical", "horizontal", "widescreen", "hochformat", "hochkant",
        "querformat", "quer", "hoch", "liggend", "staand", "paysage", "apaisado", "paisaje",
        "paisagem", "retrato", "orizzontale", "verticale", "verticaal", "horizontaal", "vertikal",
        "liggande", "stående", "liggende", "横屏", "竖屏", "横向", "纵向", "竖向", "横向き",
        "縦向き", "横", "縦", "竖",
    ),
    "orientation": (
        "formaat", "oriëntatie", "orientatie", "beeldverhouding", "beeldformaat", "verhouding",
        "proporzioni", "proporción", "proporção", "relación de aspecto", "proporção de tela",
        "rapport d'aspect", "orientacja", "proporcje", "orientace", "orientering", "bildeformat",
        "kuvasuhde", "kuvasuunta", "suunta", "yön", "en boy oran\u0131", "ориентация", "формат",
        "соотношение сторон", "画面比例", "比例", "宽高比", "长宽比", "方向", "画幅", "画面方向",
        "アスペクト比", "縦横比", "向き", "화면비율", "화면비", "비율", "방향",
    ),
    "count": (
        "menge", "stück", "stueck", "stk", "stck", "anz", "nb", "nbre", "nombre", "takes", "clips",
        "videos", "vidéos", "vídeos", "versions", "versionen", "versiones", "versioni", "versões",
        "varianten", "variantes", "varianti", "variaciones", "variationen", "iterations", "times",
        "wiederholungen", "repeats", "repetitions", "répétitions", "kopien", "copias", "cópias",
        "kopieën", "antal", "antall", "määrä", "kpl", "počet", "liczba", "szt", "sztuk", "adet",
        "miktar", "darab", "количество", "кол-во", "число", "шт", "数量", "个数", "個数", "本数",
        "条数", "件数", "개수", "수량",
    ),
    "campaign": (
        "kampanj", "kampanje", "kampanja", "kampania", "kampaň", "kampanya", "kampány", "campanie",
        "кампания", "кампанія", "καμπάνια", "キャンペーン", "캠페인", "营销活动",
    ),
    "duration": (
        "längd", "lengde", "længde", "pituus", "kesto", "délka", "trvání", "długość", "czas",
        "czas trwania", "sekundy", "sekunder", "süre", "saniye", "varighet", "varighed", "hossz",
        "időtartam", "comprimento", "longitud", "longueur", "lunghezza", "laufzeit", "spielzeit",
        "длительность", "продолжительность", "длина", "секунды", "сек", "διάρκεια", "时长", "時長",
        "秒数", "長さ", "길이",
    ),
}  # fmt: skip
_OF_OTHERS: Final = FILLERS | frozenset(
    [
        "de", "la", "le", "les", "el", "los", "del", "della", "dei", "di", "do", "da", "dos", "du",
        "des", "der", "die", "das", "den", "von", "van", "het", "en", "et", "und", "oder", "ou",
        "o", "of", "för", "av", "vidéo", "vidéos", "vídeo", "vídeos", "film", "filme", "filmu",
        "видео", "mode", "row", "prompt", "zeile", "pro", "par", "por", "je",
    ]
)  # fmt: skip
_FIRST: Final = re.compile(r"\A(?:视频|影片|動画|ビデオ|영상|비디오)の?(?=.)")
_WORD: Final = re.compile(r"[^\W_]+")
_MEANS: Final = {folded(word): kind for kind, words in _WORDS.items() for word in words}
_MEASURED: Final = ("count", "duration")


@lru_cache(maxsize=1024)
def may_mean(header: str) -> str | None:
    """Return the kind of column (of ``COULD``) that a header may be, if its cells fit."""
    if not header.strip():
        return None
    bare = HINT.sub(" ", header).strip() or header
    words = [folded(word) for word in _WORD.findall(bare)]
    rest = [word for word in words if word not in _OF_OTHERS]
    whole = _FIRST.sub("", folded(bare))
    kind = _MEANS.get(whole) or _MEANS.get("".join(rest))
    if kind is None:
        kinds = {_MEANS.get(word) for word in rest or words} - ({None} if not rest else set())
        kind = kinds.pop() if len(kinds) == 1 else None
    return None if kind in _MEASURED and hinted(header, OTHER_UNITS) else kind


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
    """Return the duration that a cell says, if it can be bought, in any notation; else None."""
    try:
        return values.duration(text) if text.strip() else None
    except CellError:
        found = _CERTAIN.fullmatch(_plain(text))
        return None if found is None else int(next(filter(None, found.groups())))


def may_be_seconds(text: str) -> bool:
    """Return whether a cell says such a duration, or may, if all cells of its column do."""
    return seconds(text) is not None or _UNSURE.fullmatch(_plain(text)) is not None


def is_orientation(text: str) -> bool:
    """Return whether a cell is read as an orientation."""
    try:
        values.orientation(text)
    except CellError:
        return False
    return True


def may_be_orientation(text: str) -> bool:
    """Return whether a cell is an orientation, also in words of other languages."""
    return is_orientation(text) or _plain(text) in _LIES


def _lies(text: str) -> bool:
    word = _plain(text).strip(values.BESIDE + " ")
    return is_orientation(text) or word in _LIES_PERHAPS or _RATIO.fullmatch(word) is not None


def is_yes_or_no(text: str) -> bool:
    """Return whether a cell answers a question, or is a checkbox."""
    return _plain(text).strip(".!") in _YES_OR_NO


def how_many(text: str) -> int | None:
    """Return the number that a cell says; None if it says something else."""
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
:func:`batchsora.manifest.rows.likely_cells.may_mean`."""
