"""What a configuration file says, as the defaults of a command's own options."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from batchsora.config import Configuration


def option_of(command: click.Command, key: str) -> click.Parameter | None:
    """Find the option that a key of the file is named after."""
    return next((param for param in command.params if f"--{key}" in param.opts), None)


def defaults(
    configuration: "Configuration", command: click.Command, context: click.Context
) -> dict[str, Any]:
    """Give what the file says for a command, as click's ``default_map``.

    Raises:
        SettingsError: the command has no such option, or refuses the value; the text names the
            file.
    """
    name = command.name or ""
    found: dict[str, Any] = {}
    for key, value in configuration.values(name).items():
        param = option_of(command, key)
        if param is None or param.name is None:
            raise configuration.refused(
                name, key, f"'batchsora {name}' has no option --{key}; put it at the top"
            )
        try:
            param.process_value(context, value)
        except click.BadParameter as error:
            raise configuration.refused(name, key, error.message) from None
        found[param.name] = value
    return found


def from_file(context: click.Context, name: str) -> bool:
    """Say whether an option's value comes from the configuration file."""
    return context.get_parameter_source(name) is click.core.ParameterSource.DEFAULT_MAP
