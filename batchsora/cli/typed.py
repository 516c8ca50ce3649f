"""Commands in messages, as they have to be typed: with what this command was given for all.

Who used ``--db``, ``--sandbox`` or another account once has to use it again, or the next command
looks at another database. What stands in the environment or in ``batchsora.toml`` counts anyway.
"""

import re
from collections.abc import Mapping
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
    if "'batchsora " not in text:
        return text
    context = click.get_current_context(silent=True)
    if context is None:
        return text
    given = {
        name: cli.option(name) for name in GIVEN if cli.source(name) is ParameterSource.COMMANDLINE
    }
    if not (given or cli.sandbox):
        return text
    root = context.find_root().command

    def complete(found: re.Match[str]) -> str:
        command = root.get_command(context, found[1]) if isinstance(root, click.Group) else None
        return found[0] if command is None else f"{found[0]}{_options(command, given, cli)}"

    return _COMMAND.sub(complete, text)


_COMMAND: Final = re.compile(r"(?<=')batchsora ([a-z]+)(?=['\s])")


def _options(command: click.Command, given: Mapping[str, Any], cli: "Cli") -> str:
    """Return what has to be added to a command."""
    rehearses = cli.sandbox and any("--sandbox" in param.opts for param in command.params)
    words = [f"--{name.replace('_', '-')} {quote(str(value))}" for name, value in given.items()]
    return "".join(f" {word}" for word in [*(["--sandbox"] if rehearses else []), *words])
