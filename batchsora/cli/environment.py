"""The environment's names for options: ``BATCHSORA_``, the command, the option as it is typed."""

from typing import Final

import click

PREFIX: Final = "BATCHSORA"


def name_as_typed(command: click.Command) -> None:
    """Let the environment name options as the command line does.

    click names them after the command's own variables, which are sometimes called otherwise; those
    names count as well.
    """
    for option in command.params:
        if isinstance(option, click.Option) and option.envvar is None:
            typed = max(option.opts, key=len).lstrip("-").replace("-", "_")
            if option.allow_from_autoenv and typed != option.name:
                option.envvar = f"{PREFIX}_{command.name}_{typed}".upper()
