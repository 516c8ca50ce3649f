"""What one header means: names without case, spaces and punctuation, synonyms, hints, slips.

A hint is in brackets or below a line break: ``Duration (sec)`` is ``duration``. What only resembles
a name of ours (``durration``, ``Reference image``, ``Qty``) is never read as it, and never silently
taken for a person's own column: :func:`resembled` names it.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final

from batchsora.manifest.rows.model_headers import (
    OF_MODELS,
    OTHER,
    named,
    of_model,
    resembled_of_model,
)
from batchsora.manifest.rows.spelling import CAMEL, WORD, folded, slips
from jobs.model.text import normalized

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("name", "job id"),
    "prompt": ("text", "prompts", "video prompt", "prompt text", "text prompt"),
    "image": (
        "image file",
        "image path",
        "image filename",
        "picture",
        "picture file",
        "photo",
        "photo file",
        "img",
        "first frame",
        "start frame",
        "start image",
    ),
    "image_url": ("image link", "picture url", "picture link", "photo url", "photo link"),
    "orientation": ("aspect", "aspect ratio", "ratio", "video format"),
    "duration": (
        "seconds",
        "length",
        "sec",
        "secs",
        "duration sec",
        "duration seconds",
        "duration in seconds",
        "length sec",
        "length in seconds",
        "video duration",
        "video length",
        "clip duration",
        "clip length",
    ),
    "campaign": ("campaign name",),
    "priority": ("prio",),
    "count": (
        "variants",
        "copies",
        "repeat",
        "variations",
        "number of copies",
        "no of copies",
        "of copies",
        "number of variants",
        "no of variants",
        "number of videos",
        "no of videos",
    ),
    "callback_url": (),
}
"""Our columns, and their other names."""

WEAK: Final[Mapping[str, tuple[str, ...]]] = {
    "prompt": (
        "video idea",
        "idea",
        "description",
        "video description",
        "scene",
        "scene description",
    ),
    "orientation": ("format", "size"),
}
"""Other names of a column, if no other column has a name above."""

_ASKED: Final[Mapping[str, tuple[str, ...]]] = {
    "count": (
        "quantity", "qty", "pieces", "pcs", "how many", "num videos", "anzahl", "stückzahl",
        "quantité", "cantidad", "quantidade", "quantità", "aantal", "ilość", "nombre de vidéos",
        "nombre de videos", "número de vídeos", "número de videos", "numero di video",
    ),
    "image": (
        "image name", "picture name", "photo name", "bild", "bilder", "bilddatei", "foto", "fotos",
        "imagen", "imágenes", "imagem", "immagine", "immagini", "afbeelding", "obraz",
    ),
    "orientation": (
        "ausrichtung", "seitenverhältnis", "bildformat", "videoformat", "formato", "orientación",
        "orientação", "orientamento",
    ),
    "duration": (
        "len", "dur", "clip time", "video time",
        "runtime", "dauer", "videodauer", "länge", "laenge", "videolänge", "sekunden", "durée",
        "secondes", "duración", "duração", "segundos", "durata", "secondi", "duur", "lengte",
    ),
    "campaign": ("kampagne", "campagne", "campaña", "campanha", "campagna"),
}  # fmt: skip
"""What may well be something else, and would cost money if it were read as ours."""

_SEEN: Final = frozenset(["action", "visual", "visuals", "whatwesee", "shotdescription"])
"""Beside a ``Scene`` that only numbers the shots, these say what is seen."""
_OTHER_PROMPTS: Final = frozenset(["negative", "neg", "old", "previous", "unused", "exclude"])
"""Hints of a column that is not the prompt."""
_NUMBERS: Final = frozenset(["#", "?", "no", "nr", "num", "number", "id", "index"])
"""Beside a prompt they mean its number, or a question about it."""
_OF_PROMPTS: Final = _NUMBERS | frozenset(
    [
        "status", "length", "characters", "chars", "words", "tokens", "author", "date", "language",
        "category", "type", "tags", "title", "name", "note", "notes", "comment", "comments",
        "rating", "score",
    ]
)  # fmt: skip
"""The last words of headers about prompts that are not the prompt."""

LONGEST_HEADER: Final = 1000
"""Characters; a header is repeated in messages, and compared with every name of ours."""

SHORTEST_MISSPELT: Final = 5
"""A shorter word is one letter away from too many honest headers."""
LONG_WORD: Final = 8
"""From here on two slips count as a misspelling, below only one."""

PROPER: Final = 0
STRONG: Final = 1
WEAKEST: Final = 2

HINT: Final = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}|<[^<>]*>")
_NUMBERED: Final = re.compile(r"\A\s*(?:\(?[0-9]{1,3}\s*[.):]|\([0-9]{1,3}\))\s*(?=\S)")
_MARKED: Final = re.compile(r"[#?\uff03\uff1f\u2116]\W*\Z")
"""A header that ends with a sign of numbers, or a question mark."""
OTHER_UNITS: Final = frozenset(
    [
        "min", "mins", "minute", "minutes", "hour", "hours", "hr", "hrs", "h", "ms", "msec",
        "millisecond", "milliseconds", "day", "days", "frame", "frames", "fps", "mm", "cm", "m",
        "km", "inch", "inches", "ft", "feet", "px", "pixel", "pixels", "kb", "mb", "gb", "bytes",
        "character", "characters", "char", "chars", "letter", "letters", "word", "words", "token",
        "tokens", "line", "lines",
    ]
)  # fmt: skip
"""Hints of a column that measures something else."""
_MEASURES: Final = ("duration", "count", "priority")
FILLERS: Final = frozenset(
    [
        "in", "of", "the", "a", "an", "for", "per", "each", "to", "and", "or", "is", "our", "your",
        "my", "video", "videos", "clip", "clips", "output", "target", "desired", "wanted", "needed",
        "required", "requested", "optional", "final", "total", "default", "preferred", "number",
        "no", "num", "max", "value", "field", "column", "s", "sec", "secs", "second", "please",
        "choose", "select", "enter",
    ]
)  # fmt: skip
"""Words that don't change the meaning of those beside them."""
_HEADS: Final = {
    "image": ("image", "images", "picture", "pictures", "photo", "photos", "img"),
    "orientation": ("orientation", "aspect", "aspectratio"),
    "duration": ("duration", "seconds", "secs"),
    "campaign": ("campaign",),
}
"""The last words of headers about the same thing: ``Reference image``."""
_ADDRESSES: Final = frozenset(["url", "link", "uri"])
_OF_FRAMES: Final = frozenset([*_HEADS["image"], "frame"])
"""Followed by a word for an address: ``Start image URL``, ``start_frame_url``."""
_OF_PICTURES: Final = frozenset(
    ["no", "nr", "number", "file", "filename", "path", "source", "src", "ref"]
)


_CANONICAL: Final = {folded(name): name for name in SYNONYMS}
_STRONG: Final = _CANONICAL | {
    folded(synonym): name for name, synonyms in SYNONYMS.items() for synonym in synonyms
}
_WEAK: Final = {folded(word): name for name, words in WEAK.items() for word in words}
_KNOWN: Final = _STRONG | _WEAK
_DOUBTFUL: Final = {folded(word): name for name, words in _ASKED.items() for word in words}
_LAST: Final = {word: name for name, words in _HEADS.items() for word in words}


@lru_cache(maxsize=1024)
def meaning(header: str) -> str | None:
    """Return the column of ours that a header names (``"Text"``: ``"prompt"``), or None."""
    if (name := of_model(header) or named(_bare(header))) is not None:
        return name
    if (name := _KNOWN.get(folded(header))) is not None:
        return None if name == "prompt" and _MARKED.search(header) else name
    name = next((_KNOWN[word] for word in _bare(header) if word in _KNOWN), None)
    if name in _MEASURES and hinted(header, OTHER_UNITS):
        return None
    return None if name == "prompt" and _is_of_prompts(header) else name


def is_ours(name: str) -> bool:
    """Return whether a canonical name is of a column of ours."""
    return name in SYNONYMS or name in OF_MODELS or name.startswith(OTHER)


NAMES: Final = (*SYNONYMS, "model", "seed", "negative_prompt", "end_image", "reference_image_1")
"""Names of columns that messages and forms offer; there are also ``param.NAME`` and more images."""


def rank(header: str) -> int:
    """Return how certain the meaning of a header is: the lower, the more certain."""
    word = folded(header)
    if word in _CANONICAL or of_model(header) is not None:
        return PROPER
    words = [word, *_bare(header)]
    return STRONG if named(words) or any(word in _STRONG for word in words) else WEAKEST


def outright(header: str) -> bool:
    """Return whether a header is a name for a column of ours without any hint."""
    return folded(header) in _KNOWN


def _bare(header: str) -> list[str]:
    """Return a header without its hints, folded: without brackets, then its first line alone."""
    text = _NUMBERED.sub("", normalized(header, "NFKC"), count=1)
    bare = HINT.sub(" ", text)
    first = next(iter(bare.strip().splitlines()), "")
    return [word for word in dict.fromkeys((folded(text), folded(bare), folded(first))) if word]


def hinted(header: str, words: Collection[str]) -> bool:
    """Return whether a hint has one of these words: ``Duration (min)`` measures something else."""
    text = normalized(header, "NFKC")
    hints = [*HINT.findall(text), *HINT.sub(" ", text).strip().splitlines()[1:]]
    return not {*words}.isdisjoint(WORD.findall(" ".join(hints).casefold()))


def is_doubtful(prompt: str) -> bool:
    """Return whether the header of the prompts lacks the word prompt, as ``Scene`` and ``Text``."""
    words = WORD.findall(CAMEL.sub(" ", prompt).casefold())
    return {"prompt", "prompts"}.isdisjoint(words)


def may_be_prompt(header: str) -> bool:
    """Return whether a header may be that of the prompts if another one is doubtful."""
    return folded(header) in _SEEN or meaning(header) == "prompt" or not is_doubtful(header)


def is_second_prompt(header: str) -> bool:
    """Return whether a header has the word prompt, and may be the one to buy: ``Prompt v2``."""
    return not is_doubtful(header) and not _is_of_prompts(header)


def _is_of_prompts(header: str) -> bool:
    """Return whether a header is about a prompt (its number, its notes), not the prompt."""
    if _MARKED.search(header) or hinted(header, _OTHER_PROMPTS | _NUMBERS):
        return True
    words = WORD.findall(CAMEL.sub(" ", HINT.sub(" ", header)).casefold())
    return not (_OTHER_PROMPTS.isdisjoint(words) and _OF_PROMPTS.isdisjoint(words[-1:]))


def resembled(header: str, present: Collection[str]) -> tuple[str, bool] | None:
    """Return the column of ours that a header probably means, and whether by a slip, or None.

    A column of ours that is ``present`` was not meant by another header.
    """
    header = normalized(header, "NFKC")
    if (of_models := resembled_of_model(header, present)) is not None:
        return of_models
    slip = misspelt(header, present) or next(
        (like for word in _bare(header) if (like := misspelt(word, present))), None
    )
    if slip is not None:
        return slip, True
    words = [word.casefold() for word in WORD.findall(CAMEL.sub(" ", header))]
    bare = WORD.findall(HINT.sub(" ", CAMEL.sub(" ", header)).casefold())
    for found in (words, bare):
        name = _about(found)
        if name is not None and name not in present:
            return name, False
    return None


def _about(words: list[str]) -> str | None:
    """Return the column of ours that the words of a header are about; None if there is none."""
    whole = "".join(words)
    if whole in _DOUBTFUL or whole in _KNOWN:  # beside a hint that names another unit
        return _DOUBTFUL.get(whole) or _KNOWN[whole]
    rest = [word for word in words if word not in FILLERS and not word.isdigit()]
    left = "".join(rest)
    if left in _KNOWN or left in _DOUBTFUL:
        return _KNOWN.get(left) or _DOUBTFUL[left]
    if not rest:
        return None
    if _LAST.get(rest[0]) == "image" and _OF_PICTURES.issuperset(rest[1:]):
        return "image"
    if rest[-1] in _ADDRESSES and not _OF_FRAMES.isdisjoint(rest[:-1]):
        return "image_url"
    pair = "".join(rest[-2:])
    before, name = (rest[:-2], _LAST[pair]) if pair in _LAST else (rest[:-1], _LAST.get(rest[-1]))
    # "prompt image" is the prompt's, "image campaign" neither of our columns
    return None if name is None or any(word in _STRONG for word in before) else name


def misspelt(header: str, present: Collection[str]) -> str | None:
    """Return the name of ours, not ``present`` yet, that a header probably misspells, or None."""
    word = folded(header)
    for known, name in _STRONG.items():
        if name in present or len(known) < SHORTEST_MISSPELT:
            continue
        most = 2 if len(known) >= LONG_WORD else 1
        if abs(len(word) - len(known)) <= most and 0 < slips(word, known) <= most:
            return name
    return None
