"""The configuration file's values as defaults of a command's options."""

from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from batchsora.option_kinds import options_of
from batchsora.options import GlobalOptions, RunOptions

if TYPE_CHECKING:
    from batchsora.config import Configuration
    from jobs.ports.control import Terms


def option_of(command: click.Command, key: str) -> click.Parameter | None:
    """Find the option that a key of the file is named after."""
    return next((param for param in command.params if f"--{key}" in param.opts), None)


def defaults(
    configuration: "Configuration", command: click.Command, context: click.Context
) -> dict[str, Any]:
    """Return what the file says for a command, as click's ``default_map``.

    Raises:
        SettingsError: the command has no such option, or refuses the value.
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


def check_found(
    configuration: "Configuration | None", context: click.Context, *, agreed: bool = False
) -> None:
    """Check that a person agrees to a found file's values for a command's own options.

    ``agreed``: a person has agreed to spend already.

    Raises:
        SettingsError: a value needs to be confirmed; the text says how.
    """
    if configuration is None:
        return
    name = context.command.name or ""
    agreed = agreed or any(context.params.get(word) for word in ("yes", "sandbox"))
    for key in configuration.values(name):
        param = option_of(context.command, key)
        source = None if param is None else context.get_parameter_source(param.name or "")
        if source is ParameterSource.DEFAULT_MAP and key not in GLOBAL_KEYS:
            configuration.check_found(name, key, agreed=agreed)


GLOBAL_KEYS: Final = {
    known.flag: name for name, known in options_of(GlobalOptions).items() if known.found is not None
}
"""Keys of the options that all commands share, and may stand before the command's name."""


def caps_said(context: click.Context, options: RunOptions) -> "Terms":
    """Return a command's caps by where they come from.

    A flag applies at once; the configuration's value only where no cap is kept yet.
    """
    from batchsora.usecases.from_options import terms_of

    file = ParameterSource.DEFAULT_MAP
    return terms_of(
        options, [name for name in context.params if context.get_parameter_source(name) is file]
    )
