"""The options of a run from a Python program: checked as strictly as those of a command."""

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
        amounts = {name: _usd(f"{option.name}[{name!r}]", one) for name, one in value.items()}
        return {name: amount for name, amount in amounts.items() if amount is not None}
    elif option.kind is Kind.RATE:
        return _rate(option.name, value)
    elif option.kind is Kind.PATH:
        return Path(value)
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
        raise ValueError(f'{name}: {amount!r} is no amount in USD; write it like "6.00"') from None
    return found


def _rate(name: str, given: Any) -> int:
    if not isinstance(given, str | int | float) or isinstance(given, bool):
        raise TypeError(f'{name}: write it like "2M", or as a number, not {given!r}')
    try:
        return rate_of(given)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
