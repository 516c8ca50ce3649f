"""Headers that may mean a column of ours, where their cells could: ``Menge``, ``Landscape?``.

They are words that people use for other things as well (a column ``Videos`` of links), so that a
header alone says too little. :mod:`batchsora.manifest.rows.likely_cells` judges the cells.
"""

import re
from functools import lru_cache
from typing import Final

from batchsora.manifest.rows.headers import FILLERS, HINT, OTHER_UNITS, folded, hinted

NAMES: Final = {"side": "orientation"}
"""Which column of ours a kind is, where that is not its name."""

_WORDS: Final = {
    # asked whether it lies or stands: yes, no, or the word itself
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
    """Return the kind of a column that a header may be, if its cells are: one of ``COULD``."""
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
