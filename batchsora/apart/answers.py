"""Decode and check answers of a separate process: its library may be under somebody else's control.

Texts may hold lone surrogates, as those of honest files do.
"""

import base64
import json
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from batchsora.apart.asking import ApartError, Spool

T = TypeVar("T")


def _unpacked(value: object) -> object:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


Packed = Annotated[bytes, BeforeValidator(_unpacked)]
"""Bytes, in base64."""


class Said(BaseModel):
    """A part of an answer: these fields, of these types, and no others."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def decoded(line: bytes, kind: TypeAdapter[T]) -> T:
    """Decode a line of JSON; raise ApartError if it is not of this kind."""
    try:
        return kind.validate_python(_decode(line.decode("utf-8", "surrogatepass")))
    except (ValidationError, ValueError, RecursionError) as error:
        raise nonsense() from error


def only(answer: Spool, kind: TypeAdapter[T]) -> T:
    """Decode an answer of one line; raise ApartError if it is not of this kind, or is longer."""
    lines = answer.lines()
    found = decoded(next(lines, b""), kind)
    if next(lines, None) is not None:
        raise nonsense()
    return found


def nonsense() -> ApartError:
    """Return the error for an answer that our readers never give."""
    return ApartError("its reader gave an invalid answer; the file may have taken it over")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_decode: Any = json.JSONDecoder(parse_constant=_refuse).decode
