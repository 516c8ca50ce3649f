"""Read files of models: a key that there is not, or a value of another type, is an error."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, fields
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from batchsora.providers.model import (
    ImageRule,
    Model,
    ParameterRule,
    ParameterType,
    Price,
    families,
)
from jobs.model.families import EvidenceClass, Times
from jobs.model.money import to_micros

Check = Callable[[str, Any], Any]
"""Returns a value as a model has it; raises a ValueError that names its key."""


def read_models(folder: Path) -> dict[str, Model]:
    """Read a provider's models: a file each, in the order of their names.

    A file that says ``like = "NAME"`` has what the file of that name has, but for what it says
    itself.

    Raises:
        ValueError: a file can't be understood; the message names it, and the key.
    """
    files = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    said: dict[str, dict[str, Any]] = {}
    for name, path in files.items():
        try:
            said[name] = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path.name}: {error}") from error
    found: dict[str, Model] = {}
    for name, path in files.items():
        try:
            model: Model = _MODEL("", _inherited(said, name, ()))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
        found[model.name] = model
    families(found)
    return found


def _inherited(
    said: Mapping[str, Mapping[str, Any]], name: str, behind: Sequence[str]
) -> dict[str, Any]:
    if name not in said:
        raise ValueError(f"there is no file {name}.toml")
    if name in behind:
        raise ValueError("it is like itself")
    own = dict(said[name])
    if "like" not in own:
        return own
    like: str = _text("like", own.pop("like"))
    return _inherited(said, like, (*behind, name)) | own


def _must(where: str, what: str) -> ValueError:
    return ValueError(f"{where!r} must be {what}")


def _text(where: str, value: Any) -> Any:
    if not isinstance(value, str):
        raise _must(where, "a text")
    return value


def _whole(where: str, value: Any) -> Any:
    if type(value) is not int:
        raise _must(where, "a whole number")
    return value


def _number(where: str, value: Any) -> Any:
    if type(value) not in (int, float):
        raise _must(where, "a number")
    return value


def _flag(where: str, value: Any) -> Any:
    if type(value) is not bool:
        raise _must(where, "true or false")
    return value


def _date(where: str, value: Any) -> Any:
    if type(value) is not date:
        raise _must(where, "a date, like 2026-12-01")
    return value


def _micros(where: str, value: Any) -> Any:
    try:
        return to_micros(_text(where, value))
    except (ArithmeticError, ValueError) as error:
        raise _must(where, 'an amount in USD, like "0.12"') from error


def _one_of(kind: type[StrEnum]) -> Check:
    def check(where: str, value: Any) -> Any:
        if value not in [*kind]:
            raise _must(where, f"one of {', '.join(kind)}")
        return kind(value)

    return check


def _list(of: Check, what: str, made: Callable[[Sequence[Any]], Any] = tuple) -> Check:
    def check(where: str, value: Any) -> Any:
        if isinstance(value, list):
            with suppress(ValueError):  # it is said of the list as a whole
                return made([of(where, one) for one in value])
        raise _must(where, f"a list of {what}")

    return check


def _filled(check: Check) -> Check:
    def filled(where: str, value: Any) -> Any:
        found = check(where, value)
        if not found:
            raise ValueError(f"{where!r} must not be empty")
        return found

    return filled


def _table(of: Check) -> Check:
    """Return the check of a table whose keys are names."""

    def check(where: str, value: Any) -> Any:
        if not isinstance(value, dict):
            raise _must(where, "a table")
        return {name: of(f"{where}.{name}", one) for name, one in value.items()}

    return check


def _made(kind: type, checks: Mapping[str, Check], keys: Mapping[str, str] | None = None) -> Check:
    """Return the check of a table with the fields of a class; ``keys`` are called otherwise."""
    called = keys or {}
    names = {called.get(one.name, one.name): one for one in fields(kind)}

    def check(where: str, value: Any) -> Any:
        if not isinstance(value, dict):
            raise _must(where, "a table")
        begin = f"{where}." if where else ""
        for key in value:
            if key not in names:
                near = get_close_matches(key, names, 1)
                remedy = f"did you mean {near[0]!r}?" if near else f"it may have {', '.join(names)}"
                raise ValueError(f"unknown key {begin + key!r}; {remedy}")
        for key, one in names.items():
            needed = one.default is MISSING and one.default_factory is MISSING
            if needed and key not in value:
                raise ValueError(f"it lacks {begin + key!r}")
        return kind(
            **{names[key].name: checks[key](begin + key, one) for key, one in value.items()}
        )

    return check


_TEXTS: Final = _list(_text, "texts")
_SET: Final = _list(_text, "texts", frozenset)
_IMAGE: Final = _made(ImageRule, {"file": _text, "address": _text, "listed": _flag, "bare": _flag})
_PARAMETER: Final = _made(
    ParameterRule,
    {
        "type": _one_of(ParameterType),
        "least": _number,
        "most": _number,
        "choices": _TEXTS,
        "needed": _flag,
        "help": _text,
    },
)
_PRICE: Final = _made(Price, {"usd": _micros, "source": _text, "read_on": _date}, {"micros": "usd"})
_MODEL: Final = _made(
    Model,
    {
        **dict.fromkeys(("provider", "family", "name", "generate", "generations", "mark"), _text),
        **dict.fromkeys(("shortest_prompt", "longest_prompt", "largest_image"), _whole),
        "evidence": _one_of(EvidenceClass),
        "times": _made(Times, dict.fromkeys(("young", "expected", "longest"), _number)),
        "orientations": _filled(_TEXTS),
        "durations": _list(_whole, "whole numbers"),
        "images": _table(_IMAGE),
        "together": _list(_SET, "lists of texts"),
        "needs": _SET,
        "parameters": _table(_PARAMETER),
        "prices": _table(_PRICE),
        "priced_by": _TEXTS,
        "fields": _table(_text),
        "as_text": _SET,
    },
)
