"""Commands in messages, as they have to be typed: with what this command was given for all.

Who used ``--db``, ``--sandbox`` or another account once has to use it again, or the next command
looks at another database. What stands in the environment or in ``batchsora.toml`` counts anyway.
"""

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from jobs.system import quote

if TYPE_CHECKING:
    from batchsora.cli.common import Cli

GIVEN: Final = ("config", "db", "base_url", "token_file")
"""Options of every command that say which database and account are meant."""


def as_typed(text: str, cli: "Cli") -> str:
    """Add the options that were given to each command that a message names in quotes."""
    context = cli.context  # that of click is gone when a message tells of an error
    if context is None or "'batchsora " not in text:
        return text
    given = {
        name: cli.option(name) for name in GIVEN if cli.source(name) is ParameterSource.COMMANDLINE
    }
    if not (given or cli.sandbox):
        return text
    root = context.find_root().command

    def complete(found: re.Match[str]) -> str:
        command = root.get_command(context, found[1]) if isinstance(root, click.Group) else None
        if command is None:
            return found[0]
        return f"{found[0]}{_options(command, given, found[2].split(), cli)}"

    return _COMMAND.sub(complete, text)


_COMMAND: Final = re.compile(r"(?<=')batchsora ([a-z]+)(?=([^']*))(?=['\s])")
"""A command, its name, and what follows it up to the next quote."""


def _options(
    command: click.Command, given: Mapping[str, Any], there: Collection[str], cli: "Cli"
) -> str:
    """Return what has to be added to a command, besides the options that it has already."""
    words = {f"--{name.replace('_', '-')}": quote(str(value)) for name, value in given.items()}
    if cli.sandbox and any("--sandbox" in param.opts for param in command.params):
        words = {"--sandbox": "", **words}
    return "".join(f" {name} {word}".rstrip() for name, word in words.items() if name not in there)
