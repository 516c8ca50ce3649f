"""Headers of what only some models take: their names, and what probably means one of them.

Only the names are read so. What resembles one is asked about: ignored, every video would be paid
for without it.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from batchsora.manifest.rows.spelling import CAMEL, WORD, folded, slips
from batchsora.providers.runblob.catalog import MODELS
from jobs.model.text import normalized

MOST_REFERENCES: Final = 9
"""Reference images of a row."""

OF_MODELS: Final[Mapping[str, tuple[str, ...]]] = {
    "model": ("video model",),
    "seed": (),
    "negative_prompt": (),
    "end_image": ("end frame", "last frame", "last image"),
    **{f"reference_image_{number}": () for number in range(1, MOST_REFERENCES + 1)},
}
"""Columns that some models take, and their other names."""

FURTHER_IMAGES: Final = tuple(name for name in OF_MODELS if "image" in name)
"""Columns of images beside the first frame."""

OTHER: Final = "param."
"""Begins the header of any other parameter of a model: ``param.cfg_scale``."""
_OTHER: Final = re.compile(r"param\.([a-z][a-z0-9_]{0,63})")

_NAMES: Final = {folded(word): name for name, words in OF_MODELS.items() for word in (name, *words)}
_PARAMETERS: Final = {
    folded(name): f"{OTHER}{name}"
    for model in MODELS.values()
    for name in model.parameters
    if name not in OF_MODELS
}
_ASKED: Final[Mapping[str, str]] = {
    "cfg": "param.cfg_scale",
    "cfgvalue": "param.cfg_scale",
    "guidancescale": "param.cfg_scale",
    "endbild": "end_image",
    "letztesbild": "end_image",
    "imagefinale": "end_image",
    "imagenfinal": "end_image",
    "immaginefinale": "end_image",
}
"""What may well be something else."""
_SLIPS: Final = frozenset(
    ("sed", "seeds", "sead", "seeed", "sede", "esed", "sseed", "sedd", "ssed")
)
"""Of ``seed``: other words of four letters are too near to honest headers."""
_SHORTEST: Final = 8
"""Letters of a name of which a slip is recognised."""
_LONGEST: Final = 70
"""Characters of the header of a parameter."""
_LONG: Final = 12
"""From here on two slips count as a misspelling, below only one."""

_SEED: Final = frozenset(("random", "noise", "fixed", "number", "no", "nr", "num", "value", "the"))
_NEGATIVE: Final = frozenset(("negative", "negatives", "negativ", "negativer", "negativo", "neg"))
_PROMPT: Final = frozenset(("prompt", "prompts", "text", "words", "keywords", "terms"))
_PICTURE: Final = frozenset(
    ("image", "images", "picture", "pictures", "photo", "photos", "img", "pic", "pics", "frame")
)
_OF_PICTURE: Final = frozenset(
    ("url", "link", "uri", "file", "filename", "path", "name", "source", "src", "optional", "video")
)
_END: Final = frozenset(("end", "ending", "last", "final", "closing", "tail"))
_REFERENCE: Final = frozenset(("reference", "references", "ref", "refs", "referenz"))
_REFERENCES: Final = frozenset(("referenzbild", "referenzbilder"))


def of_model(header: str) -> str | None:
    """Return the column that a header names exactly, if only some models take it, or None."""
    other = _OTHER.fullmatch(normalized(header, "NFKC").strip().casefold())
    return _NAMES.get(folded(header)) if other is None else f"{OTHER}{other[1]}"


def named(words: Sequence[str]) -> str | None:
    """Return the column that one of these folded words names, or None."""
    return next((_NAMES[word] for word in words if word in _NAMES), None)


def resembled_of_model(header: str, present: Collection[str]) -> tuple[str, bool] | None:
    """Return the column that a header probably means, and whether by a slip, or None.

    Words that are often something else (``Reference``) count where the table names models.
    """
    text = normalized(header, "NFKC").strip()
    word = folded(text)
    if text.casefold().startswith(OTHER):
        meant = re.sub(r"[\s_-]+", "_", text.casefold()) if len(text) <= _LONGEST else ""
        other = meant if _OTHER.fullmatch(meant) else f"{OTHER}NAME"
        return _PARAMETERS.get(folded(text[len(OTHER) :]), other), False
    found = _PARAMETERS.get(word) or _ASKED.get(word) or _by_words(text, present)
    if found is not None:
        return None if found in present else (found, False)
    slip = _slip_of(word)
    return None if slip is None or slip in present else (slip, True)


def _slip_of(word: str) -> str | None:
    if word in _SLIPS:
        return "seed"
    for known, name in (_NAMES | _PARAMETERS).items():
        near = known[:1] == word[:1] and abs(len(known) - len(word)) <= 2  # noqa: PLR2004 - slips
        if len(known) < _SHORTEST or not near or _digits(known) != _digits(word):
            continue
        if 0 < slips(word, known) <= (2 if len(known) >= _LONG else 1):
            return name
    return None


def _digits(word: str) -> str:
    return "".join(letter for letter in word if letter.isdecimal())


def _by_words(header: str, present: Collection[str]) -> str | None:
    """Return the column that the words of a header are about; None if there is none."""
    said = [word.casefold() for word in WORD.findall(CAMEL.sub(" ", header))]
    numbers = [int(word) for word in said if re.fullmatch("[1-9]", word)]
    words = {word for word in said if not word.isdecimal()} - _OF_PICTURE
    if words & {"seed", "seeds"} and words <= {"seed", "seeds"} | _SEED:
        return "seed"
    if words & _NEGATIVE and words <= _NEGATIVE | _PROMPT:
        return "negative_prompt"
    if words & _END and words & _PICTURE and words <= _END | _PICTURE:
        return "end_image"
    pictures, refers = bool(words & _PICTURE), bool(words & _REFERENCE)
    if words and (words <= _REFERENCES or (refers and words <= _REFERENCE | _PICTURE)):
        free = [f"reference_image_{n}" for n in numbers or range(1, MOST_REFERENCES + 1)]
        if "model" in present or (pictures and numbers):
            return next((name for name in free if name not in present), None)
    return None
