"""The options of a run from a Python program: checked as strictly as those of a command."""

import os
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from batchsora.fetch.pace import rate_of
from batchsora.option_kinds import Kind, Option, options_of
from batchsora.options import RunOptions
from jobs.model.money import to_micros

M = TypeVar("M", bound=RunOptions)


def run_options(said: Mapping[str, Any], model: type[M] = RunOptions, **more: Any) -> M:  # type: ignore[assignment]
    """Return the options of a run from keywords: a misspelled budget would limit nothing.

    Args:
        said: by name; None is the default, and for ``download`` no files.
        **more: options that are not keywords.

    Raises:
        TypeError: one is unknown, or of the wrong type.
        ValueError: one is out of range, or two exclude each other.
    """
    known = {name: one for name, one in options_of(model).items() if one.keyword}
    values: dict[str, Any] = {}
    for name, value in said.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else "docs/python.md lists them"
            raise TypeError(f"there is no option {name!r}; {hint}")
        if value is not None or isinstance(known[name].default, bool | str):
            values[name] = _checked(known[name], value)
        other = known[name].not_with
        if other and value is not None and said.get(other) is not None:
            raise ValueError(f"give {other} or {name}, not both")
    if "download" in said and said["download"] is None:
        values["no_download"] = True
    return model(**values, **more)


def check_texts(**given: object) -> None:
    """Raise a TypeError unless each is text, or a dictionary of texts; None is not given."""
    for name, value in given.items():
        parts = [*value, *value.values()] if isinstance(value, Mapping) else [value]
        if not all(part is None or isinstance(part, str) for part in parts):
            raise TypeError(f"{name} must be text, not {value!r}")


def _checked(option: Option, value: Any) -> Any:
    if option.switches:
        choices = [option.default, *(one.value for one in option.switches)]
        if value not in choices:
            raise ValueError(f"{option.name} must be one of {', '.join(choices)}, not {value!r}")
    elif option.kind in (Kind.NUMBER, Kind.WHOLE):
        _check_number(option, value)
    elif option.kind is Kind.FLAG:
        if not isinstance(value, bool):
            raise TypeError(f"{option.name} must be True or False, not {value!r}")
    elif option.kind is Kind.USD:
        return _usd(option.name, value)
    elif option.kind is Kind.PAIRS:
        return _amounts(option.name, value)
    elif option.kind is Kind.RATE:
        return _rate(option.name, value)
    elif option.kind is Kind.PATH:
        return _path(option.name, value)
    return value


def _check_number(option: Option, value: Any) -> None:
    name, least, most = option.name, option.least, option.most
    kinds = int if option.kind is Kind.WHOLE else int | float
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise TypeError(f"{name} must be {option.kind}, not {value!r}")
    # written so that NaN fails
    above = least is None or value >= least
    if not (above and (most is None or value <= most)):
        limits = "" if least is None else f" from {least:g}"
        limits += "" if most is None else f" to {most:g}"
        raise ValueError(f"{name} must be{limits}, not {value!r}")


def _usd(name: str, amount: Any) -> Decimal | None:
    if amount is None:
        return None
    if not isinstance(amount, Decimal | str | int) or isinstance(amount, bool):
        raise TypeError(f'{name}: write it as text or Decimal, like "6.00"')
    try:
        found = Decimal(amount)
        to_micros(found)
    except (InvalidOperation, ValueError):
        raise ValueError(
            f'{name}: {amount!r} is not a valid amount in USD; write it like "6.00"'
        ) from None
    return found


def _amounts(name: str, given: Any) -> dict[str, Decimal]:
    if not isinstance(given, Mapping):
        raise TypeError(f'{name} must be amounts by name, like {{"summer": "6.00"}}')
    amounts = {of: _usd(f"{name}[{of!r}]", one) for of, one in given.items()}
    return {of: amount for of, amount in amounts.items() if amount is not None}


def _path(name: str, given: Any) -> Path:
    if not isinstance(given, str | os.PathLike):
        raise TypeError(f"{name} must be a path, not {given!r}")
    return Path(given)


def _rate(name: str, given: Any) -> int:
    if not isinstance(given, str | int | float) or isinstance(given, bool):
        raise TypeError(f'{name}: write it like "2M", or as a number, not {given!r}')
    try:
        return rate_of(given)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
