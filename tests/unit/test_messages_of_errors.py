"""Every error of the engine has a message for people, and a plain text for a program."""

import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from batchsora.presentation.errors import message
from jobs.model import errors
from jobs.model.errors import EngineError

CANDIDATE = {"generation_id": "gen-7", "status": "completed", "created_at": None}
SAMPLES: dict[str, list[Any]] = {
    "candidates": [[CANDIDATE]],
    "known": [[], ["night"]],
    "batches": [["night", "day"]],
}
BY_TYPE: dict[Any, list[Any]] = {
    str: ["words"],
    str | None: [None, "words"],
    int: [3],
    bool: [False, True],
    Path: [Path("night.db")],
    Path | None: [Path("beside")],
    datetime: [datetime(2026, 1, 2, 3, 4, tzinfo=UTC)],
}


def kinds(kind: type[EngineError] = EngineError) -> Iterator[type[EngineError]]:
    """Name what the engine raises: the errors that hold facts."""
    for one in kind.__subclasses__():
        if "__dataclass_fields__" in vars(one):
            yield one
        yield from kinds(one)


def samples(kind: type[EngineError]) -> Iterator[EngineError]:
    """Make errors of a kind, of each of its causes."""
    hints = get_type_hints(kind)
    values = []
    for field in fields(kind):  # type: ignore[arg-type]
        hint = hints[field.name]
        causes = list(hint) if isinstance(hint, type) and issubclass(hint, StrEnum) else None
        found = causes or (SAMPLES.get(field.name) if hint is not str else None) or BY_TYPE[hint]
        values.append(found)
    for one in product(*values):
        yield kind(**dict(zip((field.name for field in fields(kind)), one, strict=True)))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", sorted(kinds(), key=lambda one: one.__name__))
def test_each_error_has_a_message_and_a_plain_text(kind: type[EngineError]) -> None:
    """The message names a fact of it; the text holds no command, and says what happened."""
    for error in samples(kind):
        said, plain = message(error), str(error)
        assert said != plain
        assert not re.search(r"[{}]|None|\bobject at\b", said), said
        assert any(str(fact) in said for fact in vars(error).values() if fact), said
        assert plain.startswith((kind.__doc__ or "?").partition(".")[0].partition("\n")[0])
        assert not re.search(r"--[a-z]|'batchsora ", plain)


def test_messages_tell_causes_apart() -> None:
    """No two causes of one error are told in the same words."""
    for kind in kinds():
        causes = [
            field.name
            for field, hint in zip(fields(kind), get_type_hints(kind).values(), strict=True)  # type: ignore[arg-type]
            if isinstance(hint, type) and issubclass(hint, StrEnum)
        ]
        found: dict[str, set[str]] = {}
        for error in samples(kind):
            cause = "".join(getattr(error, name) for name in causes)
            found.setdefault(cause, set()).add(message(error))
        texts = [text for said in found.values() for text in said]
        assert len(texts) == len(set(texts))


def test_an_error_of_a_use_case_is_its_own_text() -> None:
    """What the application itself refuses is said where it is refused."""
    assert message(errors.NotAllowedError("nothing was bought")) == "nothing was bought"
