"""The engine names no command and no flag, and raises facts: words are batchsora/presentation's."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchsora.cli import COMMANDS
from jobs.model import errors
from jobs.model.states import Blocked

ENGINE = Path(errors.__file__).parent
COMMAND = re.compile(rf"(?<![\w-])--[a-z]|\bbatchsora ({'|'.join(COMMANDS)})\b")
KINDS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type)
    and issubclass(kind, errors.EngineError)
    and "__dataclass_fields__" not in vars(kind)
}
"""Errors without facts: they would have to be raised with a text."""


STORED = str(Blocked.PRICE)
"""Kept in the database in these words: what a batch waits for, and its events."""


def wording(source: str) -> Iterator[str]:
    """Find the strings of a module that speak of the command line, and errors that are texts."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if COMMAND.search(node.value):
                yield node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            text = any(isinstance(one, ast.JoinedStr) for one in node.args) or any(
                isinstance(one, ast.Constant) and " " in str(one.value) for one in node.args
            )
            if node.func.id in KINDS or (text and node.func.id in vars(errors)):
                yield ast.unparse(node)


@pytest.mark.parametrize("path", sorted(ENGINE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_module_of_the_engine_speaks_to_people(path: Path) -> None:
    """A flag, a command, or an error that is a sentence stands in none of them."""
    assert [one for one in wording(path.read_text("utf-8")) if one != STORED] == []


@pytest.mark.parametrize(
    "planted",
    [
        "log.warning('not bought; --buy-again buys them')",
        "'''Leave rows out (``--first``).'''",
        "say(f\"{key}: 'batchsora retry {key}' buys it again\")",
        "raise NotAllowedError('nothing to resolve')",
        "raise LoadError(f'{n} rows moved')",
        "raise TooEarlyError('it may still turn up', now)",
        "raise NotInDoubtError(f'{key} of {batch}', state)",
    ],
)
def test_words_that_are_planted_are_found(planted: str) -> None:
    """Each kind of wording is seen."""
    assert len(list(wording(planted))) == 1


@pytest.mark.parametrize(
    "plain",
    [
        "raise NotInDoubtError(job.key, 'queued')",
        "log.info('a -- b')",
        "name = 'batchsora database'",
    ],
)
def test_facts_are_no_words(plain: str) -> None:
    """What tells facts, or is no text for people, passes."""
    assert list(wording(plain)) == []
