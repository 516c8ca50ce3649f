"""The columns that depend on the model of a row: what it takes, and in which notation.

A cell that a row's model does not take is an error, never dropped: the video would be paid for
without what was asked for.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from batchsora.manifest import values
from batchsora.manifest.errors import CellError, NotTakenError
from batchsora.manifest.rows.model_headers import FURTHER_IMAGES, OTHER
from batchsora.providers.model import END, START, Model, ParameterRule, ParameterType
from batchsora.providers.registry import DEFAULT_MODEL, MODELS
from jobs.model.provider import ImageRef, Parameter
from jobs.model.text import normalized

PARAMETERS: Final[Mapping[str, str]] = {"seed": "seed", "negative_prompt": "negative_prompt"}
"""Columns of ours that are parameters, and the provider's names of these."""

IMAGES: Final[Mapping[str, str]] = {name: name.replace("_image", "") for name in FURTHER_IMAGES}
"""Columns of images beside the start image, and their roles."""


def is_parameter(column: str) -> bool:
    """Return whether a column of ours is a parameter of models."""
    return column in PARAMETERS or column.startswith(OTHER)


def parameter_name(column: str) -> str:
    """Return the provider's name of a column's parameter."""
    return PARAMETERS.get(column, column.removeprefix(OTHER))


_LONGEST: Final = 200  # characters of a value that is no text
_YES: Final = frozenset(("true", "yes", "y", "1", "on", "ja", "oui", "si", "sí", "x"))
_NO: Final = frozenset(("false", "no", "n", "0", "off", "nein", "non"))
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(?:[.,][0-9]{1,9})?")


@lru_cache(maxsize=256)
def model_of(text: str) -> Model:
    """Return the model that a cell names, in any case, with blanks or hyphens; empty: the first.

    Raises:
        CellError: there is none of that name.
    """
    if not text.strip():
        return DEFAULT_MODEL
    name = _folded(text)
    found = _BY_NAME.get(name)
    if found is not None:
        return found
    near = get_close_matches(name, _BY_NAME, 3, 0.5)
    known = near or [one for one in MODELS if one[:3].casefold() == name[:3]] or list(MODELS)[:5]
    shown = ", ".join(_BY_NAME[one].name if one in _BY_NAME else one for one in known)
    raise CellError("unknown model", f"Did you mean {shown}? 'batchsora models' lists all.")


def _folded(text: str) -> str:
    words = normalized(text.strip()[:_LONGEST], "NFKC").casefold()
    return re.sub(r"[\s_-]+", "_", words)


_BY_NAME: Final[Mapping[str, Model]] = {_folded(name): model for name, model in MODELS.items()}
_FAMILIES: Final = frozenset(name.partition("_")[0] for name in _BY_NAME)


def names_models(cells: Iterable[str]) -> bool:
    """Return whether cells of a column are names of models, or look like them."""
    words = {_folded(cell) for cell in cells if cell.strip()}
    return any(
        word in _BY_NAME
        or not _FAMILIES.isdisjoint(re.split(r"[_.]", word))
        or any(word.startswith(family) for family in _FAMILIES)
        for word in words
    )


def names_default(text: str) -> bool:
    """Return whether a cell names the model of rows that name none."""
    return _BY_NAME.get(_folded(text)) is DEFAULT_MODEL


def orientation(text: str, model: Model) -> str:
    """Parse an orientation of a model; empty is its default."""
    if not text.strip():
        return model.orientations[0]
    if _folded(text) in ("1:1", "1x1", "square", "quadrat", "quadratisch"):
        found = "1:1"
    else:
        found = values.orientation(text)
    if found not in model.orientations:
        known = " or ".join(model.orientations)
        raise CellError(f"{model.name} makes no {found} videos", f"Write {known}.")
    return found


def duration(text: str, model: Model) -> int | None:
    """Parse a duration of a model, in seconds; empty is its default."""
    if not text.strip():
        return model.durations[0] if model.durations else None
    if not model.durations:
        raise CellError(
            f"{model.name} leaves no choice of a duration",
            "Leave it empty, and clear a default for it if there is one.",
        )
    return values.duration(text, model.durations)


def prompt_problem(prompt: str, model: Model) -> CellError | None:
    """Return what is wrong with the length of a prompt; None if its model takes it."""
    length = len(prompt)
    if length > model.longest_prompt:
        return CellError(
            f"the prompt has {length} characters, and {model.name} takes {model.longest_prompt}",
            "Shorten it.",
        )
    if length < model.shortest_prompt:
        return CellError(
            f"the prompt has {length} characters, and {model.name} wants {model.shortest_prompt}",
            "Say more of what the video shows.",
        )
    return None


def parameter(text: str, name: str, model: Model) -> Parameter | None:
    """Parse a parameter's value, by the provider's name of it; empty is None.

    Raises:
        CellError: the model does not take it, or not this value.
    """
    if not text.strip():
        return None
    rule = model.parameters.get(name)
    if rule is None:
        known = ", ".join(model.parameters) or "none"
        raise NotTakenError(
            f"{model.name} takes no {name}",
            f"Leave it empty, or choose a model that takes it ({model.name} takes: {known}).",
        )
    found = _value(text, rule)
    if found is None or not rule.takes(found):
        raise CellError(f"not a value of {name}", f"Write {wanted(rule)}.")
    return found


def _value(text: str, rule: ParameterRule) -> Parameter | None:
    if rule.type is ParameterType.TEXT:
        return values.prompt(text)
    word = normalized(text.strip()[:_LONGEST], "NFKC").casefold()
    match rule.type:
        case ParameterType.WHOLE:
            return values.whole(word)
        case ParameterType.NUMBER:
            if "," in word and not word.startswith("0") and values.GROUPED.fullmatch(word):
                return values.whole(word)  # or an error: a thousand, or one
            return float(word.replace(",", ".")) if _NUMBER.fullmatch(word) else None
        case ParameterType.FLAG:
            return True if word in _YES else False if word in _NO else None
        case ParameterType.CHOICE:
            return next((one for one in rule.choices if one.casefold() == word), None)


def wanted(rule: ParameterRule) -> str:
    """Return what a parameter's value must be, for people."""
    if rule.type is ParameterType.FLAG:
        return "yes or no"
    if rule.type is ParameterType.CHOICE:
        return " or ".join(rule.choices)
    what = {
        ParameterType.WHOLE: "a whole number",
        ParameterType.NUMBER: "a number",
        ParameterType.TEXT: "a text",
    }[rule.type]
    unit = " characters" if rule.type is ParameterType.TEXT else ""
    if rule.least is not None and rule.most is not None:
        with_or_from = "of" if unit else "from"
        return f"{what} {with_or_from} {rule.least:g} to {rule.most:.10g}{unit}"
    return what


def image_problems(images: Mapping[str, ImageRef], model: Model) -> Iterator[tuple[str, CellError]]:
    """Return the roles of images that don't go with the model or with the others, and why."""
    unknown = [role for role in images if role not in model.roles]
    for role in unknown:
        kinds = ", ".join(_said(one) for one in model.roles) or "no image"
        yield (
            role,
            NotTakenError(
                f"{model.name} takes no {_said(role)}", f"Leave it empty; it takes: {kinds}."
            ),
        )
    if unknown:
        return
    if END in images and START not in images:
        yield END, CellError("there is an end image without a start image", "Add the start image.")
    elif images and not any(images.keys() <= together for together in model.together):
        last = [*images][-1]
        yield (
            last,
            CellError(
                f"{model.name} takes no {_said(last)} beside the others",
                "Keep either the start and end image, or the reference images.",
            ),
        )
    for role in sorted(model.needs - images.keys()):
        yield role, CellError(f"{model.name} needs a {_said(role)}", "Add one.")
    for role, image in images.items():
        is_address = image.path is None and image.source[:5].lower() != "data:"
        if is_address and not model.image_rule(role, images).address:
            yield (
                role,
                CellError(f"{model.name} takes no address of an image", "Name a file instead."),
            )


def _said(role: str) -> str:
    name, _, number = role.partition("_")
    return f"{name} image {number}".strip()
